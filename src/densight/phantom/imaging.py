"""Phantom exams: a synthetic patient is imaged, and imaged again with some of her tissue changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from densight.intake.mammogram import Mammogram
from densight.phantom.acquisition import FULL_SCALE, Raw, acquire
from densight.phantom.body import Breast, make_breast
from densight.phantom.camera import Camera
from densight.phantom.display import BRIGHTEST, render
from densight.phantom.film import film
from densight.phantom.markers import burn_in
from densight.phantom.patient import SyntheticPatient, density_of, draw_patient
from densight.phantom.projection import Projected, project
from densight.phantom.regions import Change, Rays, Region
from densight.phantom.settings import SCREENING_MIX, Settings
from densight.phantom.truth import DENSE, ExamTruth, ImageTruth, PhantomExam
from densight.phantom.units import UNITS, choose_exposure
from densight.vocabulary import PROJECTIONS, DensightError, Laterality, Projection

__all__ = ["exam", "image_without_gland", "intervene"]

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Mask = npt.NDArray[np.bool_]

TISSUE_PITCH = 1.25
"""Grid pitch of the tissue at rest in mm."""


def exam(
    seed: int,
    *,
    density: str | None = None,
    mix: Sequence[float] = SCREENING_MIX,
    thickness: float | None = None,
    vendor: str | None = None,
    style: str = "display",
    photometric: str = "MONOCHROME2",
    mirrored: bool = False,
    shape: tuple[int, int] = (1024, 832),
) -> PhantomExam:
    """Make the four mammograms of a synthetic patient, with the truth about each.

    Parameters
    ----------
    seed : int
        Decides everything that is not asked for: the same seed makes the same exam, bit by bit.
    density, mix, thickness, vendor, style, photometric, mirrored, shape
        As in `densight.phantom.settings.Settings`.

    Returns
    -------
    PhantomExam
        Four mammograms, and ``.truth``.

    Raises
    ------
    DensightError
        If something impossible is asked for.

    Examples
    --------
    >>> made = exam(1, shape=(128, 104))
    >>> [mammogram.projection.value for mammogram in made], made.truth.density == made.density
    (['CC_R', 'CC_L', 'MLO_R', 'MLO_L'], True)
    """
    settings = Settings(tuple(mix), density, thickness, vendor, style, photometric, mirrored, shape)
    patient = draw_patient(seed, settings)
    breasts = {laterality: make_breast(patient, laterality, TISSUE_PITCH) for laterality in Laterality}
    taken = {p: _take(breasts[p.laterality], p, settings) for p in PROJECTIONS}
    truth = _exam_truth(patient, {p: one.truth for p, one in taken.items()}, dict(patient.volumetric_density))
    name = f"phantom-{seed}"
    spacing = (settings.pitch, settings.pitch)
    mammograms = tuple(
        Mammogram(one.pixels, p, patient_id=name, exam_id=name, density=truth.density, spacing=spacing)
        for p, one in taken.items()
    )
    return PhantomExam(mammograms, name, name, truth.density, truth=truth, patient=patient, settings=settings)


def intervene(exam: PhantomExam, region: Region, to: str) -> PhantomExam:
    """Image a patient again with the tissue of a region changed and all else, noise included, as it was.

    What scatter, the detector's blur and the display's filters would carry beyond the rays through the region is left
    out: a pixel whose ray misses the region keeps its value.

    Parameters
    ----------
    exam : PhantomExam
    region : Ball or Rays
        What is changed.
    to : {"fat", "fibroglandular"}
        What it is changed to. Skin, muscle, vessels and calcium stay.

    Returns
    -------
    PhantomExam
        Its truth is that of the changed patient; ``.truth.images["CC_R"].touched`` tells which pixels' rays pass the
        region.

    Raises
    ------
    DensightError
        If tissue cannot be changed to that, the region is of pixels of another shape, or the exam has been changed
        already.

    Examples
    --------
    >>> from densight.phantom.regions import Ball
    >>> made = exam(1, density="D", shape=(128, 104))
    >>> changed = intervene(made, Ball("R", (30, 0, 0), 15), to="fat")
    >>> changed.truth.volumetric_density < made.truth.volumetric_density
    True
    """
    if any(image.touched is not None for image in exam.truth.images.values()):
        raise DensightError(
            "the tissue of this exam has been changed already",
            remedy="change the exam as it was made; the mask of `Rays` may hold several regions",
        )
    if isinstance(region, Rays):
        if region.mask.shape != exam.settings.shape:
            raise DensightError(
                f"the mask is of {region.mask.shape} pixels, the image of {exam.settings.shape}",
                remedy="give a mask in the image's own pixels",
            )
        # Mirrored twice is upright.
        region = replace(region, mask=_as_shown(region.mask, region.projection, exam.settings))
    change = Change(region, to)
    breast = make_breast(exam.patient, region.laterality, TISSUE_PITCH)
    mammograms, images = [], dict(exam.truth.images)
    for mammogram in exam:
        projection = mammogram.projection
        assert projection is not None
        if projection.laterality == breast.laterality:
            taken = _take(breast, projection, exam.settings, change)
            images[projection] = taken.truth
            mammogram = replace(mammogram, pixels=taken.pixels)
        mammograms.append(mammogram)
    densities = dict(exam.truth.breast_volumetric_density)
    densities[breast.laterality] = _volumetric_density(breast, change, exam.settings)
    truth = _exam_truth(exam.patient, images, densities)
    return replace(exam, mammograms=tuple(mammograms), truth=truth, density=truth.density)


def image_without_gland(seed: int, settings: Settings, projection: Projection) -> tuple[Mask, Pixels, Pixels]:
    """One image of an exam, and the same with fat in place of all glandular tissue that its rays pass.

    As `exam` and `intervene` give them, without the other three images.

    Parameters
    ----------
    seed : int
    settings : Settings
    projection : Projection

    Returns
    -------
    breast : ndarray of bool, shape (rows, columns)
    image, without_gland : ndarray of uint8 or uint16, shape (rows, columns)

    Examples
    --------
    >>> breast, image, fatty = image_without_gland(1, Settings(shape=(128, 104)), Projection.CC_R)
    >>> bool((fatty[breast] < image[breast]).any()), bool((fatty == image)[~breast].all())
    (True, True)
    """
    breast = make_breast(draw_patient(seed, settings), projection.laterality, TISSUE_PITCH)
    everywhere = Rays(projection, np.ones(settings.shape, bool))
    taken = _take(breast, projection, settings, Change(everywhere, "fat"))
    return taken.truth.breast, taken.unchanged, taken.pixels


@dataclass(frozen=True, eq=False)
class _Taken:
    """One image, what is true of it, and the same without the change, in the orientation in which it is shown."""

    pixels: Pixels
    unchanged: Pixels
    truth: ImageTruth


def _take(breast: Breast, projection: Projection, settings: Settings, change: Change | None = None) -> _Taken:
    camera = _camera(breast, projection, settings)
    projected = project(camera)
    raw = _acquire(breast, projected)
    inside = projected.paths.inside
    pixels = unchanged = _picture(breast.patient, settings, raw, raw, inside)
    if change is not None:
        changed = project(camera, change)
        shown = _picture(breast.patient, settings, _acquire(breast, changed), raw, inside)
        pixels = np.where(_as_shown(changed.touched, projection, settings), shown, pixels)
        projected = changed
    return _Taken(pixels, unchanged, _image_truth(projected, settings, touched=change is not None))


def _camera(breast: Breast, projection: Projection, settings: Settings) -> Camera:
    return Camera(breast, projection, settings.shape, settings.pitch, UNITS[breast.patient.vendor].focus)


def _acquire(breast: Breast, projected: Projected) -> Raw:
    paths = projected.paths
    exposure = choose_exposure(UNITS[breast.patient.vendor], paths.thickness)
    return acquire(paths, exposure, breast.patient.rng("noise", paths.projection))


def _picture(patient: SyntheticPatient, settings: Settings, raw: Raw, like: Raw, inside: Mask) -> Pixels:
    """What is shown of a raw image, with what the display measures measured on another; ``inside`` is the breast."""
    projection = raw.projection
    rng = patient.rng("picture", projection)
    pixels: Pixels
    if settings.style == "raw":
        pixels, most = raw.pixels, FULL_SCALE
    elif settings.style == "film":
        pixels, most = film(raw, rng), 255
    else:
        pixels, most = render(raw, like), BRIGHTEST
    pixels = _as_shown(pixels, projection, settings)
    if settings.style != "raw":
        pixels = burn_in(pixels, _as_shown(inside, projection, settings), projection, rng, most)
    if settings.photometric == "MONOCHROME1":
        pixels = np.subtract(most, pixels, dtype=pixels.dtype)
    return pixels


def _as_shown(image: Any, projection: Projection, settings: Settings) -> Any:
    """Mirrored where the chest wall is at the right: in the viewing convention that of a right breast."""
    at_right = (projection.laterality == Laterality.R) != settings.mirrored
    return np.ascontiguousarray(image[:, ::-1]) if at_right else image


def _image_truth(projected: Projected, settings: Settings, *, touched: bool) -> ImageTruth:
    paths, projection = projected.paths, projected.paths.projection
    glandular = paths.lengths["glandular"]
    breast = paths.inside
    tissue = glandular + paths.lengths["adipose"]
    dense = (glandular >= DENSE * tissue) & (glandular > 0) & ~projected.pectoral
    area = int(np.count_nonzero(breast & ~projected.pectoral))

    def shown(mask: Mask) -> Mask:
        return np.asarray(_as_shown(mask, projection, settings))

    return ImageTruth(
        breast=shown(breast),
        pectoral=shown(projected.pectoral),
        skin=shown(breast & (tissue + paths.lengths["muscle"] <= 0)),
        nipple=shown(paths.nipple),
        dense=shown(dense),
        glandular=_as_shown(glandular, projection, settings),
        percent_density=100 * int(np.count_nonzero(dense)) / area,
        thickness=paths.thickness,
        touched=shown(projected.touched) if touched else None,
    )


def _exam_truth(
    patient: SyntheticPatient, images: dict[Projection, ImageTruth], densities: dict[Laterality, float]
) -> ExamTruth:
    glandular = sum(density * patient.volume[side] for side, density in densities.items())
    whole = glandular / sum(patient.volume.values())
    return ExamTruth(
        images=images,
        volumetric_density=whole,
        breast_volumetric_density=densities,
        percent_density=float(np.mean([image.percent_density for image in images.values()])),
        density=density_of(whole),
        readers=patient.readers,
    )


def _volumetric_density(breast: Breast, change: Change, settings: Settings) -> float:
    """Of a breast with changed tissue, in per cent."""
    region = change.region
    projection = region.projection if isinstance(region, Rays) else Projection.of("CC", breast.laterality)
    camera = _camera(breast, projection, settings)
    return 100 * float(breast.glandular_at_places(lambda *place: change.holds(camera, *place), change.to).mean())
