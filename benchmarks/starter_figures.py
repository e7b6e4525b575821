"""Figures of merit of the models that come with densight, on images that they have not learnt from.

python benchmarks/starter_figures.py MODEL PH DATA -o OUT [--folds OUT] [--only PART …]

``MODEL`` is ``starter``, ``starter-research`` or a bundle's folder; ``PH`` where phantoms are made, ``DATA`` the folder
of ``mias``, ``ddsm_tissue``, ``msynth`` and ``infn``. ``--folds`` names the folder of the bundles of
``starter_fit.py … --fold N``, which then judge DDSM. Writes ``figures.json`` and the tables of images.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from anatomy.figures import changed, refused
from densight.assessment.models import Models, load_models
from densight.intake.image import read_mammogram
from densight.vocabulary import Projection
from starter import figures, material
from starter.baselines import ridge, tutorial
from starter.figures import assessed, interval, rank, three_way
from starter.sets import TEST, UNSEEN, make

PARTS = ("mias", "ddsm", "phantoms", "msynth", "robustness", "refusal", "speed", "infn")

CUT_ON = 20
"""Women of mini-MIAS outside the held-out ones on whom the three-way cut is fitted."""


def main() -> None:
    """Measure each part and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("phantoms", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folds", type=Path)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS[:-1])
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    models = load_models([given.model])
    path = given.output / "figures.json"
    measured: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    for part in given.only:
        measured[part] = measure(part, models, given)
        print(part, json.dumps(measured[part], indent=1, ensure_ascii=False), flush=True)
        path.write_text(json.dumps(measured, indent=1, ensure_ascii=False))


def measure(part: str, models: Models, given: argparse.Namespace) -> Any:
    """One part's figures."""
    if part == "mias":
        return mias(models, given.data / "mias", given.output)
    if part == "ddsm":
        return ddsm(models, given.data / "ddsm_tissue", given.folds, given.output)
    if part == "phantoms":
        return phantoms(models, given.phantoms, given.output)
    if part == "msynth":
        return msynth(models, given.data / "msynth", given.output)
    if part == "robustness":
        return robustness(models, given.data, given.phantoms)
    if part == "refusal":
        found = figures.refusals(models, refused([]))
        return {"pictures": len(found), "refused": int((found["refused"] != "").sum())}
    if part == "infn":
        found = figures.of_infn(models, given.data / "infn")
        found.to_csv(given.output / "infn.csv", index=False)
        off = (found["predicted"].map("ABCD".find) - found["density"].map("ABCD".find)).abs()
        return {"images": len(found), "right": int((off == 0).sum()), "off by two": int((off > 1).sum())}
    return speed(given.model, given.phantoms)


def mias(models: Models, folder: Path, output: Path) -> dict[str, Any]:
    """The held-out women, against percent density alone, hand-made features and the tutorial's network."""
    framed = material.mias(folder)
    rows = [assessed(models, material.read_image(one.row), **one.row) for one in framed]
    table = pd.DataFrame(rows).assign(read=[one.row["percent_density_read"] for one in framed])
    table["place"] = table["density"].map("FGD".find)
    learning, held_out = (table["split"] != "test").to_numpy(), (table["split"] == "test").to_numpy()
    known = [one for one, is_ in zip(framed, learning, strict=True) if is_]
    table["ridge"] = ridge(known, table["place"][learning], framed)
    by_tutorial = tutorial(folder, output / "tutorial")
    table["tutorial"] = [assessed(by_tutorial, material.read_image(one.row))["expected"] for one in framed]
    table.to_csv(output / "mias.csv", index=False)
    women = list(dict.fromkeys(table["patient_id"][learning]))
    fitted = table[table["patient_id"].isin(np.random.default_rng(material.SPLIT[1]).choice(women, CUT_ON, False))]
    fitted, judged = (one[one["refused"] == ""] for one in (fitted, table[held_out]))
    found: dict[str, Any] = {"women": judged["patient_id"].nunique(), "images": len(judged)}
    found["refused"] = int((table["refused"] != "").sum())
    for column in ("expected", "read", "ridge", "tutorial"):
        mean = dict.fromkeys(("place", "refused"), "first") | {column: "mean"}
        found[column] = {
            "spearman": interval(rank(column), judged),
            "accuracy": interval(three_way(column, fitted), judged),
            "spearman of women": interval(rank(column), judged.groupby("patient_id").agg(mean).reset_index()),
        }
    return found


def ddsm(models: Models, folder: Path, folds: Path | None, output: Path) -> dict[str, Any]:
    """E[k] and percent density against the outlined percent density."""
    rows = []
    of_folds = [] if folds is None else [load_models([folds / f"starter-research-fold{i}"]) for i in range(5)]
    for one in material.ddsm(folder):
        judge = of_folds[int(one.row["fold"])] if of_folds else models
        rows.append(assessed(judge, material.read_image(one.row), **one.row))
    table = pd.DataFrame(rows)
    table.to_csv(output / "ddsm.csv", index=False)
    judged = table[table["refused"] == ""]
    found: dict[str, Any] = {"images": len(judged), "refused": len(table) - len(judged)}
    for column in ("expected", "percent_density"):
        found[column] = {"r": interval(linear(column), judged), "spearman": interval(rank(column, "true"), judged)}
    return found


def linear(column: str) -> figures.Statistic:
    """Pearson's correlation with the true percent density."""
    return lambda table: float(np.corrcoef(table[column], table["true"])[0, 1])


def phantoms(models: Models, home: Path, output: Path) -> dict[str, Any]:
    """Exams of women whom no fitting has seen, in styles that it has seen, and in one that it has not."""
    tables = {one.name: figures.exams(models, make(one, home)) for one in (*TEST, UNSEEN)}
    pd.concat(tables.values()).to_csv(output / "phantoms.csv", index=False)
    found: dict[str, Any] = {}
    for name, table in tables.items():
        judged = table[table["refused"] == ""]
        found[name] = {
            "exams": len(judged),
            "refused": len(table) - len(judged),
            "refused images": int(table["images"].sum()),
            "kappa": interval(lambda t: figures.kappas(t, "predicted", "density"), judged),
            "kappa with reader 1": interval(lambda t: figures.kappas(t, "predicted", "reader_1"), judged),
            "kappa of reader 2 with reader 1": interval(lambda t: figures.kappas(t, "reader_2", "reader_1"), judged),
            "accuracy": interval(lambda t: float((t["predicted"] == t["density"]).mean()), judged),
        }
    both = pd.concat(
        [tables[one.name].assign(seen=True) for one in TEST[:2]] + [tables[UNSEEN.name].assign(seen=False)]
    )
    found["display seen less unseen"] = interval(_less, both[both["refused"] == ""])
    return found


def _less(table: pd.DataFrame) -> float:
    seen, unseen = (figures.kappas(table[table["seen"] == is_], "predicted", "density") for is_ in (True, False))
    return seen - unseen


def msynth(models: Models, folder: Path, output: Path) -> dict[str, Any]:
    """The four groups, by E[k] and by the breast's size alone."""
    framed = material.msynth(folder)
    rows = [assessed(models, material.read_image(one.row), **one.row) for one in framed]
    table = pd.DataFrame(rows)
    table["place"] = table["density"].map(["fatty", "scattered", "hetero", "dense"].index)
    sizes = []
    for row in rows:
        pixels = material.read_image(row).pixels
        sizes.append(-float((pixels > 0.1 * pixels.max()).sum()))
    table["size"] = sizes
    table.to_csv(output / "msynth.csv", index=False)
    judged = table[table["refused"] == ""]
    found = {column: interval(rank(column), judged) for column in ("expected", "percent_density", "size")}
    return {"images": len(judged), "refused": len(table) - len(judged), **found}


def robustness(models: Models, data: Path, home: Path) -> list[dict[str, Any]]:
    """What must not matter, on images of all kinds but the tutorial's."""
    paths = [
        *((path, Projection.MLO_R) for path in sorted((data / "ddsm_tissue" / "images").iterdir())[::2]),
        *((path, Projection.MLO_R) for path in sorted((data / "mias" / "images").iterdir())[::8]),
    ]
    for one in TEST:
        paths += [(path, None) for path in sorted(make(one, home).glob("*/*.png"))[::16]]
    mammograms = [read_mammogram(path, projection=projection) for path, projection in paths]
    return figures.changed_images(models, mammograms, changed()).to_dict("records")


def speed(model: Path, home: Path) -> dict[str, float]:
    """Load, and four projections of 3000 × 2400 pixels from files: seconds, and the peak of memory."""
    import cv2

    from densight.assessment.assess import assess_exam

    paths = sorted(make(TEST[0], home).glob("*/*.png"))[:4]
    images = [cv2.resize(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), (2400, 3000)) for path in paths]
    large = [home / f"large_{path.name}" for path in paths]
    for path, image in zip(large, images, strict=True):
        cv2.imwrite(str(path), image)
    taken = []
    for _ in range(7):
        start = time.perf_counter()
        assess_exam(load_models([model]), [read_mammogram(path) for path in large])
        taken.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"first s": taken[0], "median s": statistics.median(taken[1:]), "peak GiB of the process": peak}


if __name__ == "__main__":
    main()
