"""Fibroglandular tissue, fat lobules and Cooper's ligaments of a breast at rest, as fields on a coarse grid.

Tissue is drawn as level sets of smooth fields, so that its borders are as sharp as the rays that sample them, not as
the grid: what lies above a level of the first field is fibroglandular, what lies near the zero level of the second is a
wall between fat lobules. The parts of a field:

- an envelope: the glandular disc behind the subcutaneous and before the retromammary fat, narrowing to the nipple, and
  fuller in the upper outer quadrant;
- regions that are denser or fattier, tens of millimetres wide;
- a power law of the tissue's grain (Burgess et al., Med Phys 2001; 28:419: projections have β near 3);
- strands along the ducts, which run together at the nipple;
- fat lobules, the compartments between Cooper's ligaments (Bakic et al., Med Phys 2011; 38:3165).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from densight.phantom.compression import Rest

if TYPE_CHECKING:
    import torch

__all__ = ["Grain", "Tissue", "glandular_part", "grow"]

Array = npt.NDArray[np.float32]

WALL = 0.12
"""Walls between lobules are this thick to either side, in units of their field's spread."""

RAMP = 0.5
"""Above its level the glandular field is wholly fibroglandular after this much; in units of the field's spread."""

HAZE, HAZE_DEPTH = 0.08, 0.6
"""The fibroglandular part of tissue just below the level, and how far below it is a third of that."""


@dataclass(frozen=True)
class Grain:
    """How the tissue of a patient is made, whatever its amount.

    Parameters
    ----------
    subcutaneous, retromammary : float
        Depth of the fat before and behind the glandular disc at rest, in mm.
    outer, upper : float
        How much fuller the outer and the upper half are, -1 to 1.
    gather, regions, texture, strands, lobules : float
        Strength of the parts of the field.
    grain : float
        Length of the texture's largest waves in mm.
    slope : float
        Exponent of the texture's power spectrum in three dimensions.
    lobule : float
        Mean radius of fat lobules in mm.
    """

    subcutaneous: float
    retromammary: float
    outer: float
    upper: float
    gather: float
    regions: float
    texture: float
    strands: float
    lobules: float
    grain: float
    slope: float
    lobule: float


@dataclass(frozen=True, eq=False)
class Tissue:
    """Fields of the tissue on a grid of the breast at rest.

    Parameters
    ----------
    fields : ndarray of float32, shape (2, nx, ny, nz)
        The glandular field, and the field whose zero level are the walls between lobules.
    pitch : float
        Grid pitch in mm. Node (i, j, k) is at ``(i, j - (ny - 1)/2, k - (nz - 1)/2)`` times it: towards the nipple,
        lateral, superior.
    """

    fields: Array
    pitch: float

    def at(self, x: Array, y: Array, z: Array) -> Array:
        """Both fields at places of the breast at rest, in mm; trilinear between nodes.

        Returns
        -------
        ndarray of float32, shape (2, *shape of x)
        """
        ny, nz = self.fields.shape[2:]
        step = np.float32(1 / self.pitch)
        places = x * step, y * step + np.float32((ny - 1) / 2), z * step + np.float32((nz - 1) / 2)
        return _between_nodes(self._layers, self.fields.shape[1:], *places)

    @cached_property
    def _layers(self) -> torch.Tensor:
        return _layers(self.fields)


def _between_nodes(layers: torch.Tensor, shape: tuple[int, ...], i: Array, j: Array, k: Array) -> Array:
    """Values of fields in `_layers`, of ``shape`` (nx, ny, nz), at places counted in nodes; beyond it the border's."""
    import torch

    nx, ny, nz = shape
    i = np.clip(i, 0, nx - 1)
    layer = np.floor(i)
    # What PyTorch calls the first coordinate runs along the last axis, from -1 at the first node to 1 at the last.
    places = np.empty((*i.shape, 2), np.float32)
    np.multiply(k, np.float32(2 / (nz - 1)), out=places[..., 0])
    np.multiply(layer * np.float32(ny) + np.clip(j, 0, ny - 1), np.float32(2 / (nx * ny - 1)), out=places[..., 1])
    places -= 1
    found = torch.nn.functional.grid_sample(
        layers,
        torch.from_numpy(places).reshape(1, 1, -1, 2),
        mode="bilinear",
        padding_mode="border",
        align_corners=True,
    )
    below, above = found.numpy().reshape(2, -1, *i.shape)
    above -= below
    above *= i - layer
    return np.asarray(below + above)


