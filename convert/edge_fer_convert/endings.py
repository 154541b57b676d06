"""How a network begins and ends: whether it scales pixels by itself, and what makes its outputs.

Looked up in the graph where there is one: a sigmoid that is never far from 0 looks like a logit, and 1/255 like 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from edge_fer_convert.inference_form import every_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Ending: TypeAlias = Literal["softmax", "log-softmax", "sigmoid", "linear", "unknown"]

_LARGE_OFFSET, _SMALL_FACTOR = 16.0, 0.0625
"""Beyond them, a layer that shifts or scales expects pixels of 0 to 255 and not of 0 to 1."""
_ENDINGS: dict[str, Ending] = {
    "softmax": "softmax",
    "logsoftmax": "log-softmax",
    "log_softmax": "log-softmax",
    "sigmoid": "sigmoid",
    "logistic": "sigmoid",
    "hardsigmoid": "sigmoid",
    "hard_sigmoid": "sigmoid",
}
_LINEAR = {
    *("linear", "conv", "conv2d", "conv_2d", "gemm", "matmul", "fully_connected", "batch_matmul", "dense", "einsum"),
    *("globalaveragepool", "globalaveragepooling2d", "averagepool", "mean", "reducemean", "add"),
    *("batchnormalization", "qlinearconv", "qlinearmatmul", "qgemm"),
}
_MOVING = {
    *("reshape", "flatten", "squeeze", "unsqueeze", "expand_dims", "transpose", "permute", "identity", "cast"),
    *("dropout", "spatialdropout2d", "quantizelinear", "dequantizelinear", "quantize", "dequantize", "activity"),
    *("activityregularization", "expanddims", "clip", "contiguous"),
}
"""What makes no other numbers of them."""


@dataclass(frozen=True, slots=True)
class Structure:
    """What a graph says of its two ends."""

    endings: tuple[Ending, ...] = ("unknown",)
    """What makes the outputs, the last operation first; those that move values alone are left out."""
    scale: str | None = None
    """What pixels must be by what the model does to them first, as for `--scale`; None where it does not say."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a graph."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def structure_of_graph(
    steps: Sequence[Step], entry: str, result: str, constant: Callable[[str], Any | None]
) -> Structure:
    """Read a graph of named tensors.

    Args:
        steps: in the order of running.
        entry: the tensor of the picture.
        result: the tensor of the scores.
        constant: gives the values of a tensor that does not depend on the picture, None for others.
    """
    makers = {name: step for step in steps for name in step.outputs}
    found: list[Ending] = []
    name = result
    while name in makers and len(found) < 2:
        step = makers[name]
        kind = step.kind.lower()
        if kind not in _MOVING:
            found.append(_ENDINGS.get(kind, "linear" if kind in _LINEAR else "unknown"))
            if found[-1] in ("linear", "unknown"):
                break
        name = next((one for one in step.inputs if one in makers), "")
    scale, why = _scale_of_graph(steps, entry, constant)
    return Structure(tuple(found) or ("unknown",), scale, why)


def _scale_of_graph(steps: Sequence[Step], entry: str, constant: Callable[[str], Any | None]) -> tuple[str | None, str]:
    users: dict[str, list[Step]] = {}
    for step in steps:
        for name in step.inputs:
            users.setdefault(name, []).append(step)
    name = entry
    while len(users.get(name, [])) == 1:
        [step] = users[name]
        kind = step.kind.lower()
        if kind not in (*_MOVING, "div", "mul", "sub", "add", "resize", "resize_bilinear", "pad"):
            break
        others = [constant(one) for one in step.inputs if one != name]
        if any(_takes_whole_pixels(kind, value) for value in others if value is not None):
            return "0..255", "the model scales by itself"
        name = step.outputs[0]
    return None, ""


def _takes_whole_pixels(kind: str, value: Any) -> bool:
    numbers = np.abs(np.asarray(value, np.float64)).reshape(-1)
    if not numbers.size or not np.isfinite(numbers).all():
        return False
    largest = float(numbers.max())
    return 0.0 < largest <= _SMALL_FACTOR if kind == "mul" else kind != "pad" and largest >= _LARGE_OFFSET


def structure_of_keras(model: Any) -> Structure:
    """Read a Keras model."""
    scale = "0..255" if any(map(_is_for_whole_pixels, every_layer(model))) else None
    return Structure(_keras_endings(model.outputs[0]), scale, "the model scales by itself" if scale else "")


def _is_for_whole_pixels(layer: Any) -> bool:
    kind = type(layer).__name__
    if kind == "Rescaling":
        return _takes_whole_pixels("mul", layer.scale)
    if kind == "Normalization":
        return any(_takes_whole_pixels("sub", value) for value in (layer.mean, layer.variance) if value is not None)
    arithmetic = {"TrueDivide": "div", "Divide": "div", "Multiply": "mul", "Subtract": "sub"}
    if kind not in arithmetic or not type(layer).__module__.startswith("keras.src.ops"):
        return False
    nodes = getattr(layer, "_inbound_nodes", ())
    numbers = [one for node in nodes for one in node.arguments.args if isinstance(one, (int, float))]
    return any(_takes_whole_pixels(arithmetic[kind], number) for number in numbers)


def _keras_endings(tensor: Any) -> tuple[Ending, ...]:
    found: list[Ending] = []
    for _ in range(1000):
        history = getattr(tensor, "_keras_history", None)
        if history is None or len(found) >= 2:
            break
        layer = history.operation
        if getattr(layer, "outputs", None) and hasattr(layer, "layers"):
            found += _keras_endings(layer.outputs[0])
            break
        kind = type(layer).__name__.lower()
        function = getattr(getattr(layer, "activation", None), "__name__", "linear")
        if kind in _ENDINGS:
            found.append(_ENDINGS[kind])
        elif function != "linear":
            found.append(_ENDINGS.get(function, "unknown"))
        if kind not in (*_MOVING, *_ENDINGS, "activation"):
            found.append("linear" if kind in _LINEAR else "unknown")
            break
        taken = layer.input
        tensor = taken[0] if isinstance(taken, (list, tuple)) else taken
    return tuple(found[:2]) or ("unknown",)


def onnx_steps(graph: Any) -> tuple[list[Step], Mapping[str, Any]]:
    """The operations of an ONNX graph, and its constants by name."""
    import onnx

    steps = [Step(node.op_type, tuple(node.input), tuple(node.output)) for node in graph.node]
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    return steps, constants


def doubled_softmax(structure: Structure) -> bool:
    """Whether a softmax is taken of probabilities: their order is right, and all are alike."""
    return structure.endings[:2] == ("softmax", "softmax")
