"""Trials of a run's explanations: with its images and models, in its folder."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from densight.assessment.assess import prepare_image, run_network
from densight.assessment.models import Models, load_models
from densight.assessment.record import RunRecord, Sources, read_record
from densight.assessment.tables import read_assessments, read_table
from densight.explanation.hang_again import hang_again
from densight.explanation.methods.methods import choose_methods
from densight.intake.failures import Failure
from densight.intake.image import read_mammogram
from densight.network.shipped import is_shipped
from densight.storage import read_json, replacing, write_csv, write_json
from densight.trials.battery import BASELINES, try_baseline, try_method
from densight.trials.bench import Bench
from densight.trials.case import READ, Case
from densight.trials.measure import MEASURES, Summary, Trial
from densight.trials.verdicts import PICTURES, TRIALS, Card, make_card
from densight.vocabulary import DensightError, Projection

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["IMAGES", "VALUES", "TrialRun", "choose_images", "try_run"]

VALUES = "trials.csv"
"""The file's name in a run folder: the values of every image."""

IMAGES = 20
"""The default number of images."""

_COLUMNS = ("method", "measure", "path", "patient_id", "value", "chance")


@dataclass(frozen=True, eq=False)
class TrialRun:
    """The result of a run's trials.

    Parameters
    ----------
    trials : tuple of Trial
    cards : tuple of Card
        One per method.
    failures : tuple of Failure
        Images that could not be tested.
    """

    trials: tuple[Trial, ...]
    cards: tuple[Card, ...]
    failures: tuple[Failure, ...]

    @property
    def summaries(self) -> dict[str, dict[str, Summary]]:
        """By method, then by measure."""
        return _summaries(self.trials)


