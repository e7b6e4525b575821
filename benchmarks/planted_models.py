"""Planted networks before the trials: those that look at dense tissue, a marker, the breast's size, and at nothing.

    python benchmarks/planted_models.py EXAMS MARKED [--methods NAMES] [--images N]

EXAMS is a set of ``densight phantom``, MARKED the same with markers (``benchmarks/trials/material.py``). Prints each
deciding measure with its interval by patient and its verdict: what is known must be found.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from densight.assessment.assess import prepare_image, run_network
from densight.intake.catalogue import read_catalogue
from densight.intake.exam import entries_of, group_exams, read_entry
from densight.network.architecture import Architecture, build_network
from densight.network.blocks import DensityNetwork
from densight.network.bundle import Bundle
from densight.network.facts import BundleFacts
from densight.preparation.prepare import Preparation
from densight.trials.battery import try_method
from densight.trials.bench import Bench
from densight.trials.case import Case
from densight.trials.verdicts import JUDGED, make_card, number
from densight.vocabulary import BIRADS, PROJECTIONS
from trials.planted import looks_at_dense_tissue, reads_marker, reads_size

SHAPES = {"default": (192, 128), "tutorial": (192, 160)}


def planted() -> dict[str, tuple[DensityNetwork, str]]:
    """The networks and the preset each is made for."""
    torch.manual_seed(0)
    return {
        "dense tissue": (looks_at_dense_tissue(), "default"),
        "marker": (reads_marker(), "tutorial"),
        "size": (reads_size(), "tutorial"),
        "random": (build_network(Architecture("mobilenetv2-035", len(BIRADS), 1)), "default"),
    }


def bench_of(network: DensityNetwork, preset: str, exams: Path, images: int) -> Bench:
    """One image an exam of the split test, projections in turn."""
    preparation = Preparation(preset, SHAPES[preset])
    facts = BundleFacts(Architecture("planted", len(BIRADS), preparation.channels), preparation, BIRADS, PROJECTIONS)
    bundle = Bundle(facts, network.eval(), "planted", Path("planted"))
    entries = [entry for entry in entries_of(read_catalogue(exams / "catalogue.csv")) if entry.split == "test"]
    chosen = [exam[turn % len(exam)] for turn, exam in enumerate(group_exams(entries)[:images])]
    return Bench(tuple(Case.of(run_network(bundle, prepare_image(bundle, read_entry(entry)))) for entry in chosen))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("exams", type=Path)
    parser.add_argument("marked", type=Path)
    parser.add_argument("--methods", default="expected-class,deep-lift,occlusion")
    parser.add_argument("--images", type=int, default=20)
    options = parser.parse_args()
    methods = options.methods.split(",")
    for name, (network, preset) in planted().items():
        bench = bench_of(network, preset, options.marked if name == "marker" else options.exams, options.images)
        print(f"\n{name}: {len(bench.cases)} images of as many women")
        found = {}
        for method in methods:
            found[method] = {trial.measure: trial.summary() for trial in try_method(bench, method)}
        print(f"{'':22s}" + "".join(f"{method:>30s}" for method in methods))
        for measure in (one for names in JUDGED.values() for one in names):
            if any(measure in of for of in found.values()):
                cells = []
                for of in found.values():
                    one = of.get(measure)
                    low, high = one.interval if one else (0.0, 0.0)
                    cells.append(f"{number(one.value)} [{number(low)}, {number(high)}] {one.verdict}" if one else "")
                print(f"{measure:22s}" + "".join(f"{cell:>30s}" for cell in cells))
        for method in methods:
            print(f"{method}: not passed: {', '.join(make_card(method, found[method]).failed) or 'none'}")


if __name__ == "__main__":
    main()
