"""Split a data set into training, validation and test by patient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from densight.vocabulary import SPLITS, DensightError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FRACTIONS", "check_fractions", "split_by_patient"]

FRACTIONS = (0.6, 0.15, 0.25)
"""Parts of training, validation and test, where none are given."""

_PREFERENCE = 1e-6 * np.array([2.0, 0.0, 1.0])
"""Where remainders are equal, a patient left over goes to training, then to test."""


def split_by_patient(
    table: pd.DataFrame, classes: Sequence[str], fractions: Sequence[float] = FRACTIONS, seed: int = 0
) -> pd.DataFrame:
    """Give each labelled patient one split, the classes evenly spread over the splits.

    A patient's class is the one of most of the images, the densest on a tie. For each class, a split has as many
    patients as its fraction says, rounded down or up, and so it has over all classes; what is rounded up follows the
    largest remainders. Each class has a patient in training before the other splits have any. Who is in which split
    depends on the seed, not on the order of rows.

    A split that is given is kept and holds for all images of its patient; only patients without one are split.
    Patients without any label get none.

    Parameters
    ----------
    table : pandas.DataFrame
        The columns ``patient_id``, ``density``, ``split``.
    classes : sequence of str
        The labels, from the least to the most dense.
    fractions : sequence of three floats
        Parts of training, validation and test; their sum is 1.
    seed : int
        The seed, not negative.

    Returns
    -------
    pandas.DataFrame
        A copy with ``split`` filled.

    Raises
    ------
    DensightError
        If the fractions are not three parts of one.

    References
    ----------
    Cox, "A constructive procedure for unbiased controlled rounding", JASA 82 (1987): rounding a table so that its
    margins are rounded too.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"patient_id": list("abcdefgh"), "density": list("AAAABBBB"), "split": ""})
    >>> split_by_patient(table, ["A", "B"], (0.5, 0.25, 0.25))["split"].value_counts().to_dict()
    {'train': 4, 'validation': 2, 'test': 2}
    """
    fractions = check_fractions(fractions)
    given = table[table["split"] != ""].groupby("patient_id")["split"].first()
    strata = _strata(table[~table["patient_id"].isin(given.index)], classes)
    counts = _allocate(np.array([len(patients) for patients in strata]), np.array(fractions))
    generator = np.random.default_rng(seed)
    chosen: dict[str, str] = {str(patient): str(split) for patient, split in given.items()}
    for patients, sizes in zip(strata, counts, strict=True):
        shuffled = generator.permutation(np.array(patients, dtype=object))
        chosen.update(zip(shuffled, np.repeat(SPLITS, sizes), strict=True))
    result = table.copy()
    rows = zip(table["split"], table["patient_id"], strict=True)
    result["split"] = [split or str(chosen.get(patient, "")) for split, patient in rows]
    return result


def check_fractions(fractions: Sequence[float]) -> tuple[float, float, float]:
    """Check that these are the parts of training, validation and test.

    Raises
    ------
    DensightError
        If they are not three numbers from 0 to 1 that add up to 1, with some training.

    Examples
    --------
    >>> check_fractions([0.8, 0.1, 0.1])
    (0.8, 0.1, 0.1)
    """
    values = [float(fraction) for fraction in fractions]
    if len(values) != 3 or not all(0 <= value <= 1 for value in values) or abs(sum(values) - 1) > 1e-6 or not values[0]:
        raise DensightError(
            f"the parts {', '.join(f'{value:g}' for value in values)} do not split a data set",
            remedy="give training, validation and test, together 100 %: --split 60,15,25",
        )
    return values[0], values[1], values[2]


def _strata(table: pd.DataFrame, classes: Sequence[str]) -> list[list[str]]:
    """The patients of each class in the order of their ids, none of them without a label."""
    rank = {label: i for i, label in enumerate(classes)}
    strata: list[list[str]] = [[] for _ in classes]
    labelled = table[table["density"] != ""]
    counts = labelled.groupby(["patient_id", "density"]).size()
    for patient, of_patient in counts.groupby(level=0):
        label = max(of_patient.items(), key=lambda item: (item[1], rank[item[0][1]]))[0][1]  # type: ignore[index]
        strata[rank[label]].append(str(patient))
    return strata


def _allocate(sizes: npt.NDArray[np.integer], fractions: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Patients per class (rows) and split (columns): the quotas rounded so that both margins are rounded too.

    The rounded-up cells are a flow through classes and splits, so the linear programme has a whole solution.
    """
    from scipy.optimize import linprog

    quotas = np.outer(sizes, fractions)
    floors = np.floor(quotas + 1e-9)
    remainders = quotas - floors
    strata = len(sizes)
    by_stratum = np.kron(np.eye(strata), np.ones(3))
    by_split = np.kron(np.ones(strata), np.eye(3))
    left = sizes - floors.sum(axis=1)
    most = np.ceil(quotas.sum(axis=0) - 1e-9) - floors.sum(axis=0)
    least = np.floor(quotas.sum(axis=0) + 1e-9) - floors.sum(axis=0)
    lower = np.zeros((strata, 3))
    lower[:, 0] = (floors[:, 0] == 0) & (sizes > 0)
    upper = np.maximum(lower, remainders > 1e-9)
    problem: dict[str, Any] = {
        "c": -(remainders + _PREFERENCE).ravel(),
        "A_eq": by_stratum,
        "b_eq": left,
        "bounds": np.stack([lower.ravel(), upper.ravel()], axis=1),
        "method": "highs-ds",
    }
    solution = linprog(A_ub=np.vstack([by_split, -by_split]), b_ub=np.concatenate([most, -least]), **problem)
    if not solution.success:
        # Many rare classes that must be trained on ask for more than training's part of the whole.
        solution = linprog(**problem)
    rounded: npt.NDArray[np.int64] = (floors + np.rint(solution.x).reshape(strata, 3)).astype(np.int64)
    return rounded