def try_run(
    run: str | Path,
    methods: Sequence[str] = (),
    *,
    images: int = IMAGES,
    seed: int = 0,
    predicted: bool = False,
    model: Sequence[str | Path] = (),
    source: str | Path | None = None,
    second: Sequence[str | Path] = (),
    shuffled: Sequence[str | Path] = (),
    device: str = "cpu",
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> TrialRun:
    """Test methods of explanation on the images of a run, and write the results into the run folder.

    The maps that are tested are the maps that the run drew: with the same baseline, layer and random numbers.

    ``trials.csv`` holds the value and chance level of every image; ``trials.json`` the summaries, the verdicts, and the
    images and models of the trials; ``trials/`` a table and a picture of the values. A method that an earlier call has
    tested on the same images is not tested again.

    Parameters
    ----------
    run : path-like
        The run folder.
    methods : sequence of str
        If empty those of the run, or Grad-CAM if the run has no explanations.
    images : int
        The number of images, at most two per patient.
    seed : int
        Of the choice of images, noise and random orders. The methods' own random numbers are those of the run.
    predicted : bool
        Whether the map of the predicted class, as the report shows it, is tested instead of the expected class's.
    model, source : path-like
        The run's models and its input, if they were moved.
    second, shuffled : sequence of path-like
        The models trained again with another seed, and models trained on shuffled labels. Without them those trials
        are left out.
    device : {"cpu", "cuda", "mps"}
    progress : callable
        Called with the name of the step, the number of parts done, and the number of all.

    Raises
    ------
    DensightError
        If the folder holds no run, its input or models are not found or differ, a method does not exist, or no image
        can be tested.
    """
    run = Path(run)
    record = read_record(run)
    chosen = choose_methods(methods or record.methods or ["grad-cam"])
    models = _find_models(run, record, model, device)
    table, _ = read_assessments(run)
    rows = choose_images(table, images, seed)
    base = _find_input(run, record, source)
    cases, failures = _make_cases(run, base, rows, models, predicted, record.layer, seed, progress)
    paths = [path for path, _ in cases]
    bench = Bench(
        tuple(case for _, case in cases),
        load_models(second, device) if second else None,
        load_models(shuffled, device) if shuffled else None,
        seed,
    )
    setup: dict[str, Any] = {
        "densight": version("densight"),
        "models": [bundle.checksum for bundle in models.bundles],
        "second": [bundle.checksum for bundle in bench.second.bundles] if bench.second else [],
        "shuffled": [bundle.checksum for bundle in bench.shuffled.bundles] if bench.shuffled else [],
        "target": "predicted class" if predicted else "expected class",
        "baseline": READ,
        "layer": record.layer,
        "seed": seed,
        "images": paths,
        "tissue": sorted({case.reference for case in bench.cases}),
        "fat": sorted({case.replaced for case in bench.cases}),
    }
    done = _read_done(run, setup, bench)
    for name in (*BASELINES, *chosen):
        if name in done:
            continue
        if name in BASELINES:
            done[name] = try_baseline(bench, name)
        else:
            done[name] = try_method(bench, name, lambda n, total, name=name: progress(name, n, total))  # type: ignore[misc]
        _write(run, setup, [trial for of in done.values() for trial in of], paths)
    trials = tuple(trial for of in done.values() for trial in of)
    cards = tuple(make_card(name, of) for name, of in _summaries(trials).items() if name not in BASELINES)
    _draw(run, trials)
    hung_method = next(iter(record.methods), None)
    warning = next((card.warning for card in cards if card.method == hung_method), "")
    hang_again(run, base, table, warning)
    return TrialRun(trials, cards, tuple(failures))


def choose_images(table: pd.DataFrame, images: int, seed: int) -> pd.DataFrame:
    """Choose images of a run: ideally two per patient, in turn both sides of one view and both views of one side.

    Parameters
    ----------
    table : DataFrame
        ``assessments.csv``.
    images, seed : int

    Returns
    -------
    DataFrame
        Rows of the table; all of them if there are no more.
    """
    if images < 1:
        raise DensightError(f"{images} images cannot be tested", remedy="give 1 or more: --images 20")
    patients = np.random.default_rng(seed).permutation(table["patient_id"].unique())
    pairs = (("CC_R", "CC_L"), ("CC_R", "MLO_R"), ("MLO_R", "MLO_L"), ("CC_L", "MLO_L"))
    chosen: list[int] = []
    for turn, patient in enumerate(patients):
        of_patient = table[table["patient_id"] == patient]
        names = of_patient["view"] + "_" + of_patient["laterality"]
        wanted = of_patient[names.isin(pairs[turn % len(pairs)])].drop_duplicates(["view", "laterality"])
        chosen += list((wanted if len(wanted) == 2 else of_patient.head(2)).index)
        if len(chosen) >= images:
            break
    return table.loc[sorted(chosen[:images])]


def _find_models(run: Path, record: RunRecord, given: Sequence[str | Path], device: str) -> Models:
    known = (record.sources or Sources()).models
    sources = list(given) or [path if is_shipped(path) else run / path for path in known]
    remedy = "name the run's models with --model"
    if not sources:
        raise DensightError("run.json does not name the run's models", run, remedy)
    try:
        models = load_models(sources, device)
    except DensightError as error:
        raise DensightError(error.fault, error.path, remedy) from error
    checksums = {model.sha256 for model in record.models}
    if {bundle.checksum for bundle in models.bundles} != checksums:
        raise DensightError("these are not the models of the run", run, remedy)
    return models


def _find_input(run: Path, record: RunRecord, source: str | Path | None) -> Path:
    """The folder to which the paths in the run's tables are relative."""
    known = (record.sources or Sources()).input
    if source is None and not known:
        raise DensightError("run.json does not name the run's input", run, "name it with --input")
    path = Path(source) if source is not None else run / known
    if not path.exists():
        raise DensightError("the run's input is not there", path, "name it with --input")
    return path if path.is_dir() else path.parent


def _make_cases(
    run: Path,
    base: Path,
    rows: pd.DataFrame,
    models: Models,
    predicted: bool,
    layer: str | None,
    seed: int,
    progress: Callable[[str, int, int], None],
) -> tuple[list[tuple[str, Case]], list[Failure]]:
    cases, failures = [], []
    for done, row in enumerate(rows.to_dict("records")):
        progress("images", done, len(rows))
        path, projection = base / str(row["path"]), Projection.of(row["view"], row["laterality"])
        try:
            mammogram = read_mammogram(path, projection, patient_id=str(row["patient_id"]), exam_id=str(row["exam_id"]))
            bundle = models.of(projection, path)
            result = run_network(bundle, prepare_image(bundle, mammogram))
            # The class that the run's tables and report show, calibrated where the run was.
            label = str(row["predicted"]) if predicted else None
            cases.append((str(row["path"]), Case.of(result, label=label, layer=layer, seed=seed)))
        except DensightError as error:
            failures.append(Failure.of(error, path))
    progress("images", len(rows), len(rows))
    if not cases:
        first = failures[0]
        raise DensightError(f"no image can be tested; the first, {first.path.name}: {first.fault}", run, first.remedy)
    return cases, failures


def _read_done(run: Path, setup: dict[str, Any], bench: Bench) -> dict[str, list[Trial]]:
    """The trials of an earlier call on the same images."""
    if not ((run / TRIALS).is_file() and (run / VALUES).is_file()):
        return {}
    if read_json(run / TRIALS).get("tried") != setup:
        return {}
    table = read_table(run / VALUES, _COLUMNS, "delete it and run the trial again")
    done: dict[str, list[Trial]] = {}
    for (method, measure), rows in table.groupby(["method", "measure"], sort=False):
        if measure not in MEASURES or len(rows) != len(bench.cases):
            return {}
        values, chance = (
            np.array([float(text) if text else math.nan for text in rows[name]]) for name in ("value", "chance")
        )
        done.setdefault(str(method), []).append(Trial(str(method), str(measure), values, chance, bench.patients))
    return done


def _summaries(trials: Sequence[Trial]) -> dict[str, dict[str, Summary]]:
    summaries: dict[str, dict[str, Summary]] = {}
    for trial in trials:
        summaries.setdefault(trial.method, {})[trial.measure] = trial.summary()
    return summaries


def _write(run: Path, setup: dict[str, Any], trials: Sequence[Trial], paths: Sequence[str]) -> None:
    rows = (
        {
            "method": trial.method,
            "measure": trial.measure,
            "path": path,
            "patient_id": patient,
            "value": _text(value),
            "chance": _text(chance),
        }
        for trial in trials
        for path, patient, value, chance in zip(paths, trial.patients, trial.values, trial.chance, strict=True)
    )
    write_csv(run / VALUES, _COLUMNS, rows)
    summaries = _summaries(trials)
    content = {
        "tried": setup,
        "measures": {name: asdict(MEASURES[name]) for of in summaries.values() for name in of},
        "methods": {
            method: {name: _plain(asdict(summary)) for name, summary in of.items()} for method, of in summaries.items()
        },
        "cards": {
            method: {
                "lines": [asdict(line) for line in card.lines],
                "failed": list(card.failed),
                "warning": card.warning,
            }
            for method, of in summaries.items()
            if method not in BASELINES
            for card in [make_card(method, of)]
        },
    }
    write_json(run / TRIALS, content)


def _text(value: float) -> str:
    return "" if math.isnan(value) else repr(float(value))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """The values without NaN, which JSON does not have."""

    def without_nan(value: Any) -> Any:
        if isinstance(value, tuple):
            return [without_nan(item) for item in value]
        return None if isinstance(value, float) and math.isnan(value) else value

    return {name: without_nan(value) for name, value in values.items()}


def _draw(run: Path, trials: Sequence[Trial]) -> None:
    from densight.trials.plots import draw_table, draw_values

    methods = [trial for trial in trials if trial.method not in BASELINES]
    for name, figure in (("table", draw_table(_summaries(methods))), ("values", draw_values(trials))):
        for kind in ("png", "svg"):
            with replacing(run / PICTURES / f"{name}.{kind}") as temporary:
                figure.savefig(temporary, format=kind, dpi=150)
