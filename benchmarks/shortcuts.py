"""Whether a phantom's class can be read from what has nothing to do with its tissue.

    python benchmarks/shortcuts.py PHANTOMS OUT
    python benchmarks/shortcuts.py --msynth ../shared/data/msynth OUT

PHANTOMS is a folder of ``densight phantom``; a thousand exams at ``--size 512x416`` will do. Twelve nuisance features
of each exam (see `FEATURES`) are given to gradient boosting, cross-validated by patient. Beside its accuracy stand that
of always naming the commonest class and the greatest that the stated link allows: thicker breasts are fattier, in
phantoms as in women, so a classifier that knows thickness and volume exactly, and has learnt on as many women as it
needs, does better than chance. No more than `ALLOWED` above it is no short cut.

Brightness and texture inside the breast are no nuisance: they are the density. The features stay out of the interior;
of the breast they use the rim of fat below the skin only.

M-SYNTH must fail: its fatty breasts are large and its dense ones small. It knows neither thickness nor unit, and its
doses follow the class, so they are left out; what its outlines tell is compared with the commonest class.

Prints a table and writes OUT/shortcuts.json.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedGroupKFold

from densight.figures.intervals import wilson_interval
from densight.phantom.patient import draw_patient
from densight.phantom.settings import VENDORS, Settings
from densight.storage import write_json
from densight.vocabulary import BIRADS
from realism.images import Grey, Image, Listed, Mask, list_msynth, list_phantoms, on_all_cores, read

Values = npt.NDArray[np.float64]

ALLOWED = 0.05
"""How much above what the link allows the classifier may be."""

FEATURES = {
    "area": "the breast in cm²: size",
    "depth": "from the chest wall to the nipple in mm: size",
    "roundness": "area over height times depth: the shape of the outline",
    "thickness": "compressed, in mm, as the unit displays it",
    "unit": "the vendor: spectrum, exposure and display processing follow from it and from thickness",
    "rim": "grey value of the subcutaneous fat, 4 to 8 mm below the skin, the darkest fifth: the display's brightness",
    "air": "grey value beside the breast: the background",
    "air noise": "noise beside the breast",
    "rim noise": "noise where the subcutaneous fat is smoothest, by a filter blind to slopes (Immerkær, CVIU 64, 1996)",
    "edge": "mm in which the skin line rises from a fifth to four fifths of the rim: border sharpness and compression",
    "marker": "place of the view marker along the image's height; none where there is none",
    "muscle": "the pectoral muscle in cm²: positioning",
}
"""The twelve nuisance features of an image; an exam's are the means of its images'."""

FOLDS = 10
DRAWN = 40_000
"""Women drawn to learn what the link allows, and as many again to measure it."""


def measure(listed: Listed) -> dict[str, float]:
    """The nuisance features of one image."""
    image = read(listed)
    image = image.at(max(image.pitch, 0.3))
    rows, columns = (np.flatnonzero(image.breast.any(axis=axis)) for axis in (1, 0))
    height, depth = ((np.ptp(places) + 1) * image.pitch for places in (rows, columns))
    area = float(image.breast.sum()) * image.pitch**2
    below = image.depth()
    rim = image.breast & (below > 4) & (below < 8)
    beside = ~ndimage.binary_dilation(image.breast, iterations=round(5 / image.pitch))
    fat = float(np.percentile(image.grey[rim], 20))
    noise = np.abs(cv2.filter2D(image.grey, -1, np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)))
    vendor = listed.facts.get("vendor")
    return {
        "area": area / 100,
        "depth": float(depth),
        "roundness": area / float(height * depth),
        "thickness": float(str(listed.facts.get("thickness", "nan"))),
        "unit": float(VENDORS.index(str(vendor))) if vendor else np.nan,
        "rim": fat,
        "air": image.air,
        "air noise": float(noise[beside].mean()) if beside.any() else np.nan,
        "rim noise": _smoothest(noise, rim, image.pitch),
        "edge": _edge_width(image, fat),
        "marker": _marker(image.grey, beside, image.air + 0.3 * (fat - image.air), image.pitch),
        "muscle": _muscle_area(listed),
    }


def _smoothest(noise: Grey, rim: Mask, pitch: float) -> float:
    """The tenth percentile of the filter's mean over squares of 4 mm within the rim: there ligaments are few."""
    side = max(3, round(4 / pitch))
    share = cv2.blur(rim.astype(np.float32), (side, side))
    means = cv2.blur(np.where(rim, noise, 0), (side, side)) / np.maximum(share, 1e-6)
    return float(np.percentile(means[share > 0.8 * share.max()], 10))


def _edge_width(image: Image, fat: float) -> float:
    """From the areas of what is above a fifth and above four fifths of the rim, over the length of the skin line."""
    near = ndimage.binary_dilation(image.breast, iterations=round(4 / image.pitch)) & (image.depth() < 8)
    relative = (image.grey - image.air) / (fat - image.air)
    between = float((near & (relative > 0.2) & (relative < 0.8)).sum()) * image.pitch**2
    framed = np.pad(image.breast, 1, mode="edge")
    length = float((framed ^ ndimage.binary_erosion(framed))[1:-1, 1:-1].sum()) * image.pitch
    return between / length


