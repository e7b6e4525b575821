"""What users hold in Python: a model that assesses and explains, and a whole run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack, overload

from densight.assessment.assess import Assessment, ImageResult, assess_exam
from densight.assessment.models import Models, load_models
from densight.explanation.explain import explain
from densight.explanation.methods.methods import choose_methods
from densight.intake.mammogram import Exam, Mammogram
from densight.network.engine import Computing
from densight.network.shipped import DEFAULT
from densight.runs.output_table import OutputFlags, choose_outputs
from densight.runs.request import RunRequest
from densight.runs.result import RunResult
from densight.runs.run import Progress, prepare_run
from densight.vocabulary import ByProjection, Projection

if TYPE_CHECKING:
    from densight.explanation.explanation import Explanation

__all__ = ["Model", "load_model", "run"]


class Model:
    r"""One or more model bundles, ready to assess exams and to explain their assessments.

    Made by `load_model`. The last exam that was assessed is kept, so that ``explain`` after ``assess`` does not read
    and compute it again; its pixels must not be changed in between.

    Attributes
    ----------
    models : Models
        The bundles, and which projection each has learnt.

    Examples
    --------
    A network that has learnt nothing yet, and an image that is no more than a ramp of grey:

    >>> from densight.intake.image import read_mammogram
    >>> from densight.network.architecture import Architecture, build_network
    >>> from densight.network.bundle import write_bundle
    >>> from densight.network.facts import BundleFacts
    >>> from densight.preparation.prepare import Preparation
    >>> from densight.storage import write_bytes
    >>> architecture = Architecture("mobilenetv2-035", n_classes=4, channels=3)
    >>> facts = BundleFacts(architecture, Preparation("tutorial", (64, 64)), ("A", "B", "C", "D"), (Projection.CC_R,))
    >>> write_bundle("build/CC_R", build_network(architecture).state_dict(), facts)
    >>> write_bytes("build/ramp.pgm", b"P5 96 64 255\n" + bytes(range(96)) * 64)

    >>> model = load_model("build/CC_R")
    >>> image = read_mammogram("build/ramp.pgm", projection="CC_R")
    >>> result = model.assess(image)
    >>> result.probabilities.shape, result.missing[0]
    ((4,), <Projection.CC_L: 'CC_L'>)
    >>> model.explain(image).map("C").shape
    (64, 96)
    """

    def __init__(self, models: Models) -> None:
        self.models = models
        self._last: tuple[Exam | Mammogram, Assessment, list[ImageResult]] | None = None

    def __repr__(self) -> str:
        return f"<Model {', '.join(bundle.label for bundle in self.models.bundles)}: {', '.join(self.projections)}>"

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels, from the least to the most dense."""
        return self.models.classes

    @property
    def projections(self) -> tuple[Projection, ...]:
        """The projections that it has learnt."""
        return self.models.projections

    def assess(self, exam: Exam | Mammogram) -> Assessment:
        """Probabilities of the density classes for an exam, its breasts and its images.

        Parameters
        ----------
        exam : Exam or Mammogram
            A mammogram counts as an exam of one projection, which must be known.

        Returns
        -------
        Assessment
            ``.density``, ``.probabilities`` (float32, shape (k,)), ``.percent_density``, ``.images["MLO_R"]``,
            ``.breasts["R"]``, ``.missing``.

        Raises
        ------
        DensightError
            If the model has not learnt a projection, or an image cannot be prepared.
        """
        return self._assess(exam)[0]

    def _assess(self, exam: Exam | Mammogram) -> tuple[Assessment, list[ImageResult]]:
        if self._last is None or self._last[0] is not exam:
            mammograms = [exam] if isinstance(exam, Mammogram) else list(exam)
            self._last = (exam, *assess_exam(self.models, mammograms))
        return self._last[1:]

    @overload
    def explain(self, exam: Mammogram, method: str = "grad-cam", layer: str | None = None) -> Explanation: ...

    @overload
    def explain(self, exam: Exam, method: str = "grad-cam", layer: str | None = None) -> ByProjection[Explanation]: ...

    def explain(
        self, exam: Exam | Mammogram, method: str = "grad-cam", layer: str | None = None
    ) -> Explanation | ByProjection[Explanation]:
        """Which tissue is evidence for each class and against it, and for a denser and a fattier breast.

        Parameters
        ----------
        exam : Exam or Mammogram
        method : str
            One of `densight.explanation.methods.methods.METHODS`, such as ``grad-cam`` or ``integrated-gradients``.
        layer : str, optional
            For the methods whose name ends in ``cam``: the layer that is mapped, the last feature map if None.

        Returns
        -------
        Explanation or mapping of Projection to Explanation
            Of a mammogram its explanation, of an exam one per projection: ``explain(exam)["MLO_R"]``. ``.map("B")`` is
            the raw signed map of a class, ``.map("expected class")`` that of ``Σ k p_k``; float32 in the image's own
            pixels.

        Raises
        ------
        DensightError
            As :meth:`assess`, and if there is no such method or layer.
        """
        choose_methods([method], layer=layer)
        _, results = self._assess(exam)
        explanations = {result.assessment.projection: explain(result, method, layer) for result in results}
        return ByProjection(explanations) if isinstance(exam, Exam) else next(iter(explanations.values()))


