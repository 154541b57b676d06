"""A Keras model as it is at inference: computed in float 32, without layers that act in training alone.

Converters stumble over what such layers leave in the graph: seeds, noise that is never drawn, casts to 16 bits. All
changes are made in the loaded model, wherever a layer is nested, and none changes a score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRAINING_MODULES = ("keras.src.layers.preprocessing", "keras.src.layers.regularization")
"""Where Keras keeps the layers that may act in training alone."""
_UNKNOWN_SIDE_PX = 16
_HALF_PRECISION = ("float16", "bfloat16")


def as_at_inference(model: Any) -> None:
    """Let a model compute in float 32 and pass by what does nothing at inference.

    Args:
        model: a Keras 3 model; it is changed in place.
    """
    # Also of whole pixels, which a layer turns into floats first of all.
    taken_as = {*_HALF_PRECISION, model.inputs[0].dtype}
    for layer in every_layer(model):
        policy = getattr(layer, "dtype_policy", None)
        if policy is not None and policy.compute_dtype != "float32" and policy.quantization_mode is None:
            layer.dtype_policy = "float32"
        # A model casts what it is given to what its inputs say.
        for tensor in (*(getattr(layer, "inputs", None) or ()), layer):
            if getattr(tensor, "_dtype", None) in taken_as:
                tensor._dtype = "float32"
    for variable in model.variables:
        if variable.dtype in _HALF_PRECISION:
            value = np.asarray(variable.value, np.float32)
            variable._dtype = "float32"
            variable._initialize(value)
    taken = tuple(model.inputs[0].shape)
    for layer in every_layer(model):
        if _is_for_training(layer) and all(_passes_on(layer, shape) for shape in _shapes(layer, taken)):
            layer.call = _identity


def every_layer(model: Any) -> Iterator[Any]:
    """A model and all layers within it, in whatever nesting, each once."""
    seen: set[int] = set()
    waiting = [model]
    while waiting:
        layer = waiting.pop()
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        yield layer
        inner = getattr(layer, "_functional", None)  # what a Sequential model runs
        waiting += [*reversed(getattr(layer, "layers", [])), *getattr(layer, "_layers", [])]
        waiting += [] if inner is None else [inner]


def is_passed_by(layer: Any) -> bool:
    """Whether `as_at_inference` found that a layer does nothing."""
    return getattr(layer, "call", None) is _identity


def _shapes(layer: Any, of_model: tuple[int | None, ...]) -> list[tuple[int | None, ...]]:
    """The shape of what a layer takes; several sizes where it is not known, or not one alone."""
    own = getattr(getattr(layer, "input", None), "shape", None)
    if own is not None and len(layer._inbound_nodes) == 1:
        return [tuple(own)]
    first, *sides, channels = of_model
    return [(first, *((side or _UNKNOWN_SIDE_PX) + more for side in sides), channels) for more in (0, -7, 8)]


def _is_for_training(layer: Any) -> bool:
    return any(kind.__module__.startswith(_TRAINING_MODULES) for kind in type(layer).__mro__)


def _passes_on(layer: Any, shape: tuple[int | None, ...]) -> bool:
    """Tried rather than looked up: Keras gains such layers with every version."""
    sides = tuple(side or _UNKNOWN_SIDE_PX for side in shape[1:])
    values = np.random.default_rng(0).uniform(-300.0, 300.0, (2, *sides)).astype(np.float32)
    for one in (values, np.abs(values) % 255.0, np.abs(values) % 1.0):
        try:
            found = layer(one, training=False) if layer._call_has_training_arg else layer(one)
            if not np.array_equal(np.asarray(found), one):
                return False
        except Exception:  # a layer raises what it likes; then it is not known to do nothing
            return False
    return True


def _identity(inputs: Any, *arguments: Any, **options: Any) -> Any:
    return inputs
