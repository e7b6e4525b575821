"""From mammograms to probabilities: the image, the breast, the exam."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from densight.anatomy.reading import Anatomy, read
from densight.assessment.fusion import mean_of, predicted_class
from densight.assessment.models import Models
from densight.intake.mammogram import Mammogram
from densight.network.bundle import Bundle
from densight.preparation.prepare import Prepared, prepare
from densight.vocabulary import PROJECTIONS, DensightError, Laterality, Projection

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Assessment", "BreastAssessment", "Examined", "ImageAssessment", "assess_exam", "examine"]

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


@dataclass(frozen=True, eq=False)
class ImageAssessment(_Assessed):
    """What a model says of one mammogram.

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


@dataclass(frozen=True, eq=False)
class BreastAssessment(_Assessed):
    """The mean over a breast's CC and MLO, or over the one there is.

    Parameters
    ----------
    classes : tuple of str
    probabilities : ndarray of float32, shape (k,)
    missing : tuple of Projection
        What was not there.
    percent_density : float or None
        The mean over its images that have one.
    """

    missing: tuple[Projection, ...]
    percent_density: float | None


@dataclass(frozen=True, eq=False)
class Assessment(_Assessed):
    """What a model says of an exam: the mean over the projections there are.

    Parameters
    ----------
    classes : tuple of str
        The labels, from the least to the most dense.
    probabilities : ndarray of float32, shape (k,)
    images : mapping of Projection to ImageAssessment
        Its keys are strings too: ``images["MLO_R"]``.
    breasts : mapping of Laterality to BreastAssessment
        ``breasts["R"]``, ``breasts["L"]``, those there are.
    missing : tuple of Projection
        The projections that were not there.
    percent_density : float or None
        The mean over its images that have one.
    """

    images: Mapping[Projection, ImageAssessment]
    breasts: Mapping[Laterality, BreastAssessment]
    missing: tuple[Projection, ...]
    percent_density: float | None


@dataclass(frozen=True, eq=False)
class Examined:
    """One mammogram after the network: what it saw, its last feature map and what it said.

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


def examine(
    bundle: Bundle, mammogram: Mammogram, prepared: Prepared | None = None, anatomy: Anatomy | None = None
) -> Examined:
    """Run the network over one mammogram of known projection.

    Each image is a batch of its own, so that what is said of it does not depend on its neighbours.

    Parameters
    ----------
    bundle : Bundle
        One that has learnt the mammogram's projection; see `Models.of`.
    mammogram : Mammogram
    prepared : Prepared, optional
        What ``prepare`` made of it, if that is done already.
    anatomy : Anatomy, optional
        What `densight.anatomy.read` read in it, if that is done already.

    Raises
    ------
    DensightError
        As `prepare`, and if the network's answer is not a number.
    """
    import torch

    assert mammogram.projection is not None
    prepared = prepared or prepare(mammogram, bundle.facts.preparation)
    anatomy = anatomy or read(mammogram)
    network = bundle.network
    device = network.classifier.weight.device
    with torch.inference_mode():
        x = torch.from_numpy(prepared.tensor)[None].to(device, memory_format=torch.channels_last)
        features = network.forward_features(x)
        probabilities = network.forward_head(features).float().softmax(dim=1)[0].cpu().numpy()
    if not np.isfinite(probabilities).all():
        raise DensightError("the network's answer is not a number", mammogram.path, "check the model's weights")
    said = ImageAssessment(
        bundle.facts.classes,
        probabilities,
        mammogram.projection,
        prepared.done,
        bundle.label,
        anatomy.percent_density,
        (*anatomy.verdict.faults, *anatomy.verdict.notes),
    )
    return Examined(mammogram, prepared, features, bundle, said, anatomy)


def assess_exam(models: Models, mammograms: Sequence[Mammogram]) -> tuple[Assessment, list[Examined]]:
    """Assess the mammograms of one exam, each of a different projection.

    Returns
    -------
    assessment : Assessment
    examined : list of Examined
        One a mammogram, in the order given.

    Raises
    ------
    DensightError
        If a projection is unknown or no model has learnt it, or an image cannot be prepared.
    """
    examined = [examine(models.of(one.projection, one.path), one) for one in mammograms]
    images = {one.assessment.projection: one.assessment for one in examined}
    breasts = {}
    for side in Laterality:
        of_side = [image for projection, image in images.items() if projection.laterality == side]
        if of_side:
            missing = tuple(p for p in PROJECTIONS if p.laterality == side and p not in images)
            breasts[side] = BreastAssessment(models.classes, _mean(of_side), missing, _mean_density(of_side))
    missing = tuple(projection for projection in PROJECTIONS if projection not in images)
    said = list(images.values())
    return Assessment(models.classes, _mean(said), images, breasts, missing, _mean_density(said)), examined


def _mean_density(images: Sequence[ImageAssessment]) -> float | None:
    measured = [image.percent_density for image in images if image.percent_density is not None]
    return float(np.mean(measured)) if measured else None


def _mean(images: Sequence[ImageAssessment]) -> Probabilities:
    return mean_of(np.stack([image.probabilities for image in images])).astype(np.float32)
