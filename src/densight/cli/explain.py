"""``densight explain``: assess exams and map the evidence for each class."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
    complete_methods,
    read_names,
)

__all__ = ["explain"]


def explain(
    source: InputArgument,
    model: ModelOption = None,
    output: RunOption = Path("run"),
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            autocompletion=complete_methods,
            help="A method, several separated by commas, or all; see above.  [default: grad-cam]",
            show_default=False,
        ),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The layer to map.  [default: the last]", show_default=False),
    ] = None,
    split: SplitOption = None,
    device: DeviceOption = "cpu",
    engine: EngineOption = "torch",
    precision: PrecisionOption = "fp32",
    dicom: DicomOption = False,
    identified: IdentifiedOption = False,
    redcap: RedcapOption = False,
) -> None:
    """Assess exams and map the evidence for each class.

    Does what assess does. For every image it also maps the evidence for each
    class, and the evidence for denser and for fattier (the expected class).
    Writes into maps/ of the run folder: the tutorial's four pictures of each
    image, all classes side by side, each exam as radiologists hang it, and the
    raw signed maps (.npy, .tif). The report shows them.

    Methods without extra cost, computed in the same pass: grad-cam, grad-cam++,
    expected-class, layer-cam, hires-cam, ablation-cam, eigen-cam.

    Methods with up to a few seconds per image: score-cam, integrated-gradients,
    gradient-x-input, smooth-grad, guided-backpropagation, deep-lift, occlusion,
    rise, kernel-shap. densight trial tests which methods can be trusted.

    densight explain exams/ --method grad-cam,deep-lift
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
        methods=tuple(read_names(method)) or ("grad-cam",),
        layer=layer,
        computing=Computing(engine, precision),
        outputs=choose_outputs(dicom=dicom, identified=identified, redcap=redcap),
    )
    raise typer.Exit(exit_status(run_request(request)))
