"""``densight tutorial``: the way from the INFN tutorial's scripts and notebooks to densight's commands."""

from __future__ import annotations

from dataclasses import dataclass

from densight.cli.common_options import add_to_json
from densight.cli.terminal import open_console, print_line

__all__ = ["tutorial"]


@dataclass(frozen=True)
class _Step:
    """A file of the tutorial, the command in its place, and what is to be known."""

    file: str
    command: str
    note: str


STEPS = (
    _Step(
        "TrainingSet/, ValidationSet/, TestSet/",
        "densight index TestSet -o catalogue.csv",
        "Folders <PROJECTION>/train|validation|test/<CLASS> are read as they stand.",
    ),
    _Step(
        "Train_ResNet.py",
        "densight train catalogue.csv --recipe tutorial --projection each -o models",
        "Number for number, once a projection; --recipe default is for few images.",
    ),
    _Step(
        "CC_R_model/*.h5",
        "densight convert CC_R_model/weights-improvement-46-0.80.h5 -o models/CC_R",
        "Weights that Keras has trained; or give the file itself as --model.",
    ),
    _Step(
        "Prediction_ResNet.py",
        "densight assess catalogue.csv --split test --model models -o run",
        "Writes predictions_ccr.txt and the like. Without --model: the model in the box.",
    ),
    _Step(
        "Figure_merit.ipynb",
        "densight figures run",
        "With intervals; or of prediction files: figures *.txt --labels labels.csv -o out.",
    ),
    _Step(
        "ClassActivationMaps.ipynb",
        "densight explain catalogue.csv --split test --model models -o maps",
        "The tutorial's four pictures of each image, all classes, and the raw maps.",
    ),
    _Step(
        "its conclusion",
        "densight trial maps",
        "Whether the maps tell the truth: in dense tissue, and where it is the cause.",
    ),
)


LAST = """\
The tutorial is Scapicchio, Lizzi, Fantacci: Explainability of a CNN classifier
for breast density assessment. densight demo does all of it on phantom exams."""


def tutorial() -> None:
    """Show the way from the INFN tutorial to densight.

    Each of its scripts and notebooks, and the command in its place. Folders,
    weights and prediction files of the tutorial work as they are. The page
    "Moving from the tutorial" of the documentation goes line by line.

    densight tutorial
    """
    console = open_console()
    for step in STEPS:
        print_line(console, step.file)
        print_line(console, f"  $ {step.command}")
        print_line(console, f"    {step.note}\n")
    print_line(console, LAST)
    add_to_json(steps=STEPS)
