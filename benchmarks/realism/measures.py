"""What is measured of one image: grey values, spectrum, skin line, and features of texture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.feature import graycomatrix, graycoprops, local_binary_pattern
from skimage.util import view_as_windows

from realism.images import MUSCLE, Grey, Image, Listed, Mask, distance_inside, read

Values = npt.NDArray[np.float64]

ROI = 25.6
"""Side of the regions of which spectra are made, in mm."""

BAND = (0.15, 0.7)
"""Spatial frequencies of the power law, in cycles/mm: below, the window leaks; above, noise takes over.

Source: Burgess, "Mammographic structure: data preparation and spatial statistics analysis", Proc. SPIE 3661:642-653,
1999; Burgess, Jacobson and Judy, "Human observer detection experiments with mammograms and power-law noise", Med. Phys.
28:419-437, 2001, who found exponents of 1.5 to 3.5, 2.8 on average.
"""

FREQUENCIES = np.geomspace(0.06, 3.0, 33)
"""Edges of the rings over which spectra are averaged, in cycles/mm."""

LEVELS = {"contrast": np.linspace(-0.2, 0.7, 91), "shape": np.linspace(-1.5, 1.5, 76)}
"""Edges of the histograms: in parts of the way from air to fat, fat at 0; in ranges from the 10th to the 90th
percentile, the median at 0."""

DISTANCES = np.arange(-3.0, 20.01, 0.2)
"""Edges of the skin line's profile, in mm from where the grey first rises."""

SCALE, BLUR = 0.3, 0.25
"""Pixel pitch and standard deviation of the blur, in mm, at which texture is compared: coarser than every detector."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured of one image.

    Parameters
    ----------
    listed : Listed
    levels : dict of str to float
        Grey values of air, fat and subcutaneous fat as stored; percentiles of the interior as `LEVELS`' contrast.
    histograms : dict of str to ndarray
        Shares of the interior between `LEVELS`.
    spectrum : ndarray of float64
        Mean power over the regions, a ring of `FREQUENCIES` each, of the contrast; in mm².
    slopes : ndarray of float64, shape (regions,)
        The exponent of each region.
    slope : float
        The exponent of the mean.
    profile : ndarray of float64
        See `skin_profile`.
    texture : dict of str to float
        See `texture`.
    """

    listed: Listed
    levels: dict[str, float]
    histograms: dict[str, Values]
    spectrum: Values
    slope: float
    slopes: Values
    profile: Values
    texture: dict[str, float]


def measure(listed: Listed) -> Measured | None:
    """Read and measure an image; None where its breast is too small to hold a region of interest."""
    image = read(listed)
    fine, coarse = image.at(max(image.pitch, 0.1)), image.at(SCALE, BLUR)
    inside, within = fine.interior(), coarse.interior()
    if not inside.any():
        return None
    levels = grey_levels(coarse, within)
    step = levels["fat"] - levels["air"]
    spectra = region_spectra(fine.grey / np.float32(step), inside, fine.pitch)
    if not len(spectra):
        return None
    percents = (1, 5, 10, 25, 50, 75, 90, 95, 99)
    values = (coarse.grey[within] - levels["fat"]) / step
    for percent, value in zip(percents, np.percentile(values, percents), strict=True):
        levels[f"p{percent}"] = float(value)
    scaled = {"contrast": values, "shape": (values - levels["p50"]) / (levels["p90"] - levels["p10"])}
    return Measured(
        listed,
        levels,
        {name: np.histogram(scaled[name], edges)[0] / values.size for name, edges in LEVELS.items()},
        spectra.mean(axis=0),
        power_law(spectra.mean(axis=0)),
        np.array([power_law(one) for one in spectra]),
        skin_profile(fine, inside),
        texture(coarse, within),
    )


def grey_levels(image: Image, inside: Mask) -> dict[str, float]:
    """Air; fat, as the darkest 5 % of the interior are; and the 4 to 10 mm below the skin."""
    depth = image.depth()
    below = image.grey[(depth > 4) & (depth < 10) & ~image.muscle(MUSCLE)]
    return {
        "air": image.air,
        "fat": float(np.percentile(image.grey[inside], 5)),
        "subcutaneous": float(np.median(below)),
    }


