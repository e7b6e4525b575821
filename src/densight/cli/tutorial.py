"""``densight tutorial``: which command replaces which script or notebook of the INFN tutorial."""

from __future__ import annotations

from dataclasses import dataclass

from densight.cli.common_options import add_to_json
from densight.cli.terminal import open_console, print_line

__all__ = ["tutorial"]


@dataclass(frozen=True)
class _Step:
    """A file of the tutorial, the command that replaces it, and a note."""

    file: str
    command: str
    note: str


STEPS = (
    _Step(
        "TrainingSet/, ValidationSet/, TestSet/",
        "densight index TestSet -o catalogue.csv",
        "Reads folders <PROJECTION>/train|validation|test/<CLASS> unchanged.",
    ),
    _Step(
        "Train_ResNet.py",
        "densight train catalogue.csv --recipe tutorial --projection each -o models",
        "The same settings, one network per projection; --recipe default suits few images.",
    ),
    _Step(
        "CC_R_model/*.h5",
        "densight convert CC_R_model/weights-improvement-46-0.80.h5 -o models/CC_R",
        "Weights trained with Keras; --model also accepts the .h5 file itself.",
    ),
    _Step(
        "Prediction_ResNet.py",
        "densight assess catalogue.csv --split test --model models -o run",
        "Also writes predictions_ccr.txt etc. Without --model it uses starter.",
    ),
    _Step(
        "Figure_merit.ipynb",
        "densight figures run",
        "With intervals. From prediction files: figures *.txt --labels labels.csv -o out.",
    ),
    _Step(
        "ClassActivationMaps.ipynb",
        "densight explain catalogue.csv --split test --model models -o maps",
        "The tutorial's four pictures of each image, all classes, and the raw maps.",
    ),
    _Step(
        "its conclusion",
        "densight trial maps",
        "Tests whether the maps lie in dense tissue, and where tissue causes the answer.",
    ),
)


LAST = """\
The tutorial is Scapicchio, Lizzi, Fantacci: Explainability of a CNN classifier
for breast density assessment. densight demo runs all of it on phantom exams."""


def tutorial() -> None:
    """Show which command replaces which part of the INFN tutorial.

    Lists each script and notebook of the tutorial with its command. Folders,
    weights and prediction files of the tutorial work unchanged. The page
    "Moving from the tutorial" of the documentation compares line by line.

    densight tutorial
    """
    console = open_console()
    for step in STEPS:
        print_line(console, step.file)
        print_line(console, f"  $ {step.command}")
        print_line(console, f"    {step.note}\n")
    print_line(console, LAST)
    add_to_json(steps=STEPS)
