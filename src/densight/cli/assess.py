"""``densight assess``: a model's probabilities for images, breasts and exams."""

from __future__ import annotations

from pathlib import Path

import typer

from densight.cli.options import (
    DeviceOption,
    DicomOption,
    EngineOption,
    IdentifiedOption,
    InputArgument,
    ModelOption,
    PrecisionOption,
    RedcapOption,
    RunOption,
    SplitOption,
)

__all__ = ["assess"]


def assess(
    source: InputArgument,
    model: ModelOption = None,
    output: RunOption = Path("run"),
    split: SplitOption = None,
    device: DeviceOption = "cpu",
    engine: EngineOption = "torch",
    precision: PrecisionOption = "fp32",
    dicom: DicomOption = False,
    identified: IdentifiedOption = False,
    redcap: RedcapOption = False,
) -> None:
    """Assess the density of images, breasts and exams.

    INPUT is an image (DICOM, PNG, JPEG, TIFF, PGM), a folder or zip archive of
    exams, a DICOMDIR, a data set's folder, or a catalogue.

    Computes the probability of every class. A breast is the mean of its CC and
    MLO; an exam is the mean of its projections. A model calibrated with densight
    calibrate may use another rule. Missing projections are reported.

    Writes assessments.csv, breasts.csv, exams.csv and report.html into the run
    folder. Lists images that cannot be assessed in failures.csv; the exit status
    is then 1. Lists DICOM files of other views in not_assessed.csv. A run that
    was stopped resumes when the same command is given again.

    densight assess exams/ -o run/
    """
    from densight.cli.runs import exit_status, run_request
    from densight.network.engine import Computing
    from densight.network.shipped import DEFAULT
    from densight.runs.output_table import choose_outputs
    from densight.runs.request import RunRequest

    request = RunRequest(
        source,
        output,
        tuple(model or [DEFAULT]),
        split=split,
        device=device,
        computing=Computing(engine, precision),
        outputs=choose_outputs(dicom=dicom, identified=identified, redcap=redcap),
    )
    raise typer.Exit(exit_status(run_request(request)))
