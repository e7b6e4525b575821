"""How often the picture tells the view: the pectoral muscle for MLO, none for CC.

    python benchmarks/projections.py DATA PHANTOMS...

DATA is the folder of the real mammograms, PHANTOMS folders that ``densight phantom`` made. The first 30 images of DDSM,
every eighth of mini-MIAS, every fifth of M-SYNTH, all of the INFN test set and 40 of each phantom set are looked at.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import densight
from densight.anatomy.projection import projection_from_picture
from densight.vocabulary import find_projection


def images(data: Path, phantoms: list[Path]) -> Iterator[tuple[str, list[Path], str | None]]:
    """Sets of images by name, with the view of all of them, or None where each one's name tells it."""
    yield "infn", sorted((data / "infn" / "TestSet").rglob("*.png")), None
    yield "ddsm", sorted((data / "ddsm_tissue").glob("images/*.png"))[:30], "MLO"
    yield "mias", sorted((data / "mias" / "images").glob("*.png"))[::8], "MLO"
    yield "msynth", sorted((data / "msynth").rglob("*.jpg"))[::5], "CC"
    for folder in phantoms:
        found = sorted(folder.glob("P*/*.png"))
        yield folder.name, random.Random(0).sample(found, min(40, len(found))), None


def main() -> None:
    """Print for each set how many of the pictures tell the view right."""
    for name, paths, view in images(Path(sys.argv[1]), [Path(one) for one in sys.argv[2:]]):
        right = 0
        for path in paths:
            known = find_projection(path.stem) if view is None else None
            anatomy = densight.anatomy.read(densight.read_mammogram(path))
            told = projection_from_picture(anatomy)
            seen = told.view if told else ("MLO" if anatomy.pectoral.any() else "CC")
            right += seen == (known.view if known else view)
        print(f"{name}: {right} of {len(paths)}", flush=True)


if __name__ == "__main__":
    main()
