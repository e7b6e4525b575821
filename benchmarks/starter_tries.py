"""What a way of fitting does to the figures by which the starter model was chosen.

python benchmarks/starter_tries.py PH DATA -o OUT [--sets …] [--steps N] [--rate R] [--seeds …] [--penalty P …]

Fits, on sets of ``starter/sets.py``, one network a seed, averages them, and prints: on the phantoms of the calibration
the correlation of the score with the logarithm of volumetric density, and the mean error of each set in that logarithm;
on the 60 women of mini-MIAS that are not held out, on DDSM and on M-SYNTH, which take no part in the fit, what
docs/starter.md lists. ``--penalty`` fits the head again, once with each. Fits that are in ``OUT/seedN`` stay.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import pearsonr, spearmanr

from starter import material
from starter.fit import LEARNER, SOURCES, Learner, Source, fit, mean_of, read_learner, save_learner, scale_of
from starter.head import refit
from starter.material import Framed
from starter.sets import CALIBRATION, TRAINING, make
from starter_fit import RATE, SEEDS, STEPS


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("phantoms", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    names = [one.name for one in TRAINING]
    parser.add_argument("--sets", nargs="+", choices=names, default=names)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--penalty", type=float, nargs="*", default=())
    given = parser.parse_args()
    chosen = [one for one in TRAINING if one.name in given.sets]
    learning = [one for each in chosen for one in material.phantoms(make(each, given.phantoms))]
    learners = [_fitted(learning, given.steps, given.rate, seed, given.output / f"seed{seed}") for seed in given.seeds]
    watched = {one.name: material.phantoms(make(one, given.phantoms)) for one in CALIBRATION}
    watched |= {
        "mias": [one for one in material.mias(given.data / "mias") if one.row["split"] != "test"],
        "ddsm": material.ddsm(given.data / "ddsm_tissue"),
        "msynth": material.msynth(given.data / "msynth"),
    }
    mean = mean_of(learners)
    print(f"as fitted: {told(mean, watched)}", flush=True)
    for penalty in given.penalty:
        other = copy.deepcopy(mean)
        refit(other, learning, penalty)
        print(f"head again, penalty {penalty}: {told(other, watched)}", flush=True)


def _fitted(images: Sequence[Framed], steps: int, rate: float, seed: int, folder: Path) -> Learner:
    if not (folder / LEARNER).is_file():
        save_learner(fit([Source("phantom", images, 1)], steps, rate, seed, folder), folder)
    return read_learner(folder)


def told(learner: Learner, watched: dict[str, list[Framed]]) -> str:
    """The figures, in words."""
    scores = {name: scale_of(learner, images)[0] for name, images in watched.items()}
    of_phantoms = [one.name for one in CALIBRATION]
    known = {
        name: np.log([float(one.row["breast_volumetric_density"]) for one in watched[name]]) for name in of_phantoms
    }
    every, truth = (np.concatenate([table[name] for name in of_phantoms]) for table in (scores, known))
    slope, shift = np.polyfit(truth, every, 1)
    words = [f"phantoms r {pearsonr(every, truth)[0]:.3f}"]
    words += [f"{name} {((scores[name] - shift) / slope - known[name]).mean():+.2f}" for name in of_phantoms]
    for name in ("mias", "msynth"):
        places = [SOURCES[name].index(str(one.row["density"])) for one in watched[name]]
        words.append(f"{name} ρ {spearmanr(scores[name], places)[0]:.3f}")
    outlined = [float(one.row["true"]) for one in watched["ddsm"]]
    return ", ".join([*words, f"ddsm r {pearsonr(scores['ddsm'], outlined)[0]:.3f}"])


if __name__ == "__main__":
    main()
