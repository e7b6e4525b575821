"""How near phantoms come to mammograms of patients: a page to look at, and figures.

    python benchmarks/realism.py PHANTOMS OUT --data ../shared/data

PHANTOMS is a folder of ``densight phantom``, whose images should be at least 1024 rows high; without it (``-``) the
other sets are compared. DATA holds ``infn``, ``mias`` and ``msynth``. Writes OUT/realism.html, one file that needs
nothing else, OUT/realism.json, and prints a short table. The images of INFN are looked at here and chosen by nowhere.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from densight.storage import read_json, write_json, write_text
from realism.apart import DRAWS, Apart, tell_apart
from realism.images import MUSCLE, RIM, Listed, choose, find_sets, on_all_cores
from realism.measures import BAND, BLUR, DISTANCES, ROI, SCALE, Measured, Values, measure, ring_centres
from realism.pictures import TILE, TILE_PITCH, Shown, tile, whole
from realism.plots import NAMES, PERCENT_DENSITY, draw_all, spread_of

PAIRS = (("phantom", "infn"), ("msynth", "infn"), ("mias", "infn"), ("phantom", "mias"), ("msynth", "mias"))

TILES, WHOLES = 9, 4
"""Pictures of each set to be told apart, whole ones of each view."""

ASSUMED = (
    "INFN: a pixel pitch of 0.1 mm, which is not stated. No image has more than 2293 rows, and those whose breast "
    "fills the frame have exactly these, as a detector of 2294 rows of 0.1 mm (GE Senographe DS) would give; the "
    "breasts are then 180 to 229 mm high. Their pectoral muscles were painted over before they were published.",
    "Mini-MIAS: 0.2 mm, as published; films, so that contrast, noise and skin line are another medium's. Its tissue "
    "types F, G and D are not BI-RADS.",
    "M-SYNTH: 0.085 mm, the detector of VICTRE. Its craniocaudal views only, lesions inserted, no display processing.",
    f"The interior is what lies {RIM:g} mm or more below the skin; of every mediolateral oblique view the upper corner "
    f"at the chest wall ({MUSCLE[0]:.0%} of the height, {MUSCLE[1]:.0%} of the depth) is left out, muscle or not.",
    f"Texture is compared at a pitch of {SCALE} mm after a blur of {BLUR} mm (standard deviation, pixel included), "
    "between the 10th and 90th percentile of the interior's grey values.",
)


class Exponents(NamedTuple):
    """The table of exponents."""

    columns: list[str]
    rows: dict[str, list[str]]


def compare(sets: Mapping[str, Sequence[Measured]]) -> dict[str, Apart]:
    """Tell pairs of sets apart, and the halves of mini-MIAS, which nothing should tell apart."""
    names = list(sets["infn"][0].texture)
    women = sorted({one.listed.patient for one in sets["mias"]})
    first = set(np.random.default_rng(0).permutation(women)[: len(women) // 2])
    half = [[one for one in sets["mias"] if (one.listed.patient in first) is own] for own in (True, False)]
    pairs = {f"{NAMES[one]} – {NAMES[other]}": (sets[one], sets[other]) for one, other in PAIRS if one in sets}
    pairs["mini-MIAS, its halves"] = (half[0], half[1])
    found = {}
    for pair, both in pairs.items():
        features = [np.array([[one.texture[name] for name in names] for one in own]) for own in both]
        patients = [one.listed.patient for own in both for one in own]
        found[pair] = tell_apart(features[0], features[1], patients, names)
    return found


def tabulate(sets: Mapping[str, Sequence[Measured]]) -> Exponents:
    """Exponents by class, and of regions."""
    columns = ["A", "B", "C", "D", "F", "G", "D (tissue)", "all", "regions"]
    rows = {}
    for name, measured in sets.items():
        cells = []
        for column in columns[:-2]:
            film = column in ("F", "G", "D (tissue)")
            own = [one.slope for one in measured if one.listed.density == column[0] and film is (name == "mias")]
            cells.append(spread_of(own) if own else "–")
        cells.append(spread_of([one.slope for one in measured]))
        cells.append(spread_of(np.concatenate([one.slopes for one in measured])))
        rows[NAMES[name]] = cells
    return Exponents(columns, rows)


def pictures(sets: Mapping[str, Sequence[Listed]], seed: int) -> tuple[list[Shown], list[Shown]]:
    """Tiles and whole breasts, each shuffled; whole ones by view."""
    generator = np.random.default_rng(seed)

    def shuffled(shown: Sequence[Shown]) -> list[Shown]:
        return [shown[place] for place in generator.permutation(len(shown))]

    drawn = {name: choose(listed, len(listed), seed) for name, listed in sets.items()}
    chosen = [one for name in drawn for one in choose(drawn[name], 2 * TILES, seed + 1)]
    by_set: dict[str, list[Shown]] = {}
    for one in filter(None, on_all_cores(tile, chosen)):
        by_set.setdefault(one.listed.source, []).append(one)
    tiles = shuffled([one for own in by_set.values() for one in spaced(own, TILES)])
    wholes = []
    for view in ("CC", "MLO"):
        of_view = [choose([one for one in own if one.view == view], WHOLES, seed + 2) for own in sets.values()]
        wholes += shuffled(on_all_cores(whole, [one for own in of_view for one in own[:WHOLES]]))
    return tiles, wholes


def spaced(shown: Sequence[Shown], number: int) -> list[Shown]:
    """So many, evenly from a sequence that goes from class to class."""
    places = np.unique(np.linspace(0, len(shown) - 1, min(number, len(shown))).round().astype(int))
    return [shown[place] for place in places]


def summarise(sets: Mapping[str, Sequence[Measured]], apart: Mapping[str, Apart]) -> dict[str, Any]:
    """All numbers, for ``realism.json``."""
    by_set: dict[str, Any] = {}
    for name, measured in sets.items():
        labels = sorted({one.listed.density for one in measured})
        profile = np.nanmean([one.profile for one in measured], axis=0)
        by_set[name] = {
            "all": summarise_class(measured),
            "classes": {
                label: summarise_class([one for one in measured if one.listed.density == label]) for label in labels
            },
            "skin_profile": numbers((DISTANCES[1:] + DISTANCES[:-1]) / 2, profile),
        }
    return {"sets": by_set, "apart": {pair: asdict(one) for pair, one in apart.items()}}


def summarise_class(measured: Sequence[Measured]) -> dict[str, Any]:
    """Means over images; the exponents' with standard deviations, of images and of regions."""
    slopes = {"images": [one.slope for one in measured], "regions": np.concatenate([one.slopes for one in measured])}
    percents = ("p1", "p5", "p25", "p50", "p75", "p95", "p99")
    return {
        "images": len(measured),
        "exponent": {of: [float(np.mean(own)), float(np.std(own))] for of, own in slopes.items()},
        "contrast": {name: float(np.mean([one.levels[name] for one in measured])) for name in percents},
        "log10_spectrum": numbers(ring_centres(), np.log10([one.spectrum for one in measured]).mean(axis=0)),
    }