def load_model(
    source: str | Path | Sequence[str | Path], device: str = "cpu", *, engine: str = "torch", precision: str = "fp32"
) -> Model:
    """Load a model.

    Parameters
    ----------
    source : path-like or sequence of path-like
        The name of a model that comes with densight, such as ``starter``; a bundle folder; a folder of
        bundle folders, one per projection; a Keras ``.h5`` file whose name or folder states its projection; or several
        of these.
    device : {"cpu", "cuda", "mps"}
    engine : {"torch", "openvino"}
        What runs the network's convolutions.
    precision : {"fp32", "bf16", "auto"}
        In which they are run; auto is bf16 where the processor has it. The first images are checked against fp32.

    Returns
    -------
    Model

    Raises
    ------
    DensightError
        If there is no bundle, it is damaged, the bundles do not go together, the device is not there, or the engine
        is not installed.
    """
    return Model(load_models(_as_sources(source), device, computing=Computing(engine, precision)))


def run(
    source: str | Path,
    output: str | Path,
    *,
    model: str | Path | Sequence[str | Path] | Model = DEFAULT,
    methods: Sequence[str] = (),
    layer: str | None = None,
    split: str | None = None,
    device: str = "cpu",
    engine: str = "torch",
    precision: str = "fp32",
    progress: Progress | None = None,
    **outputs: Unpack[OutputFlags],
) -> RunResult:
    """Assess, and where methods are named explain, all exams of an input, into a run folder.

    Does what ``densight assess`` and ``densight explain`` do. The same call again continues a run that was stopped.

    Parameters
    ----------
    source : path-like
        An image, a folder or zip archive of exams, a DICOMDIR, a data set's folder, or a catalogue.
    output : path-like
        The run folder.
    model : path-like, sequence of path-like, or Model
        As for `load_model`; a `Model` is used as it was loaded, with its own device, engine and precision.
    methods : sequence of str
        Of `densight.explanation.methods.methods.METHODS`; exams are not explained where there is none.
    layer : str, optional
        For the methods whose name ends in ``cam``: the layer that is mapped, the last feature map if None.
    split : {"train", "validation", "test"}, optional
        Only the images of this split.
    device : {"cpu", "cuda", "mps"}
    engine : {"torch", "openvino"}
    precision : {"fp32", "bf16", "auto"}
    progress : callable, optional
        Called with the number of images that are done and of all images.
    **outputs : bool
        Further outputs, by the names of the command line's options, such as ``dicom=True``; see
        `densight.runs.output_table.choose_outputs`.

    Returns
    -------
    RunResult
        ``.exams``, ``.breasts``, ``.images`` (DataFrames), ``.failures``, ``.report``.

    Raises
    ------
    DensightError
        If the input has no image, a model cannot be loaded, there is no such method, or the folder holds a run of
        another model. An image that cannot be used is in ``failures``, not raised.

    Examples
    --------
    >>> import densight
    >>> from densight.phantom.exams import write_exams
    >>> from densight.phantom.settings import Settings
    >>> _ = write_exams(1, 21, Path("build/exams"), Settings(shape=(256, 208)), jobs=1)
    >>> densight.run("build/exams", "build/run")
    <RunResult build/run: 4 images assessed, 0 failures>
    """
    loaded = model.models if isinstance(model, Model) else None
    sources = model.models.sources if isinstance(model, Model) else _as_sources(model)
    request = RunRequest(
        Path(source),
        Path(output),
        sources,
        methods=tuple(methods),
        layer=layer,
        split=split,
        device=device,
        computing=Computing(engine, precision),
        outputs=choose_outputs(**outputs),
    )
    prepared = prepare_run(request, loaded)
    return prepared.run() if progress is None else prepared.run(progress)


def _as_sources(model: str | Path | Sequence[str | Path]) -> tuple[str | Path, ...]:
    return (model,) if isinstance(model, str | Path) else tuple(model)
