"""One breast: how it is built at rest, and the shape that it takes in each view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.stats import qmc

from densight.phantom.compression import ROW, Rest
from densight.phantom.outline import Pose, pose_breast
from densight.phantom.patient import SyntheticPatient
from densight.phantom.structures import Structures, draw_structures
from densight.phantom.tissue import Grain, Tissue, glandular_part, grow
from densight.vocabulary import Laterality, Projection, View

__all__ = ["STEPS", "Breast", "make_breast"]

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

STEPS = 40
"""Parts of a ray through the tissue between which fields are taken to change linearly."""

POINTS = 150_000
"""Places at which the tissue is looked up to find a breast's density."""


@dataclass(frozen=True, eq=False)
class Breast:
    """One breast of a patient, of which everything is known.

    Right and left are built alike, with ``y`` lateral; only a picture's orientation tells them apart.

    Parameters
    ----------
    laterality : Laterality
    rest : Rest
        Its shape at rest.
    tissue : Tissue
        Its tissue at rest.
    level, walls : float
        Where fibroglandular tissue begins in the glandular field, and how much of a wall between lobules is fibrous.
    smoothing : float
        By how much `STEPS` make walls seem thicker: a field that is linear between its samples stays nearer to zero.
    poses : dict of View to Pose
        Its shape in each view.
    structures : Structures
        What it has beside tissue.
    patient : SyntheticPatient
        Whose it is.
    """

    laterality: Laterality
    rest: Rest
    tissue: Tissue
    level: float
    walls: float
    smoothing: float
    poses: dict[View, Pose]
    structures: Structures
    patient: SyntheticPatient

    def glandular_part(self, fields: Array, after: Array | None = None) -> Array:
        """As `densight.phantom.tissue.glandular_part`, of this breast; ``after`` is a step further along a ray."""
        walls = self.walls if after is None else self.walls / self.smoothing
        return glandular_part(fields, self.level, walls, after)

    def glandular_at_places(self, held: Callable[[Array, Array, Array], Mask], to: str) -> Array:
        """The glandular part at places spread evenly over the breast, with the tissue that is held changed."""
        places = _places(self.rest)
        part = self.glandular_part(self.tissue.at(*places))
        return np.where(held(*places), np.float32(to == "fibroglandular"), part)


def make_breast(patient: SyntheticPatient, laterality: Laterality, pitch: float) -> Breast:
    """Build a breast of a patient: her own numbers where they are given, the rest drawn from her streams.

    Parameters
    ----------
    patient : SyntheticPatient
    laterality : Laterality
    pitch : float
        Grid pitch of the tissue in mm.
    """
    shared, own = patient.rng("breast"), patient.rng("breast", laterality)
    volume = patient.volume[laterality] * 1000
    slender = float(np.clip(shared.normal(1.0, 0.1) * own.normal(1.0, 0.03), 0.75, 1.3))
    b = float(np.cbrt(1.5 * volume / np.pi / slender))
    rest = Rest(slender * b, b)
    grain = _draw_grain(rest, shared, own)
    tissue = grow(rest, grain, patient.rng("tissue"), patient.rng("tissue", laterality), pitch)
    x, y, z = _places(rest)
    fields = tissue.at(x, y, z)
    # As much of them in a fatty breast as in a dense one, so that they show nothing of the class.
    fibrous = min(float(shared.uniform(0.3, 0.8)), 0.5 * patient.volumetric_density[laterality]) / 100
    solid_walls = glandular_part(fields, np.inf, 1.0).mean()
    walls = fibrous / float(solid_walls)
    target = patient.volumetric_density[laterality] / 100

    def excess(level: float) -> float:
        return float(glandular_part(fields, level, walls).mean()) - target

    further = tissue.at(x, y, z + 2 / STEPS * rest.half_height(x, y))
    smoothing = float(glandular_part(fields, np.inf, 1.0, further).mean() / solid_walls)
    level = float(brentq(excess, float(fields[0].min()) - 2, float(fields[0].max()) + 1, xtol=1e-5))
    poses = {}
    for view in View:
        projection = Projection.of(view, laterality)
        own_pose = patient.rng("pose", projection)
        poses[view] = pose_breast(patient.thickness[projection], rest, view, patient.rng("pose"), own_pose)
    structures = draw_structures(rest, patient.rng("structures"), patient.rng("structures", laterality))
    return Breast(laterality, rest, tissue, level, walls, smoothing, poses, structures, patient)


def _places(rest: Rest) -> tuple[Array, Array, Array]:
    """Places spread evenly over the breast at rest, in mm, in rows as `compression.sample` takes them."""
    even = _even_points()
    x, y, z = even[:, 0] * rest.a, (2 * even[:, 1] - 1) * rest.b, (2 * even[:, 2] - 1) * rest.b
    inside = np.flatnonzero((x / rest.a) ** 2 + (y**2 + z**2) / rest.b**2 < 1)
    rows = inside[: inside.size // ROW * ROW].reshape(-1, ROW)
    return x[rows], y[rows], z[rows]


@cache
def _even_points() -> Array:
    """Points spread evenly over the unit cube."""
    return np.asarray(qmc.Halton(3, scramble=False).random(2 * POINTS + 1)[1:], np.float32)


def _draw_grain(rest: Rest, shared: np.random.Generator, own: np.random.Generator) -> Grain:
    """How the tissue is made: independent of its amount, alike in both breasts."""

    def draw(low: float, high: float, unlike: float = 0.12) -> float:
        value = shared.uniform(low, high) + unlike * (high - low) * own.standard_normal()
        return float(np.clip(value, low, high))

    return Grain(
        subcutaneous=draw(0.08, 0.2) * rest.b,
        retromammary=draw(-0.02, 0.14) * rest.a,
        outer=draw(-0.1, 0.9),
        upper=draw(-0.2, 0.6),
        gather=draw(0.1, 1.3),
        regions=draw(0.3, 0.9),
        texture=draw(0.35, 0.9),
        strands=draw(0.15, 0.7),
        lobules=draw(0.3, 1.4),
        grain=draw(8.0, 22.0),
        slope=draw(2.8, 3.8),
        lobule=draw(4.0, 8.0),
    )
