"""The percent density of a breast or an exam: one rule for tables, report, DICOM, FHIR and Python."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isnan

from densight.vocabulary import PROJECTIONS, Projection

__all__ = ["PercentDensity", "fuse_percent_density"]


@dataclass(frozen=True)
class PercentDensity:
    """The percent density of a breast or an exam.

    Parameters
    ----------
    value : float or None
        Dense area as per cent of the breast's, 0 to 100; None where no image has one.
    images : int
        The number of images that it is the mean of.
    missing : tuple of (Projection, str)
        The images that have none, and why.
    """

    value: float | None
    images: int
    missing: tuple[tuple[Projection, str], ...] = ()

    @property
    def reasons(self) -> str:
        """Why images have none, in words; empty where all have one.

        Examples
        --------
        >>> PercentDensity(None, 0, ((Projection.MLO_R, "no breast found"),)).reasons
        'MLO_R: no breast found'
        """
        return "; ".join(
            f"{projection}: {reason}" if reason else str(projection) for projection, reason in self.missing
        )

    @property
    def summary(self) -> str:
        """What it is the mean of, in a sentence; empty where every image has one.

        Examples
        --------
        >>> PercentDensity(20.0, 3, ((Projection.MLO_R, "no breast found"),)).summary
        'Percent density is the mean of 3 of 4 images. Without: MLO_R: no breast found.'
        """
        if not self.missing:
            return ""
        total = self.images + len(self.missing)
        mean = f"is the mean of {self.images} of {total} images" if self.images else "could not be measured"
        return f"Percent density {mean}. Without: {self.reasons}."


def fuse_percent_density(images: Iterable[tuple[Projection, float | None, str]]) -> PercentDensity:
    """The mean over the projections that have a percent density; two images of one projection are averaged first.

    This is the rule of `densight.assessment.fusion` for probabilities, so that class and percent density are of the
    same images.

    Parameters
    ----------
    images : iterable of (Projection, float or None, str)
        The projection, the percent density (None or NaN where the image has none) and the reason why it has none.

    Returns
    -------
    PercentDensity

    Examples
    --------
    >>> fuse_percent_density([(Projection.CC_R, 10.0, ""), (Projection.CC_R, 20.0, ""), (Projection.MLO_R, 25.0, "")])
    PercentDensity(value=20.0, images=3, missing=())
    >>> fuse_percent_density([(Projection.CC_R, 10.0, ""), (Projection.MLO_R, None, "no breast found")]).value
    10.0
    """
    measured: dict[Projection, list[float]] = {}
    missing = []
    for projection, value, reason in images:
        if value is None or isnan(value):
            missing.append((projection, reason))
        else:
            measured.setdefault(projection, []).append(float(value))
    means = [sum(values) / len(values) for values in (measured.get(p, []) for p in PROJECTIONS) if values]
    order = list(PROJECTIONS)
    missing.sort(key=lambda pair: order.index(pair[0]))
    value = sum(means) / len(means) if means else None
    return PercentDensity(value, sum(map(len, measured.values())), tuple(missing))