def region_spectra(grey: Grey, inside: Mask, pitch: float) -> Values:
    """Power spectra of the regions wholly in the interior, overlapping by half, averaged over rings.

    Each region is freed from its mean and plane and windowed (Hann), the window's power divided out.

    Returns
    -------
    ndarray of float64, shape (regions, rings)
        In squared grey values times mm²; NaN where a ring holds no frequency.
    """
    side = round(ROI / pitch)
    step = side // 2
    whole = view_as_windows(inside, (side, side), step).all(axis=(2, 3)) if min(grey.shape) >= side else np.array(False)
    if not whole.any():
        return np.empty((0, len(FREQUENCIES) - 1))
    regions = view_as_windows(np.ascontiguousarray(grey), (side, side), step)[whole].astype(np.float64)
    rows, columns = np.meshgrid(*[np.linspace(-1, 1, side)] * 2, indexing="ij")
    plane = np.stack([np.ones(side * side), rows.ravel(), columns.ravel()])
    regions = regions.reshape(len(regions), -1)
    regions = regions - regions @ plane.T / (plane**2).sum(axis=1) @ plane
    window = np.outer(*[np.hanning(side + 1)[:-1]] * 2)
    power = np.abs(np.fft.rfft2(regions.reshape(-1, side, side) * window)) ** 2 * pitch**2 / (window**2).sum()
    radius = np.hypot(np.fft.fftfreq(side, pitch)[:, None], np.fft.rfftfreq(side, pitch)[None, :])
    ring = np.digitize(radius, FREQUENCIES) - 1
    rings = len(FREQUENCIES) - 1
    held = [ring == number for number in range(rings)]
    return np.stack([power[:, own].mean(axis=1) if own.any() else np.full(len(power), np.nan) for own in held], axis=1)


def ring_centres() -> Values:
    """The geometric middle of each ring, in cycles/mm."""
    return np.asarray(np.sqrt(FREQUENCIES[1:] * FREQUENCIES[:-1]))


def power_law(spectrum: Values) -> float:
    """The exponent β of P(f) ∝ 1/f^β, from a straight line through the logarithms in `BAND`."""
    centres = ring_centres()
    used = (centres >= BAND[0]) & (centres <= BAND[1]) & np.isfinite(spectrum) & (spectrum > 0)
    return float(-np.polyfit(np.log(centres[used]), np.log(spectrum[used]), 1)[0])


def skin_profile(image: Image, inside: Mask) -> Values:
    """Mean grey against the distance from the skin edge, from the air beside it (0) to the interior's median (1).

    The edge is where the grey first reaches a fifth of that way, near the breast's outline. Only the middle half of
    the breast's height is used, where there is neither axilla nor fold.
    """
    rows = np.flatnonzero(image.breast.any(axis=1))
    band = np.zeros_like(image.breast)
    band[slice(*np.quantile(rows, [0.25, 0.75]).astype(int))] = True
    beside, depth = distance_inside(~image.breast) * image.pitch, image.depth()
    air = float(np.median(image.grey[band & (beside > 3) & (beside < 6)]))
    relative = (image.grey - air) / (np.median(image.grey[inside]) - air)
    smooth = ndimage.gaussian_filter(relative, 0.1 / image.pitch)
    body = ndimage.binary_fill_holes((smooth > 0.2) & (beside < 4) | (depth > 12))
    distance = np.where(body, distance_inside(body) - 0.5, 0.5 - distance_inside(~body)) * image.pitch
    place = np.digitize(distance, DISTANCES) - 1
    used = band & (beside < 6) & (place >= 0) & (place < len(DISTANCES) - 1)
    counts = np.bincount(place[used], minlength=len(DISTANCES) - 1)
    sums = np.bincount(place[used], relative[used], minlength=len(DISTANCES) - 1)
    return np.asarray(sums / np.where(counts, counts, np.nan))