def _marker(grey: Grey, beside: Mask, threshold: float, pitch: float) -> float:
    """The centre of the largest bright thing beside the breast, as a part of the height."""
    labels, count = ndimage.label(ndimage.binary_dilation(beside & (grey > threshold), iterations=2))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    if not count or sizes.max() * pitch**2 < 10:
        return np.nan
    return float(np.flatnonzero((labels == 1 + sizes.argmax()).any(axis=1)).mean() / len(grey))


def _muscle_area(listed: Listed) -> float:
    """As it is known; M-SYNTH's CC views have none."""
    known = listed.path.with_suffix(".npz")
    if not known.is_file():
        return 0.0
    with np.load(known) as truth:
        return float(truth["pectoral"].sum() * truth["spacing"].prod() / 100)


def by_exam(listed: Sequence[Listed], measured: Sequence[Mapping[str, float]]) -> tuple[Values, list[str], list[str]]:
    """Means over the images of each exam, its class and its patient; M-SYNTH gives one number to several phantoms."""
    rows: dict[tuple[str, str], list[list[float]]] = {}
    for one, own in zip(listed, measured, strict=True):
        rows.setdefault((one.patient, one.density), []).append([own[name] for name in FEATURES])
    features = np.array([np.ma.masked_invalid(own).mean(axis=0).filled(np.nan) for own in rows.values()])
    features[:, np.isnan(features).all(axis=0)] = 0  # not known of any, so nothing can be learnt from it
    return features, [density for _, density in rows], [patient for patient, _ in rows]


def correct(features: Values, classes: Sequence[str], patients: Sequence[str]) -> int:
    """How many exams gradient boosting names rightly that has learnt on the other folds' patients."""
    truth = np.array(classes)
    right = 0
    for learn, test in StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(features, truth, patients):
        right += int((_boosting().fit(features[learn], truth[learn]).predict(features[test]) == truth[test]).sum())
    return right


def _boosting() -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=60, max_leaf_nodes=8, min_samples_leaf=10, random_state=0
    )


def link_accuracy(shares: Mapping[str, float]) -> float:
    """What thickness and volume allow at best, when all four thicknesses and both volumes are known exactly."""
    settings = Settings(mix=tuple(shares.get(label, 0.0) for label in BIRADS))
    patients = [draw_patient(seed, settings) for seed in range(2 * DRAWN)]
    known = np.array([[*patient.thickness.values(), *patient.volume.values()] for patient in patients])
    known = np.column_stack([known[:, :4].mean(axis=1), np.log(known[:, 4:]).mean(axis=1), known])
    truth = np.array([patient.density for patient in patients])
    model = HistGradientBoostingClassifier(learning_rate=0.1, max_iter=80, max_leaf_nodes=16, random_state=0)
    return float((model.fit(known[:DRAWN], truth[:DRAWN]).predict(known[DRAWN:]) == truth[DRAWN:]).mean())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("phantoms", type=Path, nargs="?")
    parser.add_argument("out", type=Path)
    parser.add_argument("--msynth", type=Path)
    options = parser.parse_args()
    if (options.phantoms is None) == (options.msynth is None):
        parser.error("give a folder of phantoms, or --msynth FOLDER")
    listed = list_phantoms(options.phantoms) if options.phantoms else list_msynth(options.msynth)
    features, classes, patients = by_exam(listed, on_all_cores(measure, listed))
    counts, n = Counter(classes), len(classes)
    right = correct(features, classes, patients)
    low, high = wilson_interval(right, n)
    most = max(counts.values()) / n
    allowed = link_accuracy({label: count / n for label, count in counts.items()}) if options.phantoms else most
    alone = {name: correct(features[:, [place]], classes, patients) / n for place, name in enumerate(FEATURES)}
    result = {
        "exams": n,
        "classes": dict(sorted(counts.items())),
        "accuracy": right / n,
        "interval": [low, high],
        "link": allowed if options.phantoms else None,
        "commonest": most,
        "above": right / n - allowed,
        "passes": right / n - allowed <= ALLOWED,
        "alone": alone,
    }
    write_json(options.out / "shortcuts.json", result)
    print(f"{n} exams, classes {json.dumps(result['classes'])}")
    print(f"accuracy by twelve nuisance features  {right / n:.3f} [{low:.3f}, {high:.3f}]")
    if options.phantoms:
        print(f"the most that the stated link allows  {allowed:.3f}")
    print(f"always the commonest class            {most:.3f}")
    print(f"above                                 {right / n - allowed:+.3f}, at most {ALLOWED:+.3f} allowed: ", end="")
    print("no short cut" if result["passes"] else "a SHORT CUT")
    for name, value in sorted(alone.items(), key=lambda pair: -pair[1]):
        print(f"  {name:10s} alone {value:.3f}  {FEATURES[name]}")


if __name__ == "__main__":
    main()