def numbers(places: Values, values: Values) -> dict[str, float]:
    """Values by their places, those that are known."""
    return {
        f"{place:.3g}": round(float(value), 4)
        for place, value in zip(places, values, strict=True)
        if np.isfinite(value)
    }


def render(**values: Any) -> str:
    """The page."""
    folder = Path(__file__).parent / "realism"
    script = (folder / "page.js").read_text(encoding="utf-8")
    css = resources.files("densight.report").joinpath("report.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment.get_template("page.html")
    return page.render(
        css=Markup(css), script=Markup(script), script_hash=digest, version=version("densight"), **values
    )


def percent_densities(listed: Sequence[Listed]) -> list[tuple[str, float]]:
    """Class and percent density of each phantom image."""
    return [(one.density, float(str(one.facts["percent_density"]))) for one in listed]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("phantoms", help="a folder of densight phantom, or - for none")
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--images", type=int, default=60, help="at most, of each set")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    phantoms = None if options.phantoms == "-" else Path(options.phantoms)
    listed = find_sets(phantoms, options.data)
    measured = {
        name: [one for one in on_all_cores(measure, choose(own, options.images, options.seed)) if one is not None]
        for name, own in listed.items()
    }
    apart = compare(measured)
    densities = percent_densities(listed.get("phantom", []))
    write_json(options.out / "realism.json", summarise(measured, apart))
    tiles, wholes = pictures(listed, options.seed)
    counts = ", ".join(f"{len(own)} images of {NAMES[name]}" for name, own in measured.items())
    page = render(
        counts=f"{counts}, as many of each class as there are",
        tiles=tiles,
        wholes=wholes,
        tile_mm=f"{TILE * TILE_PITCH:g}",
        apart=apart,
        features=len(measured["infn"][0].texture),
        draws=DRAWS,
        plots={"density": None} | draw_all(measured, densities, options.out / "plots"),
        exponents=tabulate(measured),
        band=BAND,
        roi=ROI,
        assumed=ASSUMED,
        command=f"python benchmarks/realism.py PHANTOMS OUT --images {options.images} --seed {options.seed}",
        made=read_json(phantoms / "phantom.json") if phantoms else {},
        names=NAMES,
    )
    write_text(options.out / "realism.html", page)
    say(apart, tabulate(measured), densities)
    print(options.out / "realism.html")


def say(apart: Mapping[str, Apart], exponents: Exponents, densities: Sequence[tuple[str, float]]) -> None:
    """The short table."""
    print(f"{'sets':26s}{'balanced accuracy':>20s}{'area, linear':>20s}{'area, trees':>20s}{'energy distance':>20s}")
    for pair, one in apart.items():
        print(f"{pair:26s}{one.accuracy!s:>20s}{one.auc!s:>20s}{one.trees_auc!s:>20s}{one.distance!s:>20s}")
    print("exponent β".ljust(12) + "".join(f"{column:>13s}" for column in exponents.columns))
    for name, cells in exponents.rows.items():
        print(f"{name:12s}" + "".join(f"{cell:>13s}" for cell in cells))
    for label, (mean, spread) in PERCENT_DENSITY.items() if densities else ():
        own = [value for density, value in densities if density == label]
        shown_text = f"{np.mean(own):.1f} ± {np.std(own):.1f}" if own else "none"
        print(f"percent density {label}: phantoms {shown_text}, women {mean} ± {spread}")


if __name__ == "__main__":
    main()
