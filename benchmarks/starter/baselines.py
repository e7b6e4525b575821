"""What a starter model has to be better than: percent density, hand-made features, the tutorial's network on MIAS."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from scipy import stats
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from densight.assessment.models import Models, load_models
from densight.intake.catalogue import Catalogue, write_catalogue
from densight.intake.layouts import index
from densight.intake.split import split_by_patient
from starter.material import SPLIT, Framed

__all__ = ["hand_made", "ridge", "tutorial"]

RECIPE = Path(__file__).parents[1] / "recipes" / "tutorial_small.yaml"

PERCENTILES = (1, 5, 10, 25, 40, 50, 60, 75, 90, 95, 99)
BANDS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


def hand_made(framed: Framed) -> npt.NDArray[np.float64]:
    """27 features of the breast without its muscle: moments, percentiles, energies and contrasts of six bands."""
    image = framed.image.astype(np.float32) / 255
    inside = cv2.erode((image > 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    values = image[inside]
    moments = [values.mean(), values.std(), stats.skew(values), stats.kurtosis(values)]
    energies, signs = [], []
    for width in BANDS:
        band = cv2.GaussianBlur(image, (0, 0), width) - cv2.GaussianBlur(image, (0, 0), 2 * width)
        energies.append(np.log(band[inside].std() + 1e-6))
        signs.append(stats.skew(band[inside]))
    return np.array([*moments, *np.percentile(values, PERCENTILES), *energies, *signs])


def ridge(train: Sequence[Framed], labels: npt.ArrayLike, held_out: Sequence[Framed]) -> npt.NDArray[np.float64]:
    """Ridge regression of the labels' places on the features, its penalty chosen within the training images."""
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 3, 21)))
    model.fit([hand_made(one) for one in train], labels)
    return np.asarray(model.predict([hand_made(one) for one in held_out]), np.float64)


def tutorial(mias: Path, output: Path) -> Models:
    """The tutorial's network, trained on the women of mini-MIAS that are not held out, unless that is done already."""
    found, _ = index(mias, "mias")
    table = split_by_patient(found.table.assign(split=""), found.classes, *SPLIT)
    output.mkdir(parents=True, exist_ok=True)
    write_catalogue(Catalogue(table, found.classes, found.root), output / "catalogue.csv")
    command = [sys.executable, "-m", "densight", "train", str(output / "catalogue.csv"), "--projection", "all"]
    subprocess.run([*command, "--recipe", str(RECIPE), "-o", str(output)], check=True)
    return load_models([output / "all"])
