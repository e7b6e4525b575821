"""From mammograms to probabilities: the image, the breast, the exam."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from densight.anatomy.reading import Anatomy, read
from densight.assessment.fusion import predicted_class, set_labels
from densight.assessment.models import Models
from densight.assessment.percent_density import PercentDensity, fuse_percent_density
from densight.assessment.refusal import Refusal, check_anatomy, check_features
from densight.assessment.scaling import Scaling
from densight.intake.mammogram import Mammogram
from densight.network.bundle import Bundle
from densight.preparation.prepare import Prepared, prepare
from densight.vocabulary import PROJECTIONS, ByProjection, DensightError, Laterality, Projection

if TYPE_CHECKING:
    from torch import Tensor

    from densight.network.engine import Engine

__all__ = [
    "Assessment",
    "BreastAssessment",
    "ImageAssessment",
    "ImageResult",
    "PreparedImage",
    "assess_exam",
    "assess_image",
    "fuse_images",
    "prepare_image",
    "run_network",
]

Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Assessed:
    """Probabilities of the classes and what follows from them."""

    classes: tuple[str, ...]
    probabilities: Probabilities

    @property
    def density(self) -> str:
        """The class of the greatest probability; the less dense of two that are equal."""
        return predicted_class(self.probabilities[None], self.classes)[0]


def _summary(assessed: _Assessed, percent_density: float | None) -> str:
    """The class, its probability and the percent density, for a short ``repr``."""
    percent = "" if percent_density is None else f", percent density {percent_density:.0f} %"
    return f"{assessed.density} (probability {assessed.probabilities.max():.2f}){percent}"


@dataclass(frozen=True, eq=False, repr=False)
class ImageAssessment(_Assessed):
    """The assessment of one mammogram.

    Parameters
    ----------
    classes : tuple of str
        The labels, from the least to the most dense.
    probabilities : ndarray of float32, shape (k,)
    projection : Projection
    preparation : tuple of str
        What reading and preparation did and assumed, in words.
    model : str
        The bundle's name and the first digits of its weights' checksum.
    percent_density : float or None
        Dense area as per cent of the breast's, 0 to 100; None where the anatomy cannot be trusted.
    warnings : tuple of str
        What is wrong or worth saying of the anatomy that was read.
    """

    projection: Projection
    preparation: tuple[str, ...]
    model: str
    percent_density: float | None
    warnings: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<ImageAssessment {self.projection}: {_summary(self, self.percent_density)}>"


@dataclass(frozen=True, eq=False, repr=False)
class BreastAssessment(_Assessed):
    """The assessment of a breast: the mean of its CC and MLO, or the one there is, unless a calibration changes it.

    Parameters
    ----------
    classes : tuple of str
    probabilities : ndarray of float32, shape (k,)
    missing : tuple of Projection
        What was not there.
    percent : PercentDensity
        Its percent density, of how many images, and why others have none.
    """

    missing: tuple[Projection, ...]
    percent: PercentDensity

    @property
    def percent_density(self) -> float | None:
        """The mean over the projections that have one; None where none has."""
        return self.percent.value

    def __repr__(self) -> str:
        return f"<BreastAssessment {_summary(self, self.percent_density)}>"


@dataclass(frozen=True, eq=False, repr=False)
class Assessment(_Assessed):
    """The assessment of an exam: the mean over the projections there are, unless a calibration changes it.

    Parameters
    ----------
    classes : tuple of str
        The labels, from the least to the most dense.
    probabilities : ndarray of float32, shape (k,)
    images : mapping of Projection to ImageAssessment
        Its keys are strings too: ``images["MLO_R"]`` or ``images["R-MLO"]``.
    breasts : mapping of Laterality to BreastAssessment
        ``breasts["R"]``, ``breasts["L"]``, those there are.
    missing : tuple of Projection
        The projections that were not there.
    percent : PercentDensity
        Its percent density, of how many images, and why others have none.
    set : tuple of str or None
        Neighbouring classes that hold the true one as often as the model's calibration promises; None without one.
    refused : mapping of Projection to str
        Why the model did not judge a projection that was there; it takes no part in the rest.
    """

    images: Mapping[Projection, ImageAssessment]
    breasts: Mapping[Laterality, BreastAssessment]
    missing: tuple[Projection, ...]
    percent: PercentDensity
    set: tuple[str, ...] | None = None
    refused: Mapping[Projection, str] = field(default_factory=dict)

    @property
    def percent_density(self) -> float | None:
        """The mean over the projections that have one; None where none has."""
        return self.percent.value

    def __repr__(self) -> str:
        return f"<Assessment {_summary(self, self.percent_density)}, {', '.join(self.images)}>"


@dataclass(frozen=True, eq=False)
class PreparedImage:
    """One mammogram before the network.

    Parameters
    ----------
    mammogram : Mammogram
    prepared : Prepared
    anatomy : Anatomy
    """

    mammogram: Mammogram
    prepared: Prepared
    anatomy: Anatomy


@dataclass(frozen=True, eq=False)
class ImageResult:
    """One mammogram after the network: its input, its last feature map and its output.

    Parameters
    ----------
    mammogram : Mammogram
    prepared : Prepared
    features : Tensor, shape (1, channels, rows, columns)
        What ``forward_features`` gave; explanations are made of it without another pass.
    bundle : Bundle
    assessment : ImageAssessment
    anatomy : Anatomy
    """

    mammogram: Mammogram
    prepared: Prepared
    features: Tensor
    bundle: Bundle
    assessment: ImageAssessment
    anatomy: Anatomy


def prepare_image(bundle: Bundle, mammogram: Mammogram) -> PreparedImage:
    """Read the anatomy of a mammogram and prepare it for a bundle's network.

    Raises
    ------
    DensightError
        As `prepare`; and a `Refusal` if the bundle has a scope and the anatomy is at fault.
    """
    anatomy = read(mammogram)
    check_anatomy(bundle, mammogram, anatomy)
    return PreparedImage(mammogram, prepare(mammogram, bundle.facts.preparation, anatomy), anatomy)


def run_network(
    bundle: Bundle, seen: PreparedImage, *, scaling: Scaling | None = None, engine: Engine | None = None
) -> ImageResult:
    """Run the network over one mammogram of known projection.

    Each image is a batch of its own, so that its result does not depend on its neighbours.

    Parameters
    ----------
    bundle : Bundle
        One that has learnt the mammogram's projection; see `Models.of`.
    seen : PreparedImage
        What `prepare_image` made of it.
    scaling : Scaling, optional
        Of the network's probabilities; see `Models.calibration_of`.
    engine : Engine, optional
        What computes the feature map, if it is not the bundle's network as it is; see `Models.engines`.

    Raises
    ------
    DensightError
        If the network's answer is not a number; and a `Refusal` if the bundle has a scope and the image is beyond it.
    """
    import torch

    mammogram, prepared, anatomy = seen.mammogram, seen.prepared, seen.anatomy
    assert mammogram.projection is not None
    network = bundle.network
    device = network.classifier.weight.device
    with torch.inference_mode():
        x = torch.from_numpy(prepared.tensor)[None].to(device, memory_format=torch.channels_last)
        features = engine.features(x) if engine else network.forward_features(x)
        probabilities = network.forward_head(features).float().softmax(dim=1)[0].cpu().numpy()
    if not np.isfinite(probabilities).all():
        raise DensightError("the network's answer is not a number", mammogram.path, "check the model's weights")
    check_features(bundle, mammogram, features)
    if scaling is not None:
        probabilities = scaling.apply(probabilities[None])[0].astype(np.float32)
    assessment = ImageAssessment(
        bundle.facts.classes,
        probabilities,
        mammogram.projection,
        prepared.done,
        bundle.label,
        anatomy.percent_density,
        (*anatomy.verdict.faults, *anatomy.verdict.notes),
    )
    return ImageResult(mammogram, prepared, features, bundle, assessment, anatomy)


def assess_exam(models: Models, mammograms: Sequence[Mammogram]) -> tuple[Assessment, list[ImageResult]]:
    """Assess the mammograms of one exam, each of a different projection.

    Returns
    -------
    assessment : Assessment
    examined : list of ImageResult
        One a mammogram, in the order given.

    Raises
    ------
    DensightError
        If a projection is unknown or no model has learnt it, an image cannot be prepared, or all are refused.
    """
    examined, refused = [], {}
    for one in mammograms:
        try:
            seen = prepare_image(models.of(one.projection, one.path), one)
            examined.append(assess_image(models, seen))
        except Refusal as refusal:
            assert one.projection is not None
            refused[one.projection] = refusal.fault
            if len(refused) == len(mammograms):
                raise
    return fuse_images(models, [one.assessment for one in examined], refused), examined


def fuse_images(
    models: Models, assessed: Sequence[ImageAssessment], refused: Mapping[Projection, str] | None = None
) -> Assessment:
    """What the images of an exam say together.

    Parameters
    ----------
    models : Models
    assessed : sequence of ImageAssessment
        At least one, of different projections.
    refused : mapping of Projection to str, optional
        Why others were not judged.
    """
    refused = refused or {}
    images = {image.projection: image for image in assessed}
    breasts = {}
    for side in Laterality:
        of_side = {projection: image for projection, image in images.items() if projection.laterality == side}
        if of_side:
            missing = tuple(p for p in PROJECTIONS if p.laterality == side and p not in images)
            fused = _fuse(models, of_side, whole=False)
            breasts[side] = BreastAssessment(models.classes, fused, missing, _percent_density(of_side))
    missing = tuple(projection for projection in PROJECTIONS if projection not in {*images, *refused})
    fused = _fuse(models, images, whole=True)
    sets = models.fusion.sets
    labels = None if sets is None else tuple(set_labels(sets.of(fused[None]), models.classes)[0].split())
    percent = _percent_density(images)
    return Assessment(models.classes, fused, ByProjection(images), breasts, missing, percent, labels, refused)


def assess_image(models: Models, seen: PreparedImage) -> ImageResult:
    """Examine a mammogram with the model that has learnt its projection, and its calibration.

    Raises
    ------
    DensightError
        As `run_network`, and if no model has learnt the projection.
    """
    bundle = models.of(seen.mammogram.projection, seen.mammogram.path)
    calibration = models.calibration_of(bundle)
    scaling = None if calibration is None else calibration.images
    return run_network(bundle, seen, scaling=scaling, engine=models.engines[bundle])


def _percent_density(images: Mapping[Projection, ImageAssessment]) -> PercentDensity:
    return fuse_percent_density(
        (projection, image.percent_density, ", ".join(image.warnings)) for projection, image in images.items()
    )


def _fuse(models: Models, images: Mapping[Projection, ImageAssessment], *, whole: bool) -> Probabilities:
    views = {projection: image.probabilities for projection, image in images.items()}
    return models.fusion.of_views(views, whole=whole).astype(np.float32)
