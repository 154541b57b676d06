"""How much work a network is, counted from its layers: no engine and no timing."""

from __future__ import annotations

import math
from typing import Any

_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D")


def multiply_adds(model: Any) -> int:
    """Multiply-adds of one forward pass of a Keras model for one picture: convolutions and dense layers.

    Layers are recognised by their class names, so that Keras itself is not imported here.

    Raises:
        ValueError: the model's input has no fixed size.
    """
    total = 0
    for layer in model.layers:
        if hasattr(layer, "layers"):
            total += multiply_adds(layer)
            continue
        kind = type(layer).__name__
        if kind not in (*_CONVOLUTIONS, "Dense"):
            continue
        # A kernel holds each weight once; each is used once for every position of the output.
        total += _positions(layer, kind) * sum(math.prod(kernel.shape) for kernel in _kernels(layer))
    return total


def _positions(layer: Any, kind: str) -> int:
    shape = tuple(layer.output.shape)
    first_channels = kind != "Dense" and layer.data_format == "channels_first"
    sides = shape[2:] if first_channels else shape[1:-1]
    if None in sides:
        raise ValueError("multiply-adds need a model with a fixed input size")
    return math.prod(sides)


def _kernels(layer: Any) -> list[Any]:
    return [weight for weight in layer.weights if "kernel" in weight.name]
