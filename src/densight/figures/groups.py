"""The figures by group of exams: a vendor, an age band, a site; and over time, as a control chart."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from densight.figures.drawn import MAIN, draw_figures
from densight.figures.rows import Row, cases_of, measure_row
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Chart", "ChartPoint", "band", "chart_over", "measure_groups"]

BANDS = 4
"""Groups of a column of many different numbers."""
_MANY = 10
_LIMIT = 3.0


@dataclass(frozen=True)
class ChartPoint:
    """One time of a control chart.

    Parameters
    ----------
    name : str
    n, patients : int
    value : float
    low, high : float
        The limits within which a time of so many exams lies unless something has changed.
    out : bool
        Whether it lies outside.
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
        A key of `densight.figures.drawn.FIGURES`.
    centre : float
        Its value over all times.
    points : tuple of ChartPoint
        In the order of time.
    """

    figure: str
    centre: float
    points: tuple[ChartPoint, ...]


def band(values: pd.Series[str]) -> pd.Series[str]:
    """Numbers of many kinds in four groups of about as many each; all else as it is, an empty value as "not known".

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
    names = {part: f"{of.min():g}–{of.max():g}" for part, of in numbers.groupby(cut)}
    return cut.map(names).fillna("not known").astype(str)


def measure_groups(
    exams: pd.DataFrame,
    values: pd.Series[str],
    classes: Sequence[str],
    dense_from: int | None,
    names: Collection[str] = MAIN,
) -> tuple[Row, ...]:
    """The figures of each group.

    Parameters
    ----------
    exams : DataFrame
        The labelled exams.
    values : Series of str
        The group of each, in the same order.
    classes : sequence of str
    dense_from : int or None
    names : collection of str

    Returns
    -------
    tuple of Row
        In the order of the groups' names, numbers by size.
    """
    groups = band(values).to_numpy()
    return tuple(
        measure_row(name, "", cases_of(exams[groups == name], classes), dense_from, names)
        for name in sorted(set(groups.tolist()), key=_by_number)
    )


def chart_over(
    exams: pd.DataFrame, times: pd.Series[str], classes: Sequence[str], figure: str = "kappa_quadratic"
) -> Chart:
    """The figure over time, with the limits of ±3 standard errors about its value over all times.

    The standard error of a time is that of all exams, by the bootstrap over patients, made as much larger as the time
    has fewer exams.

    Parameters
    ----------
    exams : DataFrame
        The labelled exams.
    times : Series of str
        The time of each: numbers, or words that sort as time does, such as 2025-03.
    classes : sequence of str
    figure : str

    Raises
    ------
    DensightError
        If there is one time alone.

    References
    ----------
    Shewhart, "Economic control of quality of manufactured product", 1931: limits of three standard errors.
    """
    moments = times.where(times != "", "not known").to_numpy()
    names = sorted(set(moments.tolist()), key=_by_number)
    if len(names) < 2:
        raise DensightError(f"all exams have the one time {names[0]}", remedy="give a column that tells months apart")
    whole = draw_figures(cases_of(exams, classes), names=[figure])[figure].drawn
    drawn = whole.drawn[np.isfinite(whole.drawn)]
    spread = float(drawn.std()) if drawn.size else np.nan
    points = []
    for name in names:
        inside = exams[moments == name]
        cases = cases_of(inside, classes)
        value = draw_figures(cases, names=[figure])[figure].drawn.value
        reach = _LIMIT * spread * np.sqrt(len(exams) / len(inside))
        low, high = whole.value - reach, min(1.0, whole.value + reach)
        points.append(ChartPoint(name, len(inside), cases.patients, value, low, high, not low <= value <= high))
    return Chart(figure, whole.value, tuple(points))


def _by_number(name: str) -> tuple[bool, float, str]:
    try:
        return False, float(name.split("–")[0]), name
    except ValueError:
        return True, 0.0, name
