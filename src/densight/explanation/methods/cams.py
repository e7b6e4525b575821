"""Class activation maps: weighted sums of a layer's channels, for the classes and the expected class.

``A`` is the layer's output with channels ``k`` and positions ``p``, ``g`` the derivative of a target with respect to
it. All maps stay signed: what the papers clip at zero is left to the drawing.

References
----------
- Grad-CAM: Selvaraju et al., ICCV 2017. Grad-CAM++: Chattopadhay et al., WACV 2018. LayerCAM: Jiang et al., IEEE Trans.
  Image Process. 30, 2021. HiResCAM: Draelos and Carin, arXiv:2011.08891. Score-CAM: Wang et al., CVPR Workshops 2020.
  Ablation-CAM: Desai and Ramaswamy, WACV 2020. Eigen-CAM: Muhammad and Yeasin, IJCNN 2020.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from densight.explanation.methods.gradcam import grad_cam
from densight.explanation.methods.layers import AtLayer
from densight.explanation.methods.method_input import Maps, MethodInput, chunks
from densight.explanation.methods.targets import STEPS, expected_slopes, mean_slopes, with_expected
from densight.geometry import map_to_frame

__all__ = [
    "make_ablation_cam",
    "make_eigen_cam",
    "make_expected_class",
    "make_grad_cam",
    "make_grad_cam_plus_plus",
    "make_hires_cam",
    "make_layer_cam",
    "make_score_cam",
]


def make_grad_cam(inputs: MethodInput, targets: Sequence[int]) -> Maps:
    """Grad-CAM: the weight of a channel is its mean derivative. In closed form at the last layer."""
    at = inputs.layer_output()
    if not _is_last(inputs, at):
        gradients = _differentiate(inputs, at, targets)
        return _maps(inputs, at, torch.einsum("tk,kij->tij", gradients.mean(dim=(2, 3)), at.activations[0]), targets)
    with torch.no_grad():
        cells = grad_cam(inputs.network, at.activations)[0]
        slopes = expected_slopes(at.logits_of(at.activations))[0]
        expected = torch.einsum("c,cij->ij", slopes, cells)
    return _maps(inputs, at, torch.cat([cells, expected[None]])[list(targets)], targets)


def make_hires_cam(inputs: MethodInput, targets: Sequence[int]) -> Maps:
    """HiResCAM: ``Σ_k g A``, each place with its own derivative."""
    at = inputs.layer_output()
    return _maps(inputs, at, (_differentiate(inputs, at, targets) * at.activations).sum(dim=1), targets)


def make_layer_cam(inputs: MethodInput, targets: Sequence[int]) -> Maps:
    """LayerCAM: ``Σ_k max(g, 0) A``."""
    at = inputs.layer_output()
    gradients = _differentiate(inputs, at, targets)
    return _maps(inputs, at, (gradients.clamp(min=0) * at.activations).sum(dim=1), targets)


def make_grad_cam_plus_plus(inputs: MethodInput, targets: Sequence[int]) -> Maps:
    """Grad-CAM++: the weight of a channel is ``Σ_p max(g, 0) / (2 + g Σ_p A)``, places without a derivative left out.

    That is equation 19 of the paper with ``g²`` cancelled. Left in, as other programs have it, it needs a small number
    added below the line, which with the tiny derivatives behind a mean over positions is the larger term.
    """
    at = inputs.layer_output()
    gradients = _differentiate(inputs, at, targets)
    below = 2 + gradients * at.activations.sum(dim=(2, 3), keepdim=True)
    weights = torch.where(below != 0, gradients.clamp(min=0) / below, 0).sum(dim=(2, 3))
    return _maps(inputs, at, torch.einsum("tk,kij->tij", weights, at.activations[0]), targets)


def make_eigen_cam(inputs: MethodInput, targets: Sequence[int]) -> Maps:
    """Eigen-CAM: the activations along their first singular vector; the same map for all targets.

    The sign, which the decomposition does not determine, is that in which the map's sum is positive.
    """
    at = inputs.layer_output()
    channels = at.activations[0].flatten(1)
    first = torch.linalg.svd(channels.T, full_matrices=False).Vh[0]
    cells = (first @ channels).reshape(at.activations.shape[2:])
    cells = cells if cells.sum() >= 0 else -cells
    return _maps(inputs, at, cells.expand(len(targets), *cells.shape), targets, backward=0)


def make_ablation_cam(inputs: MethodInput, targets: Sequence[int]) -> Maps:
    """Ablation-CAM: the weight of a channel is the fall of the target's score without it.

    The paper divides by the target's score, which turns the map's sign where that is negative; here it is not divided.
    """
    at = inputs.layer_output()
    kept = at.activations
    with torch.no_grad():
        unchanged = with_expected(at.logits_of(kept))
        losses = []
        for start in range(0, kept.shape[1], 32):
            part = torch.arange(start, min(start + 32, kept.shape[1]), device=kept.device)
            without = kept.repeat(len(part), 1, 1, 1)
            without[torch.arange(len(part)), part] = 0
            losses.append(unchanged - with_expected(at.logits_of(without)))
    weights = torch.cat(losses)[:, list(targets)]
    passes = 0 if _is_last(inputs, at) else len(weights)
    return _maps(inputs, at, torch.einsum("kt,kij->tij", weights, kept[0]), targets, forward=passes, backward=0)


def make_score_cam(inputs: MethodInput, targets: Sequence[int]) -> Maps:
    """Score-CAM: the weight of a channel is the target's score when the dense tissue is kept only where it is active.

    The channel, enlarged and scaled to 0–1, fades between the image and its baseline. A softmax over channels turns
    the scores into weights, as in the paper's algorithm 1.
    """
    at = inputs.layer_output()
    assert inputs.baseline is not None
    kept = at.activations[0]
    low, high = kept.amin(dim=(1, 2), keepdim=True), kept.amax(dim=(1, 2), keepdim=True)
    channels = torch.where(high > low, (kept - low) / (high - low).clamp(min=1e-12), 0)
    shape = (inputs.x.shape[2], inputs.x.shape[3])
    scores = []
    for start in range(0, len(channels), 32):
        part = channels[start : start + 32].cpu().numpy()
        masks = [torch.from_numpy(map_to_frame(channel, shape, at.origin, at.step)) for channel in part]
        images = inputs.baseline + torch.stack(masks)[:, None].to(kept.device) * (inputs.x - inputs.baseline)
        scores.append(inputs.scores(images))
    weights = torch.cat(scores)[:, list(targets)].softmax(dim=0)
    cells = torch.einsum("kt,kij->tij", weights, kept)
    return _maps(inputs, at, cells, targets, forward=len(kept), backward=0)


def make_expected_class(inputs: MethodInput, targets: Sequence[int]) -> Maps:
    """The contribution of each place to the classes' scores and to the expected class: the maps add up to them.

    Of networks that end in ``logits = W mean(f(A)) + b``, place ``p`` adds ``W f(A_p) / n`` to the logits. What that
    changes in ``E[k]``, from the classes' bare biases on, is shared out along the straight line between the two sets
    of logits, as integrated gradients do: so the map's sum is ``E[k]`` of the image less that of no evidence, in
    classes. Of other networks the last layer's activations are taken along a straight line from zero.

    Densight's own.
    """
    at = inputs.layer_output()
    network = inputs.network
    if network.linear_head:
        with torch.no_grad():
            active = network.activate(at.activations)[0]
            positions = active.shape[1] * active.shape[2]
            cells = torch.einsum("ck,kij->cij", network.classifier.weight, active) / positions
            slopes = mean_slopes(network.classifier.bias, at.logits_of(at.activations)[0])
            expected = torch.einsum("c,cij->ij", slopes, cells)
        return _maps(inputs, at, torch.cat([cells, expected[None]])[list(targets)], targets, backward=0)
    along = (torch.arange(STEPS, device=at.activations.device) + 0.5) / STEPS
    gradients = _differentiate(inputs, at, targets, along)
    return _maps(inputs, at, (gradients * at.activations).sum(dim=1), targets, backward=0)


def _is_last(inputs: MethodInput, at: AtLayer) -> bool:
    return at.name == inputs.network.feature_layer


def _differentiate(inputs: MethodInput, at: AtLayer, targets: Sequence[int], along: Tensor | None = None) -> Tensor:
    """The targets' derivatives with respect to the layer, ``(targets, channels, rows, columns)``.

    With ``along`` their means over as many multiples of the activations.
    """
    multiples = torch.ones(1, device=at.activations.device) if along is None else along
    gradients = []
    with torch.inference_mode(False), torch.enable_grad():
        for part in chunks(multiples.reshape(-1, 1, 1, 1) * at.activations):
            leaf = part.detach().requires_grad_()
            scores = with_expected(at.logits_of(leaf)).sum(dim=0)
            of_targets = [torch.autograd.grad(scores[t], leaf, retain_graph=True)[0].sum(dim=0) for t in targets]
            gradients.append(torch.stack(of_targets))
    return torch.stack(gradients).sum(dim=0) / len(multiples)


def _maps(
    inputs: MethodInput,
    at: AtLayer,
    cells: Tensor,
    targets: Sequence[int],
    forward: int = 0,
    backward: int | None = None,
) -> Maps:
    """Maps at a layer. By default one backward pass per target is counted if the layer is not the last."""
    inner = not _is_last(inputs, at)
    backward = len(targets) * inner if backward is None else backward
    return Maps(cells, at.name, at.origin, at.step, forward + inner, backward)
