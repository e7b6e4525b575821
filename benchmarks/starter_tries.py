"""What a way of fitting does to the figures by which the starter model was chosen.

python benchmarks/starter_tries.py PH DATA -o OUT [--sets …] [--steps N] [--rate R] [--seeds …] [--penalty P …]

Fits, on sets of ``starter/sets.py``, one network a seed, averages them, goes on with examples of which half are hardly
changed, and fits the head again with each ``--penalty``. Prints of each step what docs/starter.md lists: on the
phantoms of the calibration mean and deviation of the score's errors in the logarithm of volumetric density; the figures
on the 60 women of mini-MIAS that are not held out, on DDSM and on M-SYNTH, which take no part in the fit. What lies
in ``OUT`` is not fitted again, so that ``-o OUT/starter.fit`` of ``starter_fit.py`` takes the very fits of `starter`.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

import numpy as np
from scipy.stats import pearsonr, spearmanr

from starter import material
from starter.fit import SOURCES, Learner, Source, fit, mean_of, scale_of
from starter.head import refit
from starter.material import Framed
from starter.sets import CALIBRATION, TRAINING, make
from starter_fit import PLAIN, PLAIN_FIT, RATE, SEEDS, STEPS


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
    sources = [Source("phantom", learning, 1)]
    learners = [fit(sources, given.steps, given.rate, seed, given.output / f"seed{seed}") for seed in given.seeds]
    watched = {one.name: material.phantoms(make(one, given.phantoms)) for one in CALIBRATION}
    watched |= {
        "mias": [one for one in material.mias(given.data / "mias") if one.row["split"] != "test"],
        "ddsm": material.ddsm(given.data / "ddsm_tissue"),
        "msynth": material.msynth(given.data / "msynth"),
    }
    for seed, learner in zip(given.seeds, learners, strict=True):
        print(f"seed {seed}: {shown(learner, watched)}", flush=True)
    mean = mean_of(learners)
    print(f"their mean: {shown(mean, watched)}", flush=True)
    plain = fit(sources, *PLAIN_FIT, given.output / "plain", mean.state_dict(), PLAIN)
    print(f"half of the examples hardly changed: {shown(plain, watched)}", flush=True)
    for penalty in given.penalty:
        other = copy.deepcopy(plain)
        refit(other, learning, penalty)
        print(f"head again, penalty {penalty}: {shown(other, watched)}", flush=True)


def shown(learner: Learner, watched: dict[str, list[Framed]]) -> str:
    """The figures, in words."""
    scores = {name: scale_of(learner, images)[0] for name, images in watched.items()}
    of_phantoms = [one.name for one in CALIBRATION]
    known = {
        name: np.log([float(one.row["breast_volumetric_density"]) for one in watched[name]]) for name in of_phantoms
    }
    every, truth = (np.concatenate([table[name] for name in of_phantoms]) for table in (scores, known))
    slope, shift = np.polyfit(truth, every, 1)
    errors = {name: (scores[name] - shift) / slope - known[name] for name in of_phantoms}
    words = [f"{name} {error.mean():+.2f} ± {error.std():.2f}" for name, error in errors.items()]
    for name in ("mias", "msynth"):
        places = [SOURCES[name].index(str(one.row["density"])) for one in watched[name]]
        words.append(f"{name} ρ {spearmanr(scores[name], places)[0]:.3f}")
    outlined = [float(one.row["true"]) for one in watched["ddsm"]]
    return ", ".join([*words, f"ddsm r {pearsonr(scores['ddsm'], outlined)[0]:.3f}"])


if __name__ == "__main__":
    main()
