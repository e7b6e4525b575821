"""A synthetic patient drawn from the population: breast density, volume and compression, and what readers say.

All that is known of the population is in this file. What follows the density class is one link and no other: thicker
breasts are fattier. Volume follows thickness, and the rest follows nothing.
"""

from __future__ import annotations

import bisect
import itertools
import math
import zlib
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from densight.phantom.settings import VENDORS, Settings
from densight.vocabulary import BIRADS, PROJECTIONS, DensightError, Laterality, Projection, View

__all__ = ["CUT_POINTS", "LINK", "SyntheticPatient", "density_of", "draw_patient"]

CUT_POINTS = (3.5, 7.5, 15.5)
"""Volumetric density, in per cent, from which the classes B, C and D begin.

Source: the grades a, b, c, d of the software Volpara, as its maker Lunit gives them for BI-RADS, 5th edition.
"""

LINK = -0.5
"""The correlation of thickness with the logarithm of volumetric density: thicker breasts are fattier.

It is that of the size which all images of a patient share; for the thickness of one image -0.45 is left of it. Moshina
et al., European Radiology 28 (2018), find -0.56 in the CC and -0.62 in the MLO of 14 698 women. The phantoms' is weaker
on purpose, so that it is tissue that shows the class.
"""

_NORMAL = NormalDist()

_LOG_DENSITY = NormalDist(math.log(7.5), 0.58)
"""Logarithm of volumetric density: the log-normal that `CUT_POINTS` part 10, 40, 40 and 10 %, the mix in screening."""

_DENSITIES = (1.5, 40.0)
"""The least and the greatest volumetric density in per cent, each within 3 standard deviations."""

_THICKNESS = {View.CC: NormalDist(54, 12), View.MLO: NormalDist(58.5, 12)}
"""Compressed thickness in mm.

The MLO's is 4 mm greater: Helvie et al., AJR 163 (1994), 250 pairs of CC and MLO, with a mean of 44 mm in the CC. Yaffe
et al., Medical Physics 36 (2009), have a mean of 59 mm and a standard deviation of 16 mm.
"""

_THICKNESS_RANGE = (25.0, 80.0)
"""The least and the greatest thickness that is drawn, in mm."""

_THICKNESS_SHARED, _THICKNESS_OF_VIEW = 0.86, 0.1
"""Parts of the variance of thickness that all images of a patient share, and that the two of a view share beside it.

So CC and MLO differ by 4 ± 6 mm, which gives the pairs of Helvie et al. that differ by 5 mm (47 %) and 10 mm (20 %).
"""

_LOG_VOLUME = NormalDist(math.log(600), 0.5)
"""Logarithm of a breast's volume in ml: assumed, for a mean of about 680 ml."""

_VOLUMES = (150.0, 1900.0)
"""The least and the greatest volume of a breast in ml; greater ones would not fit one image."""

_VOLUME_LINK = 0.75
"""The correlation of thickness with the logarithm of volume: assumed, strong as both are size."""

_LOG_RATIO_OF_VOLUMES, _LOG_RATIO_OF_DENSITIES = 0.07, 0.15
"""Standard deviations of the logarithm of right over left.

For volumes from the median relative asymmetry of 2.34 % in 54 591 women: Hudson et al., British Journal of Radiology
92 (2019). For densities assumed; left and right then correlate by .97.
"""

_READERS_SHARED, _READER_OWN = 0.12, 0.17
"""Standard deviations of what makes an exam look denser than it is: to every reader, and to one."""

_READER_BIASES = (-0.06, 0.06)
"""How much denser, in the logarithm, each reader takes every exam to be.

With these the linear κ of the two readers is about .7 in screening: Ooms et al., The Breast 16 (2007), have weighted κ
from .65 to .84 between pairs of four radiologists; Spayne et al., The Breast Journal 18 (2012), .70 of a radiologist
with her earlier self.
"""


@dataclass(frozen=True, eq=False)
class SyntheticPatient:
    """What is drawn for a synthetic patient before her breasts are made.

    Parameters
    ----------
    seed : int
        What all her random numbers follow from.
    density : str
        The BI-RADS class of both breasts together, by volumetric density.
    volumetric_density : dict of Laterality to float
        Glandular volume of a breast in per cent of its volume, skin and muscle left out.
    volume : dict of Laterality to float
        Volume of a breast in ml.
    thickness : dict of Projection to float
        Compressed thickness in mm.
    vendor : str
        One of `densight.phantom.settings.VENDORS`.
    readers : tuple of two str
        The classes that two simulated readers give the exam.
    """

    seed: int
    density: str
    volumetric_density: dict[Laterality, float]
    volume: dict[Laterality, float]
    thickness: dict[Projection, float]
    vendor: str
    readers: tuple[str, str]

    def rng(self, purpose: str, *more: str | int) -> np.random.Generator:
        """The random numbers of one purpose: the same for the same words, whatever else is drawn.

        Examples
        --------
        >>> patient = draw_patient(1, Settings())
        >>> patient.rng("skin", "R").bytes(8) == patient.rng("skin", "R").bytes(8) != patient.rng("skin", "L").bytes(8)
        True
        """
        return _stream(self.seed, purpose, *more)


