"""Make the models that come with densight.

python benchmarks/starter_fit.py starter PH -o OUT
python benchmarks/starter_fit.py starter-research PH --data DATA --start OUT/starter -o OUT
python benchmarks/starter_fit.py starter-research PH --data DATA --start OUT/starter -o OUT --fold 0   # … 4

``PH`` is where phantoms are made, if they are not there already. ``starter`` learns from them alone.
``starter-research`` goes on from it with the films of ``DATA/mias``, of 60 of the 120 women, and of
``DATA/ddsm_tissue``; with ``--fold N`` without the N-th fifth of the women of DDSM, to be judged on them. A fit that
was stopped goes on. ``OUT/starter`` is then the bundle, ``OUT/starter.fit`` what is left of the fitting.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from densight.assessment.calibrate import fit_calibration, store_calibration
from densight.assessment.models import load_models
from densight.assessment.tables import read_assessments
from densight.runs.request import RunRequest
from densight.runs.run import run
from starter import material
from starter.bundle import write_starter
from starter.fit import Source, fit, mean_of, read_learner, save_learner
from starter.head import refit
from starter.sets import CALIBRATION, TRAINING, make

STEPS, RATE, SEEDS = 600, 5e-4, (1, 2, 3)
"""Few steps: with more, phantoms are told better and films and M-SYNTH worse. docs/starter.md has what was tried."""

PLAIN_FIT, PLAIN = (300, 3e-4, 11), 0.5
"""Steps, rate and seed of a last fit, in which every second example is hardly changed: what a film or a display does to
the score goes unseen in examples that are all changed much."""


def main() -> None:
    """Fit, write, calibrate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=("starter", "starter-research"))
    parser.add_argument("phantoms", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--fold", type=int)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    name = given.name if given.fold is None else f"{given.name}-fold{given.fold}"
    folder, left = given.output / name, given.output / f"{name}.fit"
    made = [one for each in TRAINING for one in material.phantoms(make(each, given.phantoms))]
    sources = [Source("phantom", made, 1)]
    if given.name == "starter":
        mean = mean_of([fit(sources, STEPS, RATE, seed, left / f"seed{seed}") for seed in SEEDS])
        learner = fit(sources, *PLAIN_FIT, left / "plain", mean.state_dict(), PLAIN)
    else:
        films = [one for one in material.mias(given.data / "mias") if one.row["split"] != "test"]
        outlined = [one for one in material.ddsm(given.data / "ddsm_tissue") if one.row["fold"] != given.fold]
        sources += [Source("mias", films, 1), Source("ddsm", outlined, 1)]
        start = read_learner(given.start.with_name(f"{given.start.name}.fit")).state_dict()
        learner = fit(sources, STEPS, RATE, SEEDS[0], left / "patients", start, PLAIN)
    refit(learner, made)
    save_learner(learner, left)
    learnt = [one for source in sources for one in source.images]
    write_starter(learner, given.name, learnt, folder)
    calibrate(folder, given.phantoms, given.output / f"{name}.calibration")


def calibrate(folder: Path, phantoms: Path, output: Path) -> None:
    """Calibrate the bundle on other phantoms."""
    models = load_models([folder], calibrated=False)
    for one in CALIBRATION:
        source = make(one, phantoms)
        run(RunRequest(source / "catalogue.csv", output / one.name, calibrated=False), models=models)
    tables = []
    for one in CALIBRATION:
        table, _ = read_assessments(output / one.name, models.classes)
        tables.append(table.assign(**{name: f"{one.name} " + table[name] for name in ("exam_id", "patient_id")}))
    record = {"input": "150 phantom exams of other women, of the mix of screening: films, displays of two makers"}
    store_calibration(models, fit_calibration(models, pd.concat(tables, ignore_index=True), record=record))


if __name__ == "__main__":
    main()