def _layers(fields: Array) -> torch.Tensor:
    """Fields (channels, nx, ny, nz) as one image: layers stacked downwards, with each the layer that follows it.

    Between nodes of two layers PyTorch interpolates several times faster than between nodes of three dimensions.
    """
    import torch

    following = np.concatenate([fields[:, 1:], fields[:, -1:]], 1)
    channels, nx, ny, nz = fields.shape
    pairs = np.stack([fields, following]).reshape(2 * channels, nx * ny, nz)
    return torch.from_numpy(pairs)[None].contiguous(memory_format=torch.channels_last)


def glandular_part(fields: Array, level: float, walls: float, after: Array | None = None) -> Array:
    """How much of the tissue is fibroglandular where the fields have these values.

    Between two places, the mean along the straight line between them: for walls, far thinner than the places are apart,
    exactly that of a field that changes linearly, so that none is missed or counted twice.

    Parameters
    ----------
    fields, after : ndarray of float32, shape (2, ...)
        `Tissue.at` one end of each line and at the other. At one place only, without ``after``.
    level : float
        Where fibroglandular tissue begins in the glandular field.
    walls : float
        The part of a wall between lobules that is fibrous.

    Returns
    -------
    ndarray of float32
        From 0 to 1.

    Examples
    --------
    A wall crossed from side to side, and fat on both sides of it:

    >>> fields = np.array([[[0.0]], [[-0.5]]], np.float32)
    >>> round(glandular_part(fields, 9.0, 1.0, np.array([[[0.0]], [[0.5]]], np.float32)).item(), 6)
    0.12
    """
    solid, thin = _solid(fields[0], level), _thin(fields[1])
    if after is not None:
        solid = np.float32(0.5) * (solid + _solid(after[0], level))
        step = after[1] - fields[1]
        steep = np.abs(step) > 1e-3
        crossing = (_thin_integral(after[1]) - _thin_integral(fields[1])) / np.where(steep, step, 1)
        thin = np.where(steep, crossing, thin).astype(np.float32)
    thin *= np.float32(walls)
    return solid + thin * (1 - solid)


def _solid(field: Array, level: float) -> Array:
    """From `HAZE` at the level to 1 at `RAMP` above it; below it a haze that thins out."""
    above = field - np.float32(level)
    haze = np.float32(HAZE) * np.exp(np.minimum(above, 0) * np.float32(1 / HAZE_DEPTH))
    return np.asarray(haze + np.float32(1 - HAZE) * np.clip(above * np.float32(1 / RAMP), 0, 1), np.float32)


def _thin(field: Array) -> Array:
    """1 on the wall, falling to 0 at `WALL`."""
    return np.maximum(1 - np.abs(field) * np.float32(1 / WALL), 0)


def _thin_integral(field: Array) -> Array:
    within = np.clip(field, -WALL, WALL)
    return within - within * np.abs(within) * np.float32(0.5 / WALL)


def _axes(shape: tuple[int, ...], pitch: float) -> tuple[Array, Array, Array]:
    nx, ny, nz = shape
    x = np.arange(nx, dtype=np.float32) * np.float32(pitch)
    y = (np.arange(ny, dtype=np.float32) - (ny - 1) / 2) * np.float32(pitch)
    z = (np.arange(nz, dtype=np.float32) - (nz - 1) / 2) * np.float32(pitch)
    return x[:, None, None], y[None, :, None], z[None, None, :]


def grow(rest: Rest, grain: Grain, shared: np.random.Generator, own: np.random.Generator, pitch: float) -> Tissue:
    """Grow the tissue of a breast.

    Parameters
    ----------
    rest : Rest
    grain : Grain
    shared : numpy.random.Generator
        What both breasts of a patient have in common: begin it anew for each.
    own : numpy.random.Generator
        What this breast has for itself.
    pitch : float
        Grid pitch in mm.
    """
    shape = (int(rest.a / pitch) + 2, 2 * int(rest.b / pitch) + 3, 2 * int(rest.b / pitch) + 3)
    x, y, z = _axes(shape, pitch)
    radius = np.sqrt((x / rest.a) ** 2 + (y**2 + z**2) / rest.b**2)
    field = _envelope(rest, grain, x, y, z, radius)
    field += grain.regions * _regions(shape, shared, own)
    field += grain.texture * _power_law(shape, pitch, grain.grain, grain.slope, own)
    field += grain.strands * _strands(rest, x, y, z, own, 1.0)
    field -= grain.lobules * _lobules(shape, pitch, grain.lobule, own)
    walls = 0.7 * _strands(rest, x, y, z, own, 1.1) + 0.7 * _power_law(shape, pitch, 2.5 * grain.lobule, 7.0, own)
    return Tissue(np.stack([field, walls]), pitch)


