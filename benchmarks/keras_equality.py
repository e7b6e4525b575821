"""How close densight is to Keras: the same files, the same images, probabilities and Grad-CAM side by side.

``python benchmarks/keras_equality.py IMAGES OUT …`` in densight's environment, after ``keras_reference.py equality
IMAGES OUT`` (Keras 2.15) and ``keras_22_reference.py equality OUT/model.h5 IMAGES OUT22`` (Keras 2.2.4). Prints a
table, a row a weights file, and fails where a limit is passed.

The inputs differ in the last digit of an image's mean, which NumPy's versions sum in another order.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from densight.explanation.methods.gradcam import grad_cam
from densight.intake.image import read_mammogram
from densight.network.keras import read_keras_bundle
from densight.preparation.prepare import Preparation, prepare
from densight.vocabulary import PROJECTIONS

PROBABILITY_LIMIT, MAP_LIMIT = 1e-5, 1e-4

Array = npt.NDArray[np.float32]


def prepared(images: Path, names: list[str]) -> Array:
    """The images as densight's preset ``tutorial`` gives them to a network, (n, 3, rows, columns)."""
    tutorial = Preparation.usual("tutorial")
    return np.stack([prepare(read_mammogram(images / name), tutorial).tensor for name in names])


def assessed(file: Path, inputs: Array) -> tuple[str, Array, Array]:
    """What made a weights file, and densight's probabilities and raw maps with it."""
    bundle = read_keras_bundle(file, projections=PROJECTIONS)
    probabilities, maps = [], []
    with torch.inference_mode():
        for image in inputs:
            features = bundle.network.forward_features(torch.from_numpy(image[None]))
            probabilities.append(torch.softmax(bundle.network.forward_head(features), dim=1)[0].numpy())
            maps.append(grad_cam(bundle.network, features)[0].numpy())
    shown = bundle.facts.training["converted_from"]
    return f"{shown['form']}, Keras version {shown['keras_version']}", np.stack(probabilities), np.stack(maps)


def main() -> int:
    """Print the table; 1 if a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("references", type=Path, nargs="+")
    options = parser.parse_args()
    passed = True
    for folder in options.references:
        with np.load(folder / "reference.npz") as reference:
            names, versions = reference["names"].tolist(), ", ".join(reference["versions"].tolist())
            keras_inputs = reference["inputs"].transpose(0, 3, 1, 2)
            keras_probabilities, keras_maps = reference["probabilities"], reference["maps"]
        inputs = prepared(options.images, names)
        print(f"\n{versions}; {len(names)} images; max |Δ input| {np.abs(inputs - keras_inputs).max():.1e}\n")
        print("| weights file | form | max |Δ probability| | max |Δ Grad-CAM| | relative to its largest value |")
        print("|---|---|---|---|---|")
        for file in sorted(folder.glob("*.h5")):
            form, probabilities, maps = assessed(file, inputs)
            off = float(np.abs(probabilities - keras_probabilities).max())
            map_off = float(np.abs(maps - keras_maps).max())
            relative = map_off / float(np.abs(keras_maps).max())
            print(f"| {file.name} | {form} | {off:.1e} | {map_off:.1e} | {relative:.1e} |")
            passed &= off <= PROBABILITY_LIMIT and map_off <= MAP_LIMIT
    verdict = "held" if passed else "not held"
    print(f"\nlimits {PROBABILITY_LIMIT:.0e} and {MAP_LIMIT:.0e}: {verdict}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
