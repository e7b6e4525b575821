"""A case: one image with everything that trials need of it, in the network's frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
import torch

from densight.assessment.assess import ImageResult
from densight.explanation.baseline import TissueMasks, smooth_fat_image, textured_fat_image
from densight.explanation.explain import method_input
from densight.explanation.methods.methods import METHODS
from densight.explanation.methods.targets import with_expected
from densight.explanation.overlay import BLUR
from densight.geometry import map_to_frame
from densight.network.blocks import DensityNetwork
from densight.phantom.stored import read_truth, without_dense_tissue
from densight.preparation.prepare import finish, frame
from densight.vocabulary import DensightError

if TYPE_CHECKING:
    from densight.explanation.methods.method_input import MethodInput

__all__ = ["Case", "make_blocks"]

Image = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

KNOWN, READ = "known of the phantom", "read by the anatomy"
PHYSICS, PAINTED = "imaged again with fat", "painted with fat's texture"

BLOCKS = 120
"""Blocks of the breast that deletion removes one after the other."""

CAUSES = 24
"""Regions of the breast whose effect is measured."""


@dataclass(frozen=True, eq=False)
class Case:
    """One image and its network, with the tissue that it shows and the same breast without dense tissue.

    Parameters
    ----------
    result : ImageResult
    tissue : TissueMasks
        In the network's frame. Maps are scored with it.
    reference : str
        Where the tissue is from: known of a phantom, or read by the anatomy.
    without : ndarray of float32, shape (rows, columns)
        The framed image with fat in place of dense tissue, and only air outside the breast.
    replaced : str
        How that was made: imaged again, which is exact, or painted, which is not.
    target : int
        What is explained: the place of a class, or the number of classes for the expected class.
    layer : str or None
        The layer that is mapped by the methods that can; the last feature map if None.
    """

    result: ImageResult
    tissue: TissueMasks
    reference: str
    without: Image
    replaced: str
    target: int
    layer: str | None = None

    @classmethod
    def of(cls, result: ImageResult, *, label: str | None = None, layer: str | None = None, seed: int = 0) -> Case:
        """Make the case of an image.

        Parameters
        ----------
        result : ImageResult
        label : str, optional
            The class that is explained; the expected class if None.
        layer : str, optional
            The layer that is mapped by the methods that can.
        seed : int
            Of the texture of painted fat.

        Raises
        ------
        DensightError
            If there is no such class, no breast is found, or a phantom's record does not fit its image.
        """
        mammogram, prepared = result.mammogram, result.prepared
        classes = result.assessment.classes
        if label is not None and label not in classes:
            raise DensightError(f"there is no class {label!r}", mammogram.path, f"use one of {', '.join(classes)}")
        truth = read_truth(mammogram.path) if mammogram.path else None
        # The maps' baseline is made with the tissue that the anatomy read, on phantoms too: it must exist.
        tissue = TissueMasks.of(result.anatomy, prepared.geometry)
        if truth is not None:
            tissue = TissueMasks.of(truth, prepared.geometry)
        if truth is None:
            without = textured_fat_image(prepared.image, tissue, seed)
        else:
            changed = without_dense_tissue(mammogram)
            without = frame(changed, result.bundle.facts.preparation, like=mammogram).image
        return cls(
            result,
            tissue,
            READ if truth is None else KNOWN,
            np.where(tissue.breast, without, smooth_fat_image(prepared.image, tissue)).astype(np.float32),
            PAINTED if truth is None else PHYSICS,
            len(classes) if label is None else classes.index(label),
            layer,
        )

    @property
    def image(self) -> Image:
        """The framed image, before the last step of the preparation: shape (rows, columns)."""
        return self.result.prepared.image

    @property
    def network(self) -> DensityNetwork:
        """The network that assessed it."""
        return self.result.bundle.network

    @cached_property
    def blocks(self) -> Labels:
        """Small blocks of the breast, numbered from 1; 0 outside. Shape (rows, columns)."""
        return make_blocks(self.tissue.breast, BLOCKS)

    @cached_property
    def regions(self) -> Labels:
        """Larger blocks of the breast, numbered from 1, and one for the rest. Shape (rows, columns)."""
        regions = make_blocks(self.tissue.breast, CAUSES)
        return np.where(regions == 0, regions.max() + 1, regions)

    def scores(self, images: list[Image]) -> npt.NDArray[np.float64]:
        """The target's scores of framed images, shape (n,)."""
        preparation, device = self.result.bundle.facts.preparation, self.network.classifier.weight.device
        scores = []
        with torch.no_grad():
            for start in range(0, len(images), 16):
                x = torch.from_numpy(np.stack([finish(image, preparation) for image in images[start : start + 16]]))
                scores.append(with_expected(self.network(x.to(device)))[:, self.target].double().cpu().numpy())
        return np.concatenate(scores) if scores else np.zeros(0)

    def method_input(self, method: str) -> MethodInput:
        """The input of a method: the same as for drawing, so that the map tested is the map drawn."""
        layer = self.layer if METHODS[method].at_layer else None
        return method_input(self.result, METHODS[method], layer)

    def map(self, method: str, inputs: MethodInput | None = None) -> Image:
        """A method's signed map of the target in the network's frame, shape (rows, columns).

        A map of single pixels is averaged as it is for drawing, so that the trial tests what readers see.
        """
        maps = METHODS[method].make(inputs or self.method_input(method), [self.target])
        cells = maps.cells[0].detach().float().cpu().numpy()
        values = map_to_frame(cells, self.image.shape, maps.origin, maps.step)
        if maps.layer == "input":
            values = np.asarray(cv2.GaussianBlur(values, (0, 0), BLUR * max(values.shape)), np.float32)
        return values


def make_blocks(mask: npt.NDArray[np.bool_], n: int) -> Labels:
    """Divide a mask into about ``n`` square blocks, numbered from 1; 0 outside it.

    Slivers at the edge, smaller than a quarter of a block, belong to the nearest block.

    Examples
    --------
    >>> make_blocks(np.ones((4, 4), bool), 4)
    array([[1, 1, 2, 2],
           [1, 1, 2, 2],
           [3, 3, 4, 4],
           [3, 3, 4, 4]])
    """
    from scipy.ndimage import distance_transform_edt

    if not mask.any():
        return np.zeros(mask.shape, np.int64)
    side = max(1, round(float(np.sqrt(mask.sum() / n))))
    rows, columns = np.indices(mask.shape) // side
    numbers = np.where(mask, 1 + rows * (1 + columns.max()) + columns, 0)
    labels, counts = np.unique(numbers, return_counts=True)
    slivers = np.isin(numbers, labels[(counts < side * side / 4) & (labels > 0)])
    if slivers.any() and (mask & ~slivers).any():
        nearest = distance_transform_edt(slivers | ~mask, return_distances=False, return_indices=True)
        numbers = np.where(slivers, numbers[tuple(nearest)], numbers)
    _, consecutive = np.unique(numbers, return_inverse=True)
    return consecutive.reshape(mask.shape).astype(np.int64) + int(numbers.min() > 0)