def _envelope(rest: Rest, grain: Grain, x: Array, y: Array, z: Array, radius: Array) -> Array:
    """Of order one inside the glandular disc, falling steeply outside."""
    depth = (1 - radius) * min(rest.a, rest.b)
    # Ducts reach the nipple through the subcutaneous fat.
    off_axis = np.sqrt(y**2 + z**2)
    cover = grain.subcutaneous * (1 - 0.85 * np.exp(-((off_axis / (0.22 * rest.b)) ** 2)))
    before, behind = (depth - cover) / 8, (x - grain.retromammary) / 8
    inside = -np.logaddexp(-before, -behind)
    fuller = (grain.outer * y + grain.upper * z) / rest.b
    gathered = np.float32(grain.gather) * np.tanh(np.maximum(inside, 0) / 2)
    return np.asarray(np.minimum(inside, 0.8) + gathered + fuller, np.float32)


def _regions(shape: tuple[int, ...], shared: np.random.Generator, own: np.random.Generator) -> Array:
    """Unit-variance noise with waves of a fifth of the breast and more, alike in both breasts."""
    import torch

    coarse = (20, 36, 36)
    alike = ndimage.gaussian_filter(shared.standard_normal(coarse, dtype=np.float32), 2.6, mode="reflect")
    unlike = ndimage.gaussian_filter(own.standard_normal(coarse, dtype=np.float32), 2.6, mode="reflect")
    mixed = 0.85 * alike + 0.53 * unlike
    mixed = (mixed - mixed.mean()) / mixed.std()
    whole = torch.from_numpy(np.asarray(mixed, np.float32))[None, None]
    return torch.nn.functional.interpolate(whole, shape, mode="trilinear")[0, 0].numpy()


def _power_law(shape: tuple[int, ...], pitch: float, longest: float, slope: float, own: np.random.Generator) -> Array:
    """Unit-variance noise whose power falls as ``f^-slope`` for waves shorter than ``longest``; flat for longer."""
    padded = tuple(fft.next_fast_len(n, real=True) for n in shape)
    spectrum = fft.rfftn(own.standard_normal(padded, dtype=np.float32))
    squares = [np.square(fft.fftfreq(n, pitch)).astype(np.float32) for n in padded[:2]]
    last = np.square(fft.rfftfreq(padded[2], pitch)).astype(np.float32)
    power = squares[0][:, None, None] + squares[1][None, :, None] + last
    spectrum *= (power + np.float32(1 / longest**2)) ** np.float32(-slope / 4)
    noise = fft.irfftn(spectrum, padded)[: shape[0], : shape[1], : shape[2]]
    return np.asarray(noise / noise.std(), np.float32)


def _strands(rest: Rest, x: Array, y: Array, z: Array, own: np.random.Generator, fineness: float) -> Array:
    """Noise drawn out along the lines that run together behind the nipple, unit variance."""
    tip = 1.15 * rest.a
    back = tip - x
    far = np.sqrt(back**2 + y**2 + z**2)
    cube = (round(14 * fineness), round(44 * fineness), round(44 * fineness))
    noise = own.standard_normal(cube, dtype=np.float32)
    noise = ndimage.gaussian_filter(noise, (0.8, 0.7, 0.7), mode="wrap")
    places = np.broadcast_arrays(
        far * np.float32((cube[0] - 1) / (1.6 * tip)),
        (np.arctan2(y, back) * np.float32(1 / np.pi) + np.float32(0.5)) * np.float32(cube[1] - 1),
        (np.arctan2(z, back) * np.float32(1 / np.pi) + np.float32(0.5)) * np.float32(cube[2] - 1),
    )
    drawn = _between_nodes(_layers(noise[None]), cube, *places)[0]
    return np.asarray(drawn / drawn.std(), np.float32)


def _lobules(shape: tuple[int, ...], pitch: float, mean: float, own: np.random.Generator) -> Array:
    """Balloons of fat of various sizes, jammed together: 1 in the middle of one, 0 at its border and beyond."""
    size = np.array(shape) * pitch
    number = int(np.prod(size) / (4.2 * mean**3))
    radii = (mean * own.lognormal(0, 0.35, number)).clip(0.4 * mean, 2.2 * mean) / pitch
    centres = own.random((number, 3)) * shape
    starts = np.maximum(np.ceil(centres - radii[:, None]).astype(int), 0).tolist()
    stops = np.minimum((centres + radii[:, None]).astype(int) + 1, shape).tolist()
    x, y, z = (np.square((np.arange(n) - centres[:, [axis]]) / radii[:, None]) for axis, n in enumerate(shape))
    lobes = np.zeros(shape, np.float32)
    for one, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        i, j, k = map(slice, start, stop)
        part = lobes[i, j, k]
        np.maximum(part, 1 - (x[one, i, None, None] + y[one, j, None] + z[one, k]), out=part, casting="same_kind")
    return lobes
