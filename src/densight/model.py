"""The model as users hold it in Python: load, assess, explain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

from densight.assessment.assess import Assessment, assess_exam
from densight.assessment.models import Models, load_models
from densight.explanation.explain import explain
from densight.explanation.methods.methods import choose_methods
from densight.intake.mammogram import Exam, Mammogram
from densight.network.engine import Computing
from densight.vocabulary import Projection

if TYPE_CHECKING:
    from densight.explanation.explanation import Explanation

__all__ = ["Model", "load_model"]


class Model:
    r"""One or more model bundles, ready to assess exams and to explain what they say.

    Made by `load_model`.

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
    from densight.network.facts import BundleFacts
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
        return assess_exam(self.models, _mammograms(exam))[0]

    @overload
    def explain(self, exam: Mammogram, method: str = "grad-cam", layer: str | None = None) -> Explanation: ...

    @overload
    def explain(
        self, exam: Exam, method: str = "grad-cam", layer: str | None = None
    ) -> dict[Projection, Explanation]: ...

    def explain(
        self, exam: Exam | Mammogram, method: str = "grad-cam", layer: str | None = None
    ) -> Explanation | dict[Projection, Explanation]:
        """Which places spoke for each class and which against it, and which for denser and which for fattier.

        Parameters
        ----------
        exam : Exam or Mammogram
        method : str
            One of `densight.explanation.methods.methods.METHODS`, such as ``grad-cam`` or ``integrated-gradients``.
        layer : str, optional
            For the methods whose name ends in ``cam``: the layer that is mapped, the last feature map if None.

        Returns
        -------
        Explanation or dict of Projection to Explanation
            Of a mammogram its explanation, of an exam one a projection. ``.map("B")`` is the raw signed map of a class,
            ``.map("expected class")`` that of ``Σ k p_k``; float32 in the image's own pixels.

        Raises
        ------
        DensightError
            As :meth:`assess`, and if there is no such method or layer.
        """
        choose_methods([method], layer=layer)
        _, examined = assess_exam(self.models, _mammograms(exam))
        explanations = {one.assessment.projection: explain(one, method, layer) for one in examined}
        return explanations if isinstance(exam, Exam) else next(iter(explanations.values()))


def load_model(
    source: str | Path | Sequence[str | Path], device: str = "cpu", *, engine: str = "torch", precision: str = "fp32"
) -> Model:
    """Load a model.

    Parameters
    ----------
    source : path-like or sequence of path-like
        The name of a model that comes with densight, such as ``starter``; a bundle folder; a folder of
        bundle folders, one a projection; a Keras ``.h5`` file whose name or folder tells its projection; or several
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
    sources = [source] if isinstance(source, str | Path) else source
    return Model(load_models(sources, device, computing=Computing(engine, precision)))


def _mammograms(exam: Exam | Mammogram) -> list[Mammogram]:
    return [exam] if isinstance(exam, Mammogram) else list(exam)
