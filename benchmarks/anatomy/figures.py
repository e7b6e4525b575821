"""Figures of merit of `densight.anatomy` on images whose tissue is known, and on images that it must refuse."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from densight.anatomy.network import TissueNetwork
from densight.anatomy.reading import Anatomy, read_with
from densight.intake.image import read_mammogram
from densight.intake.mammogram import Mammogram
from densight.vocabulary import Projection

__all__ = ["ddsm", "failures", "invariance", "mias", "percent", "phantoms"]

Mask = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


def dice(one: Mask, other: Mask) -> float:
    """Twice what is common, over the sum; 1 if both are empty."""
    whole = one.sum() + other.sum()
    return float(2 * (one & other).sum() / whole) if whole else 1.0


def iou(one: Mask, other: Mask) -> float:
    """What is common over what is in either."""
    return float((one & other).sum() / max(1, (one | other).sum()))


def ddsm(folder: Path, networks: Sequence[TissueNetwork], parts: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Each part of ``ddsm_tissue`` by its network, none of whose patients it has seen."""
    paths = sorted((folder / "images").iterdir())
    rows: list[dict[str, Any]] = []
    for network, part in zip(networks, parts, strict=True):
        for i in part:
            tissue = cv2.imread(str(folder / "tissue" / paths[i].name), cv2.IMREAD_GRAYSCALE)
            assert tissue is not None
            found = read_with(network, read_mammogram(paths[i], projection="MLO_R"), "")
            labels = np.full(tissue.shape, 64)
            labels[found.breast], labels[found.dense], labels[found.pectoral] = 128, 192, 255
            names = {64: "background", 128: "adipose", 192: "dense", 255: "pectoral"}
            true = 100 * (tissue == 192).sum() / np.isin(tissue, (128, 192)).sum()
            rows.append(
                {name: dice(labels == value, tissue == value) for value, name in names.items()}
                | {"accuracy": float((labels == tissue).mean()), "true": float(true)}
                | {"measured": found.measured_density, "good": found.verdict.good, "name": paths[i].stem}
            )
    means = {name: float(np.mean([row[name] for row in rows])) for name in (*names.values(), "accuracy")}
    return {
        "images": len(rows),
        **means,
        "mean dice": float(np.mean([means[name] for name in names.values()])),
        **percent(rows),
        "worst": [row["name"] for row in sorted(rows, key=lambda row: -abs(row["measured"] - row["true"]))[:6]],
    }


