"""``report.html``: a run folder as one page that needs nothing else, neither network nor files beside it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densight.explanation.methods.methods import method_name
from densight.explanation.naming import EXAM_PICTURES, MAPS, exam_picture_name
from densight.explanation.overlay import describe_class, probability
from densight.explanation.trial.card import PICTURES
from densight.figures.plots import PLOTS
from densight.report.contents import Contents, ExamRow, ImageRow, read_contents
from densight.report.embed import Picture, embed_picture, embed_plot
from densight.storage import write_text

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["REPORT", "write_report"]

REPORT = "report.html"
"""The file's name in a run folder."""

_PAGE_BUDGET = 20_000_000
"""Bytes of all pictures, before base64 makes four of three."""
_HANGING_LIMITS = (35_000, 200_000)
_CLASSES_LIMITS = (25_000, 100_000)
_MEASURES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_recall": "macro recall",
    "macro_precision": "macro precision",
}
_PLOTS = {
    "intervals": "Accuracy, macro recall and macro precision of every level with their 95 % intervals",
    "confusion": "Confusion matrices of every level: true classes in rows, predicted classes in columns",
}
_TRIALS = {
    "table": "Trials of the explanations: methods in rows, trials in columns, each with its 95 % interval and verdict",
    "values": "Every image's value in each trial, by method, with the means and chance",
}
_IMAGE_PICTURES = {"classes": "the map of every class", "methods": "the expected class's map by every method"}
_FACTS = ("densight", "input", "split", "device", "methods", "layer", "started", "finished")


def write_report(run: str | Path) -> Path:
    """Write ``report.html`` from what the run folder holds, and nothing else.

    The exams with their pictures, probabilities and what was assumed; the figures of merit; what failed; how to make
    it again. Everything but ``assessments.csv`` and ``run.json`` may be missing. Pictures are compressed, so that the
    page of a hundred exams stays below 30 MB.

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
    pictures = _embed_pictures(run, contents)
    tried = [
        embed_plot(path, alt) for name, alt in _TRIALS.items() if (path := run / PICTURES / f"{name}.svg").is_file()
    ]
    plots = [embed_plot(path, alt) for name, alt in _PLOTS.items() if (path := run / PLOTS / f"{name}.svg").is_file()]
    path = run / REPORT
    write_text(path, _render(contents, pictures, plots if contents.figures else [], tried if contents.trials else []))
    return path


@dataclass(frozen=True)
class _Pictures:
    """The pictures of the page: hangings by the exam's place, those of an image by what their names begin with."""

    hangings: Mapping[int, Picture]
    classes: Mapping[str, Picture]
    methods: Mapping[str, Picture]
    left_out: int

    @property
    def all(self) -> list[Picture]:
        return [*self.hangings.values(), *self.classes.values(), *self.methods.values()]


def _embed_pictures(run: Path, contents: Contents) -> _Pictures:
    """Compress the pictures; those of single images are left out where the page would become too large."""
    exams = {
        place: (exam, path)
        for place, exam in enumerate(contents.exams)
        if (path := run / EXAM_PICTURES / exam_picture_name(exam.patient_id, exam.exam_id)).is_file()
    }
    images = [
        (image, kind, path)
        for image in contents.images
        for kind in _IMAGE_PICTURES
        if image.maps.startswith(f"{MAPS}/") and (path := run / f"{image.maps}_{kind}.png").is_file()
    ]
    of_exam = _within(_PAGE_BUDGET / max(len(exams), 1) / (2 if images else 1), _HANGING_LIMITS)
    left = (_PAGE_BUDGET - of_exam * len(exams)) / max(len(images), 1)
    of_image = _within(left, _CLASSES_LIMITS)
    shown = images if left >= of_image else []
    with ThreadPoolExecutor() as pool:
        hangings = {
            place: pool.submit(embed_picture, path, _describe_exam(exam), of_exam)
            for place, (exam, path) in exams.items()
        }
        of_images = {
            (kind, image.maps): pool.submit(
                embed_picture, path, _describe_image(image, kind, contents.classes), of_image
            )
            for image, kind, path in shown
        }
    by_kind = {
        kind: {maps: one.result() for (of_kind, maps), one in of_images.items() if of_kind == kind}
        for kind in _IMAGE_PICTURES
    }
    return _Pictures(
        {place: one.result() for place, one in hangings.items()},
        by_kind["classes"],
        by_kind["methods"],
        len(images) - len(shown),
    )


def _within(value: float, limits: tuple[int, int]) -> int:
    return int(min(max(value, limits[0]), limits[1]))


def _describe_exam(exam: ExamRow) -> str:
    views = ", ".join(image.projection for image in exam.images)
    return (
        f"Exam {exam.exam_id} as radiologists hang it ({views}), with the map of class {exam.predicted} on each breast"
    )


def _describe_image(image: ImageRow, kind: str, classes: tuple[str, ...]) -> str:
    values = ", ".join(
        f"{label} {probability(value)}" for label, value in zip(classes, image.probabilities, strict=True)
    )
    return f"{image.projection}, {image.file}: {_IMAGE_PICTURES[kind]} over the breast; probabilities {values}"


def _render(contents: Contents, pictures: _Pictures, plots: list[Picture], tried: list[Picture]) -> str:
    from markupsafe import Markup

    css, script = _part("report.css"), _part("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    shown = pictures.all + plots + tried
    exams = contents.exams
    return (
        _environment()
        .get_template("report.html")
        .render(
            css=Markup(css),  # noqa: S704 -- densight's own file
            script=Markup(script),  # noqa: S704 -- densight's own file
            script_hash=digest,
            run={**dict.fromkeys(_FACTS, ""), **contents.run},
            classes=contents.classes,
            exams=exams,
            images=contents.images,
            failures=contents.failures,
            figures=contents.figures,
            outdated=contents.outdated,
            trials=contents.trials,
            trial_plots=tried,
            warnings=contents.warnings,
            measures=_MEASURES,
            interval_methods=_interval_methods(contents.figures) if contents.figures else "",
            plots=plots,
            hangings=pictures.hangings,
            class_pictures=pictures.classes,
            method_pictures=pictures.methods,
            left_out=pictures.left_out,
            pictures=len(shown),
            size=f"{sum(len(one.source) for one in shown) / 1e6:.1f} MB",
            labelled=any(exam.reference for exam in exams),
            measured=any(image.percent_density is not None for image in contents.images),
            incomplete=sum(bool(exam.missing) for exam in exams),
            counts=[_count_class(label, contents) for label in contents.classes],
            assumed=contents.assumed(),
            command=contents.command,
            models=[(model.get("name", ""), _model_facts(model)) for model in contents.run.get("models", [])],
        )
    )


def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_part), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "probability": probability,
        "interval": _interval,
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
    """What is known of a model, in words, in the order in which one asks."""
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


def _interval_methods(figures: Mapping[str, Any]) -> str:
    """How the intervals of each measure were made, where ``figures.json`` says it."""
    measures: dict[str, list[str]] = {}
    for key, words in _MEASURES.items():
        found = [merit[key] for merit in figures["levels"].values() if merit.get(key)]
        methods = sorted({one["method"] for one in found if one.get("interval") and one.get("method")})
        if methods:
            measures.setdefault(" or ".join(methods).replace("wilson", "Wilson"), []).append(words)
    return "; ".join(f"{', '.join(words)}: {methods}" for methods, words in measures.items())


def _moment(text: str) -> str:
    """A moment of ISO 8601 as people write it."""
    moment = datetime.fromisoformat(text)
    return f"{moment:%Y-%m-%d, %H:%M} {moment.tzname() or ''}".strip()
