"""Figures of merit of a model that comes with densight, on images that it has not learnt from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from densight.assessment.assess import Assessment, assess_exam
from densight.assessment.models import Models
from densight.assessment.refusal import Refusal
from densight.intake.image import read_mammogram
from densight.intake.mammogram import Mammogram
from densight.vocabulary import BIRADS, DensightError, Projection

__all__ = ["Row", "Statistic", "assessed", "exams", "interval", "kappas", "rank", "three_way"]

DRAWS = 2000

Row = dict[str, Any]
Statistic = Callable[[pd.DataFrame], float]


def expected(result: Assessment) -> float:
    """E[k], 0 for A to 3 for D."""
    return float(result.probabilities @ np.arange(len(result.classes)))


def assessed(models: Models, mammogram: Mammogram, **known: Any) -> Row:
    """One image: E[k], class, percent density; or why it was refused."""
    try:
        result, _ = assess_exam(models, [mammogram])
    except Refusal as refusal:
        return {**known, "refused": refusal.fault, "expected": np.nan, "predicted": "", "percent_density": np.nan}
    density = np.nan if result.percent_density is None else result.percent_density
    found = {"refused": "", "expected": expected(result), "predicted": result.density, "percent_density": density}
    return {**known, **found}


def exams(models: Models, folder: Path, splits: Sequence[str] = ("train", "validation", "test")) -> pd.DataFrame:
    """The exams of a folder of ``densight phantom``, a row each."""
    table = pd.read_csv(folder / "catalogue.csv", dtype={"patient_id": str, "exam_id": str})
    rows = []
    for exam_id, images in table[table["split"].isin(splits)].groupby("exam_id"):
        mammograms = [
            read_mammogram(folder / str(row["path"]), projection=f"{row['view']}_{row['laterality']}")
            for row in images.to_dict("records")
        ]
        first = images.iloc[0]
        known = {name: first[name] for name in ("density", "reader_1", "reader_2", "volumetric_density")}
        known |= {"patient_id": exam_id, "set": folder.name, "true": float(images["percent_density"].mean())}
        try:
            result, _ = assess_exam(models, mammograms)
        except Refusal as refusal:
            rows.append({**known, "refused": refusal.fault, "images": len(mammograms), "of": len(mammograms)})
            continue
        probabilities = dict(zip((f"p_{k}" for k in BIRADS), result.probabilities.tolist(), strict=True))
        density = np.nan if result.percent_density is None else result.percent_density
        rows.append(
            {
                **known,
                **probabilities,
                "refused": "",
                "images": len(result.refused),
                "of": len(mammograms),
                "expected": expected(result),
                "predicted": result.density,
                "percent_density": density,
            }
        )
    return pd.DataFrame(rows)


def interval(statistic: Statistic, table: pd.DataFrame, draws: int = DRAWS, seed: int = 0) -> tuple[float, ...]:
    """A figure with its 95 % percentile bootstrap interval over patients."""
    rng = np.random.default_rng(seed)
    places = [np.flatnonzero(table["patient_id"] == one) for one in table["patient_id"].unique()]
    drawn = []
    for _ in range(draws):
        chosen = rng.integers(0, len(places), len(places))
        drawn.append(statistic(table.iloc[np.concatenate([places[i] for i in chosen])]))
    low, high = np.nanpercentile(drawn, (2.5, 97.5))
    return statistic(table), float(low), float(high)


def rank(column: str, truth: str = "place") -> Statistic:
    """Spearman's rank correlation of a column with another."""
    return lambda table: float(spearmanr(table[column], table[truth])[0])


def three_way(column: str, fitted: pd.DataFrame) -> Statistic:
    """The accuracy of cutting a column into three, the cuts those of the greatest accuracy on ``fitted``."""
    low, high = best_cuts(fitted[column].to_numpy(), fitted["place"].to_numpy())

    def accuracy(table: pd.DataFrame) -> float:
        printed = (table[column] > low).astype(int) + (table[column] > high).astype(int)
        return float((printed == table["place"]).mean())

    return accuracy


def best_cuts(values: npt.NDArray[np.float64], places: npt.NDArray[np.int64]) -> tuple[float, float]:
    """The two cuts of greatest accuracy; of several equally good ones the mean of each.

    Examples
    --------
    >>> best_cuts(np.array([1.0, 2.0, 3.0]), np.array([0, 1, 2]))
    (1.5, 2.5)
    """
    order = np.sort(values)
    between = [order[0] - 1, *((order[1:] + order[:-1]) / 2), order[-1] + 1]
    pairs = [(low, high) for i, low in enumerate(between) for high in between[i:]]
    right = [((values > low).astype(int) + (values > high) == places).sum() for low, high in pairs]
    best = [pair for pair, number in zip(pairs, right, strict=True) if number == max(right)]
    low, high = np.mean(best, axis=0)
    return float(low), float(high)


def kappas(table: pd.DataFrame, printed: str, truth: str) -> float:
    """Linear κ of two columns of classes."""
    return float(cohen_kappa_score(table[printed], table[truth], labels=list(BIRADS), weights="linear"))


def changed_images(
    models: Models, mammograms: Sequence[Mammogram], changes: Iterator[tuple[str, Callable[..., Any]]]
) -> pd.DataFrame:
    """By how much E[k] changes with what must not matter, and whether the class does; a row a change."""
    before = [assessed(models, one) for one in mammograms]
    rows = []
    for name, change in changes:
        pairs = []
        for one, was in zip(mammograms, before, strict=True):
            if was["refused"]:
                continue
            now = assessed(models, replace(one, pixels=np.ascontiguousarray(change(one.pixels))))
            pairs.append((was, now))
        kept = [(was, now) for was, now in pairs if not now["refused"]]
        moved = [abs(now["expected"] - was["expected"]) for was, now in kept]
        rows.append(
            {
                "change": name,
                "images": len(pairs),
                "refused": len(pairs) - len(kept),
                "median": float(np.median(moved)),
                "95th percentile": float(np.percentile(moved, 95)),
                "class changes": float(np.mean([now["predicted"] != was["predicted"] for was, now in kept])),
            }
        )
    return pd.DataFrame(rows)


def of_infn(models: Models, folder: Path) -> pd.DataFrame:
    """The tutorial's 16 test images, a row each."""
    rows = []
    for path in sorted((folder / "TestSet").rglob("*.png")):
        projection = Projection(path.parts[-4])
        known = {"name": path.stem, "density": path.parent.name, "patient_id": path.stem}
        rows.append(assessed(models, read_mammogram(path, projection=projection), **known))
    return pd.DataFrame(rows)


def refusals(models: Models, pictures: Iterator[tuple[str, str, Any]]) -> pd.DataFrame:
    """Pictures that are no mammograms that can be judged, and what the model answers; a row each."""
    rows = []
    for name, kind, pixels in pictures:
        try:
            row = assessed(models, Mammogram(pixels, Projection.MLO_R))
        except DensightError as error:
            row = {"refused": error.fault}
        rows.append({"name": name, "kind": kind, **row})
    return pd.DataFrame(rows)
