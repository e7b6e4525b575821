"""Do the maps of a run lie in the breast? How much of each map's positive evidence does, and of the seen image.

    python benchmarks/maps_in_breast.py RUN IMAGES

RUN is a run folder of ``densight explain``, IMAGES the folder that its paths are relative to. Prints means over the
images with 95 % intervals over patients. Of a map that does not look at the breast more than at its surroundings, as
large a share lies in the breast as the breast has of the image.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from densight.anatomy.breast import breast_mask
from densight.assessment.tables import read_assessments
from densight.explanation.panels import read_raw
from densight.figures.bootstrap import bootstrap_sums
from densight.figures.intervals import percentile_interval
from densight.intake.image import read_mammogram


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("images", type=Path)
    options = parser.parse_args()
    table, _ = read_assessments(options.run)
    shares: dict[str, list[list[float]]] = {}
    for row in table.to_dict("records"):
        explanation = read_raw(options.run / f"{row['maps']}_raw.json")
        breast = breast_mask(read_mammogram(options.images / str(row["path"])))
        evidence, seen = explanation.evidence(), explanation.geometry.seen()
        if evidence.any():
            inside = [float(evidence[breast].sum() / evidence.sum()), float(breast[seen].mean()), 1.0]
            shares.setdefault(str(row["patient_id"]), []).append(inside)
    by_patient = np.array([np.sum(rows, axis=0) for rows in shares.values()])
    means, drawn = by_patient.sum(axis=0), bootstrap_sums(by_patient)
    for index, name in enumerate(("positive evidence in the breast", "breast in the seen image")):
        low, high = percentile_interval(drawn[:, index] / drawn[:, 2])
        print(f"{name}: {means[index] / means[2]:.3f} [{low:.3f}, {high:.3f}], {means[2]:.0f} images")


if __name__ == "__main__":
    main()
