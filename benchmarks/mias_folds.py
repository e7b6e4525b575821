"""How well a recipe does on mini-MIAS: cross-validation by patient, everyone assessed by a model that never saw them.

    python benchmarks/mias_folds.py ../shared/data/mias OUT --recipe default --folds 5

With ``--learning-only`` the patients whom ``densight index`` puts into its test part take no part: so recipes are
compared without looking at those whom the README's figures are about.

Writes OUT/run/ as ``densight assess`` and ``densight figures`` do, the rows of all folds together, and prints the
figures of merit with 95 % intervals over patients. A run that was stopped goes on.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import pandas as pd
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold

from densight.assessment.fusion import probability_columns
from densight.assessment.models import load_models
from densight.assessment.tables import write_assessments
from densight.figures.evaluate import figures_of_run, write_figures
from densight.figures.plots import save_plots
from densight.intake.catalogue import Catalogue
from densight.intake.exam import entries_of
from densight.intake.layouts import index
from densight.intake.split import split_by_patient
from densight.runs.drawing_pool import draw_in_turn
from densight.runs.outputs import RunContext
from densight.runs.run import assess_entries
from densight.training.recipe import read_recipe
from densight.training.train import BatchTrained, EpochTrained, ImageRead, train

VALIDATION = 0.15
"""The part of a fold's other patients that chooses the epoch."""


def print_epoch(fold: int, event: ImageRead | BatchTrained | EpochTrained) -> None:
    """Print one line per epoch."""
    if isinstance(event, EpochTrained):
        last = event.measured
        print(
            f"fold {fold} epoch {last.epoch}: training {last.train_accuracy:.3f}, validation "
            f"{last.validation_accuracy:.3f}, loss {last.validation_loss:.3f}",
            flush=True,
        )


def with_fold(catalogue: Catalogue, fold: int, folds: int, seed: int) -> Catalogue:
    """The catalogue with one fold's patients as the test part."""
    table = catalogue.table.assign(split="")
    dealer = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    _, test = list(dealer.split(table, table["density"], table["patient_id"]))[fold]
    table.loc[table.index[test], "split"] = "test"
    table = split_by_patient(table, catalogue.classes, (1 - VALIDATION, VALIDATION, 0.0), seed)
    return Catalogue(table, catalogue.classes, catalogue.root)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("mias", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--learning-only", action="store_true")
    options = parser.parse_args()
    catalogue, _ = index(options.mias, "mias")
    if options.learning_only:
        learning = catalogue.table[catalogue.table["split"] != "test"].reset_index(drop=True)
        catalogue = Catalogue(learning, catalogue.classes, catalogue.root)
    recipe = read_recipe(options.recipe)
    assessed = []
    for fold in range(options.folds):
        folded = with_fold(catalogue, fold, options.folds, options.seed)
        model = options.out / f"fold_{fold}" / "all"
        train(
            folded,
            model,
            recipe=recipe,
            recipe_name=options.recipe,
            seed=options.seed,
            progress=partial(print_epoch, fold),
        )
        entries = tuple(entries_of(folded.select(split="test")))
        run = options.out / f"fold_{fold}" / "run"
        context = RunContext(run, options.mias, load_models([model]), entries, (), None, draw_in_turn)
        assessed.append(assess_entries(context).images)
    images = pd.concat(assessed, ignore_index=True)
    write_assessments(options.out / "run", images, catalogue.classes)
    figures = figures_of_run(options.out / "run")
    write_figures(figures, options.out / "run")
    save_plots(figures, options.out / "run")
    truth = [catalogue.classes.index(label) for label in images["density"]]
    probabilities = images[probability_columns(catalogue.classes)].to_numpy()
    # Single precision sums to one but for its last digits, of which scikit-learn would warn.
    loss = log_loss(truth, probabilities / probabilities.sum(axis=1, keepdims=True))
    print(f"mean log-loss of an image: {loss:.3f}")
    for level, merit in figures.levels.items():
        low, high = merit["balanced_accuracy"].interval or (float("nan"), float("nan"))
        print(
            f"{level}: {merit.n} of {merit.patients} patients, accuracy {merit['accuracy'].value:.3f}, "
            f"balanced accuracy {merit['balanced_accuracy'].value:.3f} [{low:.3f}, {high:.3f}], "
            f"confusion {merit.confusion}"
        )


if __name__ == "__main__":
    main()
