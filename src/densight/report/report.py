"""``report.html``: a run folder as one self-contained page, without network and without further files."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densight.explanation.methods.methods import method_name
from densight.figures.intervals import INTERVALS
from densight.figures.metrics import METRICS, SCALING_METRICS, TABLE_METRICS
from densight.figures.plots import PLOTS, plot_name
from densight.report.contents import Contents, read_contents
from densight.report.embed import Picture, embed_plot
from densight.report.films import Films, read_films
from densight.storage import write_text
from densight.trials.verdicts import PICTURES
from densight.vocabulary import describe_class, format_probability

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["REPORT", "write_report"]

REPORT = "report.html"
"""The file's name in a run folder."""

_PLOTS = {
    "intervals": "Accuracy, macro recall and macro precision of every level with their 95 % intervals",
    "confusion": "Confusion matrices of every level: true classes in rows, predicted classes in columns",
    "reliability": "Reliability diagram: share classified correctly against the greatest probability",
    "roc": "ROC curve of dense against non-dense with its operating points",
    "risk": "Share of wrong predictions against the share of exams kept, the least certain left out first",
}
_TRIALS = {
    "table": "Trials of the explanations: methods in rows, trials in columns, each with its 95 % interval and verdict",
    "values": "Value of every image in each trial, by method, with means and chance",
}
_FURTHER = ("fusions", "scalings", "sets", "against", "drift", "readers", "groups", "over")
_FACTS = ("densight", "calibration", "input", "split", "device", "computed", "methods", "layer", "started", "finished")


def write_report(run: str | Path) -> Path:
    """Write ``report.html`` from the contents of the run folder only.

    The page shows the exams with their pictures, probabilities and assumptions; the figures of merit; the failures;
    and how to reproduce the run. Only ``assessments.csv`` and ``run.json`` are required. Films are compressed, and
    maps are small grids that the page draws itself, so that a page of five hundred exams stays below 40 MB.

    Parameters
    ----------
    run : path-like
        A run folder.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    DensightError
        If ``assessments.csv`` or ``run.json`` is missing, or a table is faulty.
    """
    run = Path(run)
    contents = read_contents(run)
    films = read_films(run, contents.images, contents.classes)
    plots = {name: _plot(run / PLOTS, name, alt) for name, alt in _plots_of(contents).items()}
    trial_plots = [_plot(run / PICTURES, name, alt) for name, alt in _TRIALS.items()] if contents.trials else []
    path = run / REPORT
    existing = {name: plot for name, plot in plots.items() if plot}
    write_text(path, _render(contents, films, existing, [plot for plot in trial_plots if plot]))
    return path


def _plots_of(contents: Contents) -> dict[str, str]:
    """The plots of the figures by file name, with their alternative texts."""
    if not contents.figures:
        return {}
    plots = dict(_PLOTS)
    for key, text in (("groups", "Accuracy and κ by"), ("over", "Control chart over")):
        for group in contents.figures.get(key, []):
            plots[plot_name(key, group["column"])] = f"{text} {group['column']}"
    return plots


def _plot(folder: Path, name: str, alt: str) -> Picture | None:
    path = folder / f"{name}.svg"
    return embed_plot(path, alt) if path.is_file() else None


