"""When a model does not answer: of what is no mammogram that it can judge, no class is better than any class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from densight.anatomy.reading import Anatomy
from densight.intake.mammogram import Mammogram
from densight.network.bundle import Bundle
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Refusal", "check_anatomy", "check_features"]


class Refusal(DensightError):  # noqa: N818 - it is an answer
    """A model's answer to an image that it cannot judge."""


def _refuse(why: str, mammogram: Mammogram, remedy: str) -> Refusal:
    return Refusal(f"cannot assess: {why}", mammogram.path, remedy)


def check_anatomy(bundle: Bundle, mammogram: Mammogram, anatomy: Anatomy) -> None:
    """Refuse an image whose anatomy has faults, if the bundle has a scope.

    Raises
    ------
    Refusal
    """
    if bundle.scope is not None and not anatomy.verdict.good:
        faults = "; ".join(anatomy.verdict.faults)
        raise _refuse(faults, mammogram, "look at the image: densight anatomy draws what is seen in it")


def check_features(bundle: Bundle, mammogram: Mammogram, features: Tensor) -> None:
    """Refuse an image that is too far from those that the bundle's network has learnt from.

    Parameters
    ----------
    bundle : Bundle
    mammogram : Mammogram
    features : Tensor, shape (1, channels, rows, columns)
        What ``forward_features`` gave.

    Raises
    ------
    Refusal
    """
    if bundle.scope is None:
        return
    pooled = bundle.network.activate(features).mean((2, 3))[0].float().cpu().numpy()
    distance = bundle.scope.distance(pooled.astype(np.float64))
    if not distance <= bundle.scope.limit:
        raise _refuse(
            f"it is unlike the images that {bundle.label} has learnt from (distance {distance:.1f}, limit "
            f"{bundle.scope.limit:.1f})",
            mammogram,
            "check how the image was exported, or use a model that was trained on such images",
        )