def density_of(volumetric_density: float) -> str:
    """The BI-RADS class that a volumetric density in per cent stands for.

    Examples
    --------
    >>> density_of(3.4), density_of(3.5), density_of(15.5)
    ('A', 'B', 'D')
    """
    return BIRADS[bisect.bisect_right(CUT_POINTS, volumetric_density)]


def draw_patient(seed: int, settings: Settings) -> SyntheticPatient:
    """Draw a synthetic patient from the population.

    The mix decides how often each class is drawn, and nothing else: within a class patients are those of the
    population, and the random numbers of one purpose do not depend on what is asked of another.

    Parameters
    ----------
    seed : int
        Not negative; the same seed and settings give the same patient.
    settings : Settings
        A class, a thickness or a vendor given there is not drawn.

    Returns
    -------
    SyntheticPatient

    Raises
    ------
    DensightError
        If the seed is negative.

    Examples
    --------
    >>> patient = draw_patient(1, Settings(density="D", thickness=45))
    >>> patient.density, patient.thickness[Projection.MLO_L]
    ('D', 45.0)
    """
    if seed < 0:
        raise DensightError(f"the seed {seed} is negative", remedy="give 0 or more: --seed 1")
    log_density = _draw_log_density(seed, settings)
    size, thickness = _draw_thickness(seed, settings, _LOG_DENSITY.zscore(log_density))
    volume = _draw_volume(seed, size)
    return SyntheticPatient(
        seed,
        density_of(math.exp(log_density)),
        _draw_sides(seed, math.exp(log_density), volume),
        volume,
        thickness,
        settings.vendor or VENDORS[_stream(seed, "vendor").integers(len(VENDORS))],
        _draw_readers(seed, log_density),
    )


def _stream(seed: int, *purpose: str | int) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32("/".join(map(str, purpose)).encode())])


def _cut(normal: NormalDist, score: float, low: float, high: float) -> float:
    """Take a standard normal number to the place of the same rank in a normal distribution cut off at both ends."""
    below, above = normal.cdf(low), normal.cdf(high)
    return normal.inv_cdf(below + _NORMAL.cdf(score) * (above - below))


def _draw_log_density(seed: int, settings: Settings) -> float:
    """By class, then within the class as in the population."""
    rng = _stream(seed, "density")
    of_class, within = rng.random(), rng.standard_normal()
    if settings.density is None:
        place = bisect.bisect_right(list(itertools.accumulate(settings.mix[:-1])), of_class)
    else:
        place = BIRADS.index(settings.density)
    bounds = [math.log(bound) for bound in (_DENSITIES[0], *CUT_POINTS, _DENSITIES[1])]
    return _cut(_LOG_DENSITY, within, bounds[place], bounds[place + 1])


def _draw_thickness(seed: int, settings: Settings, density: float) -> tuple[float, dict[Projection, float]]:
    """How large a patient is, a standard normal number, and the thickness of each image; ``density`` is a score too."""
    rng = _stream(seed, "thickness")
    size = LINK * density + math.sqrt(1 - LINK**2) * rng.standard_normal()
    if settings.thickness is not None:
        mean = np.mean([normal.zscore(settings.thickness) for normal in _THICKNESS.values()])
        return float(mean), dict.fromkeys(PROJECTIONS, float(settings.thickness))
    of_view = {view: rng.standard_normal() for view in View}
    own = math.sqrt(1 - _THICKNESS_SHARED - _THICKNESS_OF_VIEW)
    thickness = {}
    for projection in PROJECTIONS:
        score = math.sqrt(_THICKNESS_SHARED) * size + math.sqrt(_THICKNESS_OF_VIEW) * of_view[projection.view]
        score += own * rng.standard_normal()
        thickness[projection] = _cut(_THICKNESS[projection.view], score, *_THICKNESS_RANGE)
    return size, thickness


def _draw_volume(seed: int, size: float) -> dict[Laterality, float]:
    rng = _stream(seed, "volume")
    score = _VOLUME_LINK * size + math.sqrt(1 - _VOLUME_LINK**2) * rng.standard_normal()
    mean = math.exp(_cut(_LOG_VOLUME, score, *map(math.log, _VOLUMES)))
    half = _LOG_RATIO_OF_VOLUMES * rng.standard_normal() / 2
    return {Laterality.R: mean * math.exp(half), Laterality.L: mean * math.exp(-half)}


def _draw_sides(seed: int, density: float, volume: dict[Laterality, float]) -> dict[Laterality, float]:
    """Volumetric density of each side, such that that of both together is the given one."""
    half = _LOG_RATIO_OF_DENSITIES * _stream(seed, "sides").standard_normal() / 2
    sides = {Laterality.R: math.exp(half), Laterality.L: math.exp(-half)}
    both = sum(sides[side] * volume[side] for side in sides) / sum(volume.values())
    return {side: density * sides[side] / both for side in sides}


def _draw_readers(seed: int, log_density: float) -> tuple[str, str]:
    rng = _stream(seed, "readers")
    looks = log_density + _READERS_SHARED * rng.standard_normal()
    first, second = (
        density_of(math.exp(looks + bias + _READER_OWN * rng.standard_normal())) for bias in _READER_BIASES
    )
    return first, second
