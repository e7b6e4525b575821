"""Metrics by group of exams, such as vendor, age band or site, and over time as a control chart."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from densight.figures.bootstrap import BootstrapDistribution
from densight.figures.data import Cases, cases_of
from densight.figures.metrics import MAIN_METRICS, Row, bootstrap_metrics, measure_row
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Chart", "ChartPoint", "band", "chart_over", "measure_groups"]

BANDS = 4
"""The number of groups of a column with many different numbers."""
_MANY = 10
_STANDARD_ERRORS = 3.0


@dataclass(frozen=True)
class ChartPoint:
    """One time of a control chart.

    Parameters
    ----------
    name : str
        The time.
    n, patients : int
        The number of exams and of their patients.
    value : float
        The metric.
    low, high : float
        The limits for this number of exams if nothing has changed.
    out : bool
        Whether the value lies outside the limits.
    """

    name: str
    n: int
    patients: int
    value: float
    low: float
    high: float
    out: bool


@dataclass(frozen=True)
class Chart:
    """A control chart.

    Parameters
    ----------
    figure : str
        A key of `densight.figures.metrics.METRICS`.
    centre : float
        The value over all times.
    points : tuple of ChartPoint
        In the order of time.
    """

    figure: str
    centre: float
    points: tuple[ChartPoint, ...]


def band(values: pd.Series[str]) -> pd.Series[str]:
    """Replace many different numbers by four bands of about equal size; keep all else, and empty values as "not known".

    Parameters
    ----------
    values : Series of str

    Examples
    --------
    >>> import pandas as pd
    >>> band(pd.Series([str(age) for age in range(40, 60)])).unique().tolist()
    ['40–44', '45–49', '50–54', '55–59']
    >>> band(pd.Series(["X", ""])).tolist()
    ['X', 'not known']
    """
    import pandas as pd

    numbers = pd.to_numeric(values, errors="coerce")
    known = values != ""
    if numbers[known].isna().any() or numbers.nunique() <= _MANY:
        return values.where(known, "not known")
    cut = pd.qcut(numbers, BANDS, labels=False, duplicates="drop")
    names = {part: f"{inside.min():g}–{inside.max():g}" for part, inside in numbers.groupby(cut)}
    return cut.map(names).fillna("not known").astype(str)


def measure_groups(
    exams: pd.DataFrame,
    values: pd.Series[str],
    classes: Sequence[str],
    dense_from: int | None,
    names: Collection[str] = MAIN_METRICS,
) -> tuple[Row, ...]:
    """Measure each group.

    Parameters
    ----------
    exams : DataFrame
        The labelled exams.
    values : Series of str
        The group of each exam, in the same order.
    classes : sequence of str
    dense_from : int or None
    names : collection of str
        Keys of `densight.figures.metrics.METRICS`.

    Returns
    -------
    tuple of Row
        In the order of the groups' names; numbers by size.
    """
    groups = band(values).to_numpy()
    return tuple(
        measure_row(name, "", cases_of(exams[groups == name], classes), dense_from, names)
        for name in sorted(set(groups.tolist()), key=_by_number)
    )


def chart_over(
    exams: pd.DataFrame, times: pd.Series[str], classes: Sequence[str], figure: str = "kappa_quadratic"
) -> Chart:
    """Measure a metric over time, with limits at ±3 standard errors from its value over all times.

    The standard error of all exams is the standard deviation over bootstrap draws. That of one time is larger by the
    square root of the ratio of the numbers of exams.

    Parameters
    ----------
    exams : DataFrame
        The labelled exams.
    times : Series of str
        The time of each exam: numbers, or texts that sort by time, such as 2025-03.
    classes : sequence of str
    figure : str
        A key of `densight.figures.metrics.METRICS`.

    Raises
    ------
    DensightError
        If there is only one time.

    References
    ----------
    Shewhart, "Economic control of quality of manufactured product", 1931: limits of three standard errors.
    """

    def distribution(cases: Cases) -> BootstrapDistribution:
        return bootstrap_metrics(cases, names=[figure])[figure].distribution

    time_of = times.where(times != "", "not known").to_numpy()
    names = sorted(set(time_of.tolist()), key=_by_number)
    if len(names) < 2:
        raise DensightError(f"all exams have the same time {names[0]}", remedy="give a column with several times")
    whole = distribution(cases_of(exams, classes))
    draws = whole.resampled[np.isfinite(whole.resampled)]
    standard_error = float(draws.std()) if draws.size else np.nan
    points = []
    for name in names:
        inside = exams[time_of == name]
        cases = cases_of(inside, classes)
        value = distribution(cases).value
        margin = _STANDARD_ERRORS * standard_error * np.sqrt(len(exams) / len(inside))
        low, high = whole.value - margin, min(1.0, whole.value + margin)
        points.append(ChartPoint(name, len(inside), cases.patients, value, low, high, not low <= value <= high))
    return Chart(figure, whole.value, tuple(points))


def _by_number(name: str) -> tuple[bool, float, str]:
    try:
        return False, float(name.split("–")[0]), name
    except ValueError:
        return True, 0.0, name
