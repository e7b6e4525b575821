"""The methods by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from densight.vocabulary import DensightError

if TYPE_CHECKING:
    from densight.explanation.methods.method_input import Maps, MethodInput

__all__ = ["METHODS", "Method", "choose_methods", "method_name"]

SCORES, CLASSES, NO_UNIT = "score before softmax", "classes", ""


@dataclass(frozen=True)
class Method:
    """A method of explanation.

    Parameters
    ----------
    name : str
        As papers write it.
    home : str
        The module and function that make its maps, ``cams.make_grad_cam``.
    unit : str
        The unit of the classes' maps, per cell; empty where their scale has no meaning.
    at_layer : bool
        Whether it can explain at any layer.
    needs_baseline, needs_regions : bool
        Whether it needs the breast without dense tissue, and whether it needs regions of tissue.
    """

    name: str
    home: str
    unit: str = NO_UNIT
    at_layer: bool = False
    needs_baseline: bool = False
    needs_regions: bool = False

    def make(self, inputs: MethodInput, targets: Sequence[int] | None = None) -> Maps:
        """The maps of some targets, of all if None.

        Parameters
        ----------
        subject : MethodInput
        targets : sequence of int, optional
            Places of classes; the number of classes is the expected class.
        """
        module, _, function = self.home.partition(".")
        make: Callable[[MethodInput, Sequence[int]], Maps] = getattr(
            import_module(f"densight.explanation.methods.{module}"), function
        )
        return make(inputs, inputs.targets if targets is None else targets)


METHODS = {
    "grad-cam": Method("Grad-CAM", "cams.make_grad_cam", SCORES, at_layer=True),
    "expected-class": Method("expected class", "cams.make_expected_class", SCORES),
    "grad-cam++": Method("Grad-CAM++", "cams.make_grad_cam_plus_plus", at_layer=True),
    "layer-cam": Method("LayerCAM", "cams.make_layer_cam", at_layer=True),
    "hires-cam": Method("HiResCAM", "cams.make_hires_cam", SCORES, at_layer=True),
    "score-cam": Method("Score-CAM", "cams.make_score_cam", at_layer=True, needs_baseline=True),
    "ablation-cam": Method("Ablation-CAM", "cams.make_ablation_cam", at_layer=True),
    "eigen-cam": Method("Eigen-CAM", "cams.make_eigen_cam", at_layer=True),
    "integrated-gradients": Method(
        "integrated gradients", "gradients.make_integrated_gradients", SCORES, needs_baseline=True
    ),
    "gradient-x-input": Method("gradient × input", "gradients.make_gradient_times_input", SCORES),
    "smooth-grad": Method("SmoothGrad", "gradients.make_smooth_grad"),
    "guided-backpropagation": Method("guided back-propagation", "rules.make_guided_backpropagation"),
    "deep-lift": Method("DeepLIFT", "rules.make_deep_lift", SCORES, needs_baseline=True),
    "occlusion": Method("occlusion", "masks.make_occlusion", needs_baseline=True),
    "rise": Method("RISE", "masks.make_rise", needs_baseline=True),
    "kernel-shap": Method("KernelSHAP", "masks.make_kernel_shap", SCORES, needs_baseline=True, needs_regions=True),
}
"""All methods by name. The first is the default."""


def choose_methods(names: Sequence[str], *, layer: str | None = None) -> tuple[str, ...]:
    """Methods by name, checked, each once; ``all`` stands for all of them.

    Parameters
    ----------
    names : sequence of str
    layer : str, optional
        A layer that all must be able to explain at.

    Raises
    ------
    DensightError
        If there is no such method, or one cannot explain at a layer.

    Examples
    --------
    >>> choose_methods(["layer-cam", "grad-cam", "layer-cam"])
    ('layer-cam', 'grad-cam')
    """
    unknown = [name for name in names if name != "all" and name not in METHODS]
    if unknown or not names:
        fault = f"unknown method {unknown[0]!r}" if unknown else "no method is named"
        raise DensightError(fault, remedy=f"use one of {', '.join(METHODS)}, or all")
    chosen = dict.fromkeys(method for name in names for method in (METHODS if name == "all" else [name]))
    elsewhere = [name for name in chosen if layer is not None and not METHODS[name].at_layer]
    if elsewhere:
        able = ", ".join(name for name, method in METHODS.items() if method.at_layer)
        raise DensightError(
            f"{elsewhere[0]} does not explain at a layer of choice", remedy=f"leave the layer out, or use {able}"
        )
    return tuple(chosen)


def method_name(method: str) -> str:
    """A method as papers write it.

    Examples
    --------
    >>> method_name("grad-cam")
    'Grad-CAM'
    """
    return METHODS[method].name if method in METHODS else method
