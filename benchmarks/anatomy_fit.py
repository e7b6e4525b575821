"""Fit the weights of `densight.anatomy`.

densight phantom -n 240 --seed 101 --size 512x416 --mix 25,25,25,25 --style display -o PH/display
densight phantom -n 240 --seed 102 --size 512x416 --mix 25,25,25,25 --style film -o PH/film
densight phantom -n 100 --seed 103 --size 512x416 --mix 25,25,25,25 --style raw -o PH/raw
python benchmarks/anatomy_fit.py free PH -o free.safetensors
python benchmarks/anatomy_fit.py research PH --data DATA --start free.safetensors -o research.safetensors

``free`` is fitted on phantoms alone. ``research`` goes on from it with the films of ``DATA/ddsm_tissue`` and
``DATA/mias``; with ``--fold N`` without the N-th fifth of their patients, to be judged on it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from anatomy import material
from anatomy.fit import fit, save
from densight.anatomy.network import read_network


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", choices=("free", "research"))
    parser.add_argument("phantoms", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--fold", type=int)
    parser.add_argument("--steps", type=int)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    made = list(material.phantoms(*sorted(given.phantoms.iterdir())))
    if given.weights == "free":
        first = fit([(made, 1)], given.steps or 1800, 2e-3, 1, state=given.output)
        second = fit([(made, 1)], given.steps or 2600, 1.5e-3, 3, first, given.output)
        network = fit([(made, 1)], given.steps or 1800, 1e-3, 4, second, given.output)
    else:
        films = [list(material.ddsm(given.data / "ddsm_tissue")), list(material.mias(given.data / "mias"))]
        if given.fold is not None:
            films = [_without(given.fold, known) for known in films]
        start = read_network(given.start)
        sets = [(films[0], 7), (films[1], 1), (made, 1)]
        first = fit(sets, given.steps or 350, 1.5e-3, 2, start, given.output)
        network = fit(sets, given.steps or 450, 8e-4, 5, first, given.output)
    save(network, given.output)


def _without(fold: int, known: list[material.Known]) -> list[material.Known]:
    held_out = set(material.folds(known)[fold])
    return [one for i, one in enumerate(known) if i not in held_out]


if __name__ == "__main__":
    main()
