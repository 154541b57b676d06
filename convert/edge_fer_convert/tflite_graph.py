"""What the operations of a TFLite file say of it: how it stores weights and activations, and what its two ends do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer_convert.endings import Step, Structure, structure_of_graph

if TYPE_CHECKING:
    from edge_fer.inference.manifest import Recipe

_WITH_WEIGHTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL")
_MOST_VALUES = 100_000


def read_tflite(interpreter: Any, entry: int, result: int) -> tuple[Structure, Recipe]:
    """Look through a loaded file.

    Args:
        interpreter: LiteRT's, with its tensors allocated.
        entry: index of the input tensor.
        result: index of the output tensor.
    """
    details = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    operations = [one for one in interpreter._get_ops_details() if one["op_name"] != "DELEGATE"]
    steps = [
        Step(one["op_name"], *(tuple(str(place) for place in one[end] if place >= 0) for end in ("inputs", "outputs")))
        for one in operations
    ]
    computed = {name for step in steps for name in step.outputs} | {str(entry)}

    def constant(name: str) -> Any | None:
        if name in computed or np.prod(details[int(name)]["shape"], dtype=np.int64) > _MOST_VALUES:
            return None
        try:
            return interpreter.get_tensor(int(name))
        except ValueError:  # a delegate holds it
            return None

    return structure_of_graph(steps, str(entry), str(result), constant), _recipe(operations, details)


def quantised_first(interpreter: Any, entry: int) -> dict[str, Any] | None:
    """The details of what an input of floats is quantised to before all else; None where it is not."""
    for one in interpreter._get_ops_details():
        if one["op_name"] == "QUANTIZE" and entry in one["inputs"]:
            place = int(one["outputs"][0])
            found: dict[str, Any] = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}[place]
            return found
    return None


def _recipe(operations: list[dict[str, Any]], details: dict[int, dict[str, Any]]) -> Recipe:
    taken = [[details[place]["dtype"] for place in one["inputs"] if place >= 0] for one in operations]
    weighted = [kinds for one, kinds in zip(operations, taken, strict=True) if one["op_name"] in _WITH_WEIGHTS]
    activations = {kinds[0] for kinds in weighted or taken if kinds}
    if np.int16 in activations:
        return "static_wi8_ai16"
    if activations & {np.int8, np.uint8} and (weighted or np.float32 not in activations):
        return "static_wi8_ai8"
    # Weights in float operations, and those that are restored for them before.
    stored = {kind for kinds in weighted for kind in kinds[1:]}
    stored |= {kinds[0] for one, kinds in zip(operations, taken, strict=True) if one["op_name"] == "DEQUANTIZE"}
    if stored & {np.int8, np.uint8}:
        return "dynamic_wi8_afp32"
    return "fp16" if np.float16 in stored else "fp32"