def _render(contents: Contents, films: Films, plots: Mapping[str, Picture], trial_plots: Sequence[Picture]) -> str:
    from markupsafe import Markup

    css, script = _part("report.css"), _part("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    exams = contents.exams
    all_plots = [*plots.values(), *trial_plots]
    size = films.size + sum(len(plot.source) for plot in all_plots)
    return (
        _environment()
        .get_template("report.html")
        .render(
            css=Markup(css),  # noqa: S704 -- densight's own file
            script=Markup(script),  # noqa: S704 -- densight's own file
            script_hash=digest,
            run={**dict.fromkeys(_FACTS, ""), **contents.run.model_dump()},
            classes=contents.classes,
            exams=exams,
            images=contents.images,
            failures=contents.failures,
            priors=contents.priors,
            left_out=contents.left_out,
            figures=contents.figures and {**dict.fromkeys(_FURTHER, ()), **contents.figures},
            names={name: metric.title for name, metric in METRICS.items()},
            short={name: metric.short for name, metric in METRICS.items()},
            main=TABLE_METRICS,
            of_scalings=SCALING_METRICS,
            interval_words=INTERVALS,
            outdated=contents.outdated,
            trials=contents.trials,
            trial_plots=trial_plots,
            warnings=contents.warnings,
            plots=plots,
            films=films,
            hung=contents.hung,
            pictures=len(films.films) + len(all_plots),
            size=f"{size / 1e6:.1f} MB",
            labelled=any(exam.reference for exam in exams),
            measured=any(image.percent_density is not None for image in contents.images),
            sets=any(exam.set for exam in exams),
            incomplete=sum(bool(exam.missing) for exam in exams),
            counts=[_count_class(label, contents) for label in contents.classes],
            assumed=contents.assumed(),
            command=contents.command,
            models=[(model.name, _model_facts(model.model_dump())) for model in contents.run.models],
        )
    )


def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_part), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "probability": format_probability,
        "interval": _interval,
        "number": _number,
        "change": _change,
        "p": lambda value: "–" if value is None else "< .001" if value < 0.001 else f"{value:.3f}",
        "plot_name": lambda column, key: plot_name(key, column),
        "moment": _moment,
        "count": lambda number, noun: f"{number} {noun}{'' if number == 1 else 's'}",
        "methods": lambda names: ", ".join(map(method_name, names)),
    }
    return environment


def _part(name: str) -> str:
    return resources.files("densight.report").joinpath(name).read_text(encoding="utf-8")


def _count_class(label: str, contents: Contents) -> dict[str, Any]:
    words = describe_class(label, contents.classes).removeprefix(label).strip()
    return {
        "label": label,
        "words": words,
        "predicted": sum(exam.predicted == label for exam in contents.exams),
        "reference": sum(exam.reference == label for exam in contents.exams),
    }


def _model_facts(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The recorded facts of a model as text, the most important first."""
    training = model.get("training") or {}
    recipe = training.get("recipe") or {}
    facts = {
        "weights, SHA-256": model.get("sha256"),
        "network": model.get("network"),
        "preparation": model.get("preparation"),
        "projections": ", ".join(model.get("projections") or []),
        "licence": model.get("licence"),
        "recipe": training.get("recipe_name"),
        "recipe's values": ", ".join(f"{key} {value}" for key, value in recipe.items()),
        "seed": training.get("seed"),
        "trained on": ", ".join(
            f"{split} {sum(images.values())} images" for split, images in (training.get("images") or {}).items()
        ),
        "epochs": training.get("epochs"),
        "kept epoch": training.get("best_epoch"),
        "versions": ", ".join(f"{name} {number}" for name, number in (training.get("versions") or {}).items()),
    }
    return [(key, str(value)) for key, value in facts.items() if value not in (None, "")]


def _interval(estimate: Mapping[str, Any]) -> str:
    if not estimate.get("interval"):
        return ""
    low, high = estimate["interval"]
    return f"[{low:.3f}, {high:.3f}]"


def _change(row: Mapping[str, str], name: str) -> str:
    """A change with its interval, from ``priors.csv``."""
    value, low, high = (row[f"change_{name}{ending}"] for ending in ("", "_low", "_high"))
    return f"{float(value):+.2f} [{float(low):+.2f}, {float(high):+.2f}]" if value else "–"


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _moment(text: str) -> str:
    """A time stamp of ISO 8601 in a readable form."""
    moment = datetime.fromisoformat(text)
    return f"{moment:%Y-%m-%d, %H:%M} {moment.tzname() or ''}".strip()