def texture(image: Image, inside: Mask) -> dict[str, float]:
    """Features of first order, co-occurrence, local patterns, wave lengths and spectrum, of the normalised interior.

    Grey values are shifted by the median and divided by the range from the 10th to the 90th percentile, so that
    neither a display's window nor its brightness tells the sets apart.
    """
    values = image.grey[inside]
    low, middle, high = np.percentile(values, [10, 50, 90])
    grey = (image.grey - middle) / (high - low)
    values = grey[inside]
    features = {f"p{percent}": float(np.percentile(values, percent)) for percent in (1, 5, 25, 75, 95, 99)}
    centred = values - values.mean()
    spread = float(values.std())
    features |= {
        "spread": spread,
        "skewness": float((centred**3).mean() / spread**3),
        "kurtosis": float((centred**4).mean() / spread**4),
    }
    return (
        features | _cooccurrence(grey, inside) | _patterns(grey, inside) | _scales(grey, inside) | _law(image, inside)
    )


def _cooccurrence(grey: Grey, inside: Mask) -> dict[str, float]:
    """Haralick's features of 24 levels; what is outside the interior has a level of its own, which is left out."""
    levels = 24
    quantised = np.where(inside, 1 + np.clip((grey + 1.5) / 3 * levels, 0, levels - 1).astype(np.uint8), 0)
    features = {}
    for distance in (1, 3, 9):
        angles = np.arange(4) * np.pi / 4
        matrix = graycomatrix(quantised.astype(np.uint8), [distance], angles, levels + 1, symmetric=True)
        matrix = matrix[1:, 1:].astype(np.float64)
        matrix /= np.maximum(matrix.sum(axis=(0, 1), keepdims=True), 1)
        for name in ("contrast", "homogeneity", "correlation", "energy"):
            features[f"{name} at {distance * SCALE:.1f} mm"] = float(graycoprops(matrix, name).mean())
    return features


def _patterns(grey: Grey, inside: Mask) -> dict[str, float]:
    """Shares of the rotation-invariant uniform local binary patterns; Ojala et al., IEEE TPAMI 24:971-987, 2002."""
    features = {}
    scaled = np.clip((grey + 3) / 6 * 255, 0, 255).astype(np.uint8)
    for radius in (1, 3):
        codes = local_binary_pattern(scaled, 8, radius, "uniform")[inside]
        shares = np.bincount(codes.astype(int), minlength=10) / codes.size
        features |= {f"pattern {code} at {radius * SCALE:.1f} mm": float(share) for code, share in enumerate(shares)}
    return features


def _scales(grey: Grey, inside: Mask) -> dict[str, float]:
    """Spread and kurtosis of what lies between two blurs an octave apart."""
    features = {}
    for width in (0.5, 1.0, 2.0, 4.0):
        fine, coarse = (ndimage.gaussian_filter(grey, factor * width / SCALE) for factor in (1, 2))
        values = (fine - coarse)[inside]
        features[f"spread at {width} mm"] = float(np.log(values.std()))
        features[f"kurtosis at {width} mm"] = float(np.log(((values - values.mean()) ** 4).mean() / values.var() ** 2))
        features[f"skewness at {width} mm"] = float(((values - values.mean()) ** 3).mean() / values.std() ** 3)
    return features


def _law(image: Image, inside: Mask) -> dict[str, float]:
    """The spectrum's exponent, and by how much it bends."""
    spectra = region_spectra(image.grey, inside, image.pitch)
    if not len(spectra):
        return {"exponent": np.nan, "bend": np.nan}
    centres = ring_centres()
    used = (centres >= BAND[0]) & (centres <= BAND[1])
    mean = np.log(spectra.mean(axis=0)[used])
    bend, slope, _ = np.polyfit(np.log(centres[used] / np.sqrt(BAND[0] * BAND[1])), mean, 2)
    return {"exponent": float(-slope), "bend": float(bend)}
