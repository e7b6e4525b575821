"""Fitting a calibration, and writing it into the bundles that it is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from densight.assessment.calibration import Calibration, Fusion
from densight.assessment.conformal import fit_sets
from densight.assessment.folds import cross_fit
from densight.assessment.fusion import (
    by_projection,
    class_indices,
    fuse_breasts,
    fuse_exams,
    patients_of,
    predicted_class,
    probability_columns,
)
from densight.assessment.models import Models
from densight.assessment.pooling import LEARNED, fit_weights
from densight.assessment.scaling import fit_scaling
from densight.network.bundle import Bundle, write_calibration
from densight.storage import plain
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FEWEST", "fit_calibration", "store_calibration"]

FEWEST = 20
"""Patients below whom a calibration says more about them than about others."""

Floats = npt.NDArray[np.float64]


def fit_calibration(
    models: Models,
    images: pd.DataFrame,
    *,
    method: str = "temperature",
    coverage: float = 0.9,
    by_class: bool = False,
    rule: str = "mean",
    record: Mapping[str, Any],
) -> dict[str, Calibration]:
    """The calibration of each model, by the checksum of its weights.

    Parameters
    ----------
    models : Models
        Without calibration.
    images : DataFrame
        What they say of images that they have not learnt from, as
        `densight.assessment.tables.read_assessments` gives it.
    method : str
        A key of `densight.assessment.scaling.SCALINGS`.
    coverage : float
        What sets of classes promise.
    by_class : bool
        Whether of each true class.
    rule : str
        A key of `densight.assessment.pooling.RULES`.
    record : mapping
        Where the images come from.

    Raises
    ------
    DensightError
        If no exam is labelled, all are of one patient, or a model has no labelled image.
    """
    labelled = images[images["density"] != ""]
    if labelled.empty:
        raise DensightError("no image has a reference density, so there is nothing to calibrate on")
    columns = probability_columns(models.classes)
    scaled = labelled.copy()
    scalings = {}
    for bundle in models.bundles:
        rows = _of_bundle(labelled, bundle)
        if not rows.any():
            raise DensightError(
                f"no labelled image is of {', '.join(bundle.facts.projections)}",
                bundle.folder,
                "give images of every projection that the models have learnt",
            )
        y_prob, y_true, patients = _cases(labelled[rows], models.classes)
        scalings[bundle.checksum] = fit_scaling(y_prob, y_true, method, len(set(patients)))
        scaled.loc[rows, columns] = scalings[bundle.checksum].apply(y_prob)
    scaled["predicted"] = predicted_class(scaled[columns].to_numpy(), models.classes)
    fusion = _fit_fusion(scaled, models.classes, method, coverage, by_class, rule)
    checksums = tuple(sorted(scalings))
    return {checksum: Calibration(scaling, fusion, checksums, dict(record)) for checksum, scaling in scalings.items()}


def store_calibration(models: Models, calibrations: Mapping[str, Calibration]) -> Models:
    """Write each model's calibration into its bundle; give the models as they are with it.

    Raises
    ------
    DensightError
        If a model is no bundle, or cannot be written.
    """
    for bundle in models.bundles:
        if not (bundle.folder / "model.json").is_file():
            raise DensightError(
                "only a model bundle can keep a calibration", bundle.folder, "make one with densight convert"
            )
    return Models(tuple(write_calibration(bundle, plain(calibrations[bundle.checksum])) for bundle in models.bundles))


def _fit_fusion(
    images: pd.DataFrame, classes: Sequence[str], method: str, coverage: float, by_class: bool, rule: str
) -> Fusion:
    fusion = Fusion(rule)
    if rule == LEARNED:
        cube = by_projection(images, classes)[1]
        exams = fuse_exams(images, classes)
        known = (exams["density"] != "").to_numpy()
        y_true = class_indices(exams["density"][known].tolist(), classes)
        fusion = replace(fusion, weights=fit_weights(cube[known], y_true))
    breasts, exams = (
        table[table["density"] != ""]
        for table in (fuse_breasts(images, classes, fusion), fuse_exams(images, classes, fusion))
    )
    if exams.empty:
        raise DensightError("no exam has one reference density, so there is nothing to calibrate on")
    y_prob, y_true, patients = _cases(exams, classes)
    if len(set(patients)) < 2:
        raise DensightError(
            "all exams are of one patient", remedy=f"calibrate on {FEWEST} patients or more, better on hundreds"
        )
    # Each exam's set score comes from a scaling fitted on other patients, so that sets keep what they promise.
    scaled = cross_fit(
        patients,
        y_prob.shape,
        lambda fitted, inside: fit_scaling(y_prob[fitted], y_true[fitted], method).apply(y_prob[inside]),
    )
    of_breasts, y_true_of_breasts, breast_patients = _cases(breasts, classes)
    return replace(
        fusion,
        breast=fit_scaling(of_breasts, y_true_of_breasts, method, len(set(breast_patients))),
        exam=fit_scaling(y_prob, y_true, method, len(set(patients))),
        sets=fit_sets(scaled, y_true, patients, coverage, by_class=by_class),
    )


def _of_bundle(images: pd.DataFrame, bundle: Bundle) -> npt.NDArray[np.bool_]:
    known = {(projection.view.value, projection.laterality.value) for projection in bundle.facts.projections}
    pairs = zip(images["view"], images["laterality"], strict=True)
    return np.array([(str(view), str(side)) in known for view, side in pairs])


def _cases(table: pd.DataFrame, classes: Sequence[str]) -> tuple[Floats, npt.NDArray[np.int64], list[str]]:
    """Probabilities, true classes and patients; an exam stands in for an unknown patient."""
    y_prob = table[probability_columns(classes)].to_numpy(dtype=np.float64)
    return y_prob, class_indices(table["density"].tolist(), classes), patients_of(table)
