"""The baseline: what a breast would look like without dense tissue. Explanations and their trials compare with it.

A network has never seen a breast with a black hole in it, so its output for one means little. It has seen fat.

References
----------
For the danger of black patches: Hooker et al., "A benchmark for interpretability methods in deep neural networks",
NeurIPS 2019. For normalised convolution: Knutsson and Westin, CVPR 1993.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from densight.anatomy.reading import Anatomy
from densight.geometry import Geometry
from densight.phantom.stored import StoredTruth
from densight.vocabulary import DensightError

__all__ = ["TissueMasks", "smooth_fat_image", "textured_fat_image", "tissue_regions"]

Image = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

SCALES = (0.32, 0.16, 0.08, 0.04)
"""Widths of the means of fat's grey level, as parts of the longer side. The finer widths need enough fat nearby."""

ENOUGH = 0.25
"""Part of the neighbourhood that must be fat for a scale to be used."""

LEAST_FAT, DARK = 0.02, 5.0
"""If less than this part of the breast is fat, fat's level is this percentile of the breast's grey values."""

REGIONS = 24
"""The number of regions of tissue in the breast."""


@dataclass(frozen=True, eq=False)
class TissueMasks:
    """Masks of a breast in the network's frame.

    Parameters
    ----------
    breast, pectoral, dense : ndarray of bool, shape (rows, columns)
        From `densight.anatomy.reading.Anatomy`, or from the known tissue of a phantom.
    """

    breast: Mask
    pectoral: Mask
    dense: Mask

    @classmethod
    def of(cls, masks: Anatomy | StoredTruth, geometry: Geometry) -> TissueMasks:
        """Masks in an image's own pixels, brought into the network's frame.

        Raises
        ------
        DensightError
            If nothing of a breast is in the frame.
        """
        breast, pectoral, dense = (
            geometry.image_to_frame(mask) > 0.5 for mask in (masks.breast, masks.pectoral, masks.dense)
        )
        if not breast.any():
            raise DensightError(
                "no breast is found in the image, so there is no fat to compare with",
                remedy="use a method without a baseline, such as grad-cam",
            )
        return cls(breast, pectoral & breast, dense & breast & ~pectoral)

    @property
    def fat(self) -> Mask:
        """The breast without muscle and dense tissue."""
        return self.breast & ~self.pectoral & ~self.dense


def smooth_fat_image(image: Image, tissue: TissueMasks) -> Image:
    """The image with every place of the breast at the grey level of the fat around it, the rest at that of air.

    Parameters
    ----------
    image : ndarray of float32, shape (rows, columns)
        In the network's frame, bright where dense.
    tissue : TissueMasks

    Returns
    -------
    ndarray of float32, shape (rows, columns)

    Examples
    --------
    >>> breast = np.zeros((40, 40), bool); breast[5:35, :30] = True
    >>> dense = np.zeros((40, 40), bool); dense[15:25, 5:15] = True
    >>> image = np.where(dense, 0.9, np.where(breast, 0.3, 0.0)).astype(np.float32)
    >>> level = smooth_fat_image(image, TissueMasks(breast, np.zeros((40, 40), bool), dense))
    >>> [round(float(value), 3) for value in (level[20, 10], level[0, 0])]
    [0.3, 0.0]
    """
    breast, fat = tissue.breast, tissue.fat
    outside = image[~breast]
    level = np.full(image.shape, np.median(outside) if outside.size else 0.0, np.float32)
    if fat.sum() < LEAST_FAT * breast.sum():
        level[breast] = np.percentile(image[breast], DARK)
        return level
    inside = np.full(image.shape, np.median(image[fat]), np.float32)
    for scale in SCALES:
        width = scale * max(image.shape)
        weight = cv2.GaussianBlur(fat.astype(np.float32), (0, 0), width)
        around = cv2.GaussianBlur(breast.astype(np.float32), (0, 0), width)
        mean = cv2.GaussianBlur(np.where(fat, image, 0), (0, 0), width) / np.maximum(weight, 1e-6)
        trust = np.clip(weight / np.maximum(around, 1e-6) / ENOUGH - 1, 0, 1)
        inside += trust * (mean - inside)
    level[breast] = inside[breast]
    return level


def textured_fat_image(image: Image, tissue: TissueMasks, seed: int) -> Image:
    """`smooth_fat_image` with the texture of the breast's fat, so that the image is one that a network could have seen.

    The texture has random phases, and the power spectrum and standard deviation of the image's fat about its level.

    Parameters
    ----------
    image : ndarray of float32, shape (rows, columns)
    tissue : TissueMasks
    seed : int
        Of the random phases.
    """
    level = smooth_fat_image(image, tissue)
    fat = tissue.fat
    if not fat.any():
        return level
    rest = np.where(fat, image - level, 0)
    noise = np.random.default_rng(seed).standard_normal(image.shape)
    spectrum = np.abs(np.fft.rfft2(rest))
    texture = np.fft.irfft2(np.fft.rfft2(noise) / np.abs(np.fft.rfft2(noise)).clip(1e-9) * spectrum, image.shape)
    texture *= rest[fat].std() / max(float(texture.std()), 1e-9)
    low, high = image[tissue.breast].min(), image[tissue.breast].max()
    return np.where(tissue.breast, np.clip(level + texture, low, high), level).astype(np.float32)


def tissue_regions(image: Image, tissue: TissueMasks, n: int = REGIONS) -> npt.NDArray[np.int64]:
    """Divide the frame into regions of similar tissue, about ``n`` in the breast, and one outside it.

    Parameters
    ----------
    image : ndarray of float32, shape (rows, columns)
    tissue : TissueMasks
    n : int

    Returns
    -------
    ndarray of int64, shape (rows, columns)
        Numbered from 1. The last region is what is outside the breast, if anything is.

    References
    ----------
    Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods", IEEE TPAMI 34, 2012; its form
    for regions of any shape: Irving, "maskSLIC", arXiv:1606.09518.
    """
    from skimage.segmentation import slic

    scale = float(image.max()) or 1.0
    features = np.stack([image / scale, 0.5 * tissue.dense, 0.5 * tissue.pectoral], axis=-1)
    regions = slic(features, n, compactness=0.3, mask=tissue.breast, channel_axis=-1, sigma=0, start_label=1)
    labels, numbers = np.unique(regions, return_inverse=True)
    numbered = numbers.reshape(regions.shape) + (labels[0] != 0)
    return np.asarray(np.where(numbered == 0, numbered.max() + 1, numbered), np.int64)