def percent(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Agreement of measured with true percent density."""
    measured, true = (np.array([row[name] for row in rows]) for name in ("measured", "true"))
    correlation = float(np.corrcoef(measured, true)[0, 1])
    error = np.arctanh(correlation) + np.array([-1.96, 1.96]) / np.sqrt(len(rows) - 3)
    return {
        "r": correlation,
        "r low": float(np.tanh(error[0])),
        "r high": float(np.tanh(error[1])),
        "mean absolute error": float(np.abs(measured - true).mean()),
        "bias": float((measured - true).mean()),
        "good": float(np.mean([row["good"] for row in rows])),
    }


def mias(folder: Path, network: TissueNetwork) -> tuple[dict[str, Any], list[tuple[float, str]]]:
    """The breast against the masks of Sharma (2019), and percent density by tissue; every image, worst first."""
    rows = []
    with (folder / "manifest.csv").open() as table:
        for row in csv.DictReader(table):
            mask = cv2.imread(str(next((folder / "breast_masks").glob(f"{row['image_id']}*"))), cv2.IMREAD_GRAYSCALE)
            assert mask is not None
            found = read_with(network, read_mammogram(folder / row["path"], projection=f"MLO_{row['laterality']}"), "")
            rows.append((iou(found.breast, mask > 0), row["image_id"], row["tissue"], found))
    values = [row[0] for row in rows]
    by_tissue = {
        tissue: float(np.mean([found.measured_density for _, _, is_, found in rows if is_ == tissue]))
        for tissue in "FGD"
    }
    summary = {
        "images": len(rows),
        "median": float(np.median(values)),
        "fifth percentile": float(np.percentile(values, 5)),
        "good": float(np.mean([found.verdict.good for *_, found in rows])),
        "muscle found": float(np.mean([bool(found.pectoral.any()) for *_, found in rows])),
        "percent density": by_tissue,
    }
    return summary, sorted((value, name) for value, name, *_ in rows)


def phantoms(folder: Path, network: TissueNetwork) -> dict[str, Any]:
    """A set of phantoms that the network has not seen."""
    rows: list[dict[str, Any]] = []
    for path, projection in phantom_images(folder):
        truth = np.load(path.with_suffix(".npz"))
        found = read_with(network, read_mammogram(path, projection=projection.value), "")
        breast, pectoral = truth["breast"], truth["pectoral"]
        rows.append(
            {
                "iou": iou(found.breast, breast),
                "pectoral": dice(found.pectoral, pectoral) if pectoral.any() else None,
                "dense": dice(found.dense, truth["dense"]),
                "true": 100 * truth["dense"].sum() / (breast & ~pectoral).sum(),
                "measured": found.measured_density,
                "good": found.verdict.good,
            }
        )
    muscle = [row["pectoral"] for row in rows if row["pectoral"] is not None]
    return {
        "images": len(rows),
        "iou median": float(np.median([row["iou"] for row in rows])),
        "iou fifth percentile": float(np.percentile([row["iou"] for row in rows], 5)),
        "pectoral": float(np.mean(muscle)),
        "dense": float(np.mean([row["dense"] for row in rows])),
        **percent(rows),
    }


def phantom_images(folder: Path) -> Iterator[tuple[Path, Projection]]:
    """The images of a set of phantoms, and their projections."""
    with (folder / "catalogue.csv").open() as table:
        for row in csv.DictReader(table):
            yield folder / row["path"], Projection(f"{row['view']}_{row['laterality']}")


def invariance(mammograms: Sequence[Mammogram], network: TissueNetwork) -> dict[str, dict[str, float]]:
    """By how much the percent density of images changes with what must not matter."""
    changes = dict(changed())
    differences: dict[str, list[float]] = {name: [] for name in changes}
    refused = dict.fromkeys(changes, 0)
    for mammogram in mammograms:
        before = read_with(network, mammogram, "").percent_density
        if before is None:
            continue
        for name, change in changes.items():
            after = read_with(network, Mammogram(change(mammogram.pixels), mammogram.projection), "").percent_density
            if after is None:
                refused[name] += 1
            else:
                differences[name].append(abs(after - before))
    return {
        name: {
            "median": float(np.median(values)),
            "95th percentile": float(np.percentile(values, 95)),
            "refused": refused[name],
            "images": len(values),
        }
        for name, values in differences.items()
    }


def changed() -> Iterator[tuple[str, Callable[[Pixels], Any]]]:
    """Changes that leave a breast what it is."""
    yield "mirrored", lambda pixels: np.ascontiguousarray(pixels[:, ::-1])
    for angle in (-5, 5):
        yield f"rotated by {angle}°", lambda pixels, angle=angle: rotated(pixels, angle)
    yield "half the resolution", lambda pixels: cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    yield "8 bits", lambda pixels: (pixels / max(1, int(pixels.max())) * 255).astype(np.uint8)
    yield "16 bits", lambda pixels: (pixels / max(1, int(pixels.max())) * 65535).astype(np.uint16)
    yield "inverted", lambda pixels: pixels.max() - pixels
    for gamma in (0.7, 1.4):
        yield f"gamma {gamma}", lambda pixels, gamma=gamma: curved(pixels, gamma)
    yield "JPEG 85", compressed


def rotated(pixels: Pixels, angle: float) -> Any:
    """Turned about its middle; air comes in at the corners."""
    rows, columns = pixels.shape
    way = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), angle, 1.0)
    return cv2.warpAffine(pixels, way, (columns, rows), borderValue=float(np.percentile(pixels, 1)))


def curved(pixels: Pixels, gamma: float) -> Any:
    """Grey values to a power."""
    most = max(1, int(pixels.max()))
    return np.rint(most * (pixels / most) ** gamma).astype(pixels.dtype)


def compressed(pixels: Pixels) -> Any:
    """As JPEG of quality 85, which has 8 bits."""
    eight = (pixels / max(1, int(pixels.max())) * 255).astype(np.uint8)
    return cv2.imdecode(cv2.imencode(".jpg", eight, [cv2.IMWRITE_JPEG_QUALITY, 85])[1], cv2.IMREAD_GRAYSCALE)


def failures(mammograms: Sequence[Mammogram], network: TissueNetwork) -> dict[str, list[str]]:
    """Verdicts on images that must not get a percent density; of each kind those that got one."""
    kinds: dict[str, list[tuple[str, Anatomy]]] = {}
    for name, kind, pixels in refused(mammograms):
        kinds.setdefault(kind, []).append((name, read_with(network, Mammogram(pixels), "")))
    return {
        f"{kind}: {sum(not found.verdict.good for _, found in ones)} of {len(ones)} refused": [
            name for name, found in ones if found.verdict.good
        ]
        for kind, ones in kinds.items()
    }


def refused(mammograms: Sequence[Mammogram]) -> Iterator[tuple[str, str, Any]]:
    """Name, kind and pixels of images that are no mammograms, or none that can be measured."""
    import skimage.data

    for name in (
        *("astronaut", "brick", "camera", "cat", "cell", "checkerboard", "clock", "coffee", "coins", "colorwheel"),
        *("grass", "gravel", "horse", "hubble_deep_field", "immunohistochemistry", "logo", "microaneurysms", "moon"),
        *("page", "retina", "rocket", "shepp_logan_phantom", "text", "binary_blobs"),
    ):
        image = getattr(skimage.data, name)()
        grey = image[..., :3].mean(axis=2) if image.ndim == 3 else image.astype(float)
        yield name, "pictures of other things", np.rint(255 * grey / grey.max()).astype(np.uint8)
    rng, ramp = np.random.default_rng(0), np.linspace(0, 255, 400)
    drawn = {
        "black": np.zeros((400, 300)),
        "white": np.full((400, 300), 255),
        "noise": rng.integers(0, 256, (400, 300)),
        "ramp": np.repeat(ramp[:, None], 300, 1),
        "square": np.pad(np.full((200, 150), 180), ((100, 100), (75, 75))),
        "one pixel": np.pad([[255]], ((200, 199), (150, 149))),
    }
    for name, drawing in drawn.items():
        yield name, "drawings", np.asarray(drawing).astype(np.uint8)
    for i, mammogram in enumerate(mammograms):
        x = mammogram.pixels
        rows, columns = (side // 2 for side in x.shape)
        yield f"{i}", "rotated by 90°", np.ascontiguousarray(np.rot90(x))
        yield f"{i}", "rotated by 270°", np.ascontiguousarray(np.rot90(x, 3))
        yield f"{i}", "two breasts", np.hstack([x, x[:, ::-1]])
        yield f"{i}", "two breasts, back to back", np.hstack([x[:, ::-1], x])
        for name, part in {
            "upper left": x[:rows, :columns],
            "upper right": x[:rows, -columns:],
            "lower left": x[-rows:, :columns],
            "lower right": x[-rows:, -columns:],
        }.items():
            yield f"{i}", f"cropped to the {name} quarter", np.ascontiguousarray(part)
