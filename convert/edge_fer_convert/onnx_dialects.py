"""ONNX as many tools write it, brought into the one form that ONNX Runtime's tools expect.

Older exporters list weights among the graph's inputs (required up to IR version 3), others keep them in Constant nodes,
count in float 64, or write an operator set from before quantised weights had a scale for each channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer.errors import ModelError
from edge_fer.inference.decoding import first_line

if TYPE_CHECKING:
    from edge_fer.inference.manifest import Recipe

_IR_VERSION_WITHOUT_WEIGHTS_AS_INPUTS = 4
_OPSET_WITH_SCALES_BY_CHANNEL = 13
_NEWEST_OPSET_FOR_TOOLS = 17
_OWN_DOMAINS = ("", "ai.onnx")


def tidied(model: Any) -> Any:
    """An ONNX model that computes the same in float 32, with its weights as initialisers alone.

    Args:
        model: a ModelProto; it is changed in place and given back.
    """
    graph = model.graph
    _constants_to_weights(graph)
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != len(graph.input):
        del graph.input[:]
        graph.input.extend(inputs)
    if model.ir_version < _IR_VERSION_WITHOUT_WEIGHTS_AS_INPUTS:
        model.ir_version = _IR_VERSION_WITHOUT_WEIGHTS_AS_INPUTS
    _to_float32(graph)
    _take_floats(graph)
    return model


def _take_floats(graph: Any) -> None:
    """Let an input of whole numbers that is cast to floats first of all take these floats."""
    from onnx import TensorProto

    whole = (TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32, TensorProto.INT64, TensorProto.UINT16)
    for value in graph.input:
        users = [node for node in graph.node if value.name in node.input]
        casts = [entry.i for node in users if node.op_type == "Cast" for entry in node.attribute if entry.name == "to"]
        if value.type.tensor_type.elem_type in whole and casts == [TensorProto.FLOAT] * len(users):
            value.type.tensor_type.elem_type = TensorProto.FLOAT


def for_quantising(model: Any) -> Any:
    """The model in an operator set that knows a scale for each channel, each of its nodes with a name of its own.

    ONNX Runtime's quantiser knows nodes by their names: of those without one, all or none are left out.

    Raises:
        ModelError: it cannot be brought into a newer operator set.
    """
    import onnx

    taken = {node.name for node in model.graph.node}
    for place, node in enumerate(model.graph.node):
        if not node.name:
            node.name = next(
                name for name in (f"{node.op_type}_{place}{'_' * more}" for more in range(99)) if name not in taken
            )
    version = max((one.version for one in model.opset_import if one.domain in _OWN_DOMAINS), default=1)
    if version >= _OPSET_WITH_SCALES_BY_CHANNEL:
        return model
    try:
        return onnx.version_converter.convert_version(model, _NEWEST_OPSET_FOR_TOOLS)
    except Exception as error:  # the converter's errors have no common base
        raise ModelError(
            f"the model has ONNX operator set {version}, and 8-bit weights need 13 or newer; it cannot be brought "
            f"there ({first_line(error)}): export it again with a newer one, or make fp32 or fp16"
        ) from None


def recipe_of_onnx(model: Any) -> Recipe:
    """How an ONNX model stores weights and activations, told from its operations."""
    from onnx import TensorProto

    kinds = {node.op_type for node in model.graph.node}
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    if kinds & {"QuantizeLinear", "QLinearConv", "QLinearMatMul"}:
        zeros = [node.input[2] for node in model.graph.node if node.op_type == "QuantizeLinear" and len(node.input) > 2]
        wide = (TensorProto.INT16, TensorProto.UINT16)
        return "static_wi8_ai16" if any(types.get(name) in wide for name in zeros) else "static_wi8_ai8"
    if kinds & {"DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "DequantizeLinear"}:
        return "dynamic_wi8_afp32"
    return "fp16" if TensorProto.FLOAT16 in types.values() else "fp32"


def _constants_to_weights(graph: Any) -> None:
    import onnx

    for node in [node for node in graph.node if node.op_type == "Constant" and node.domain in _OWN_DOMAINS]:
        [entry] = node.attribute
        if entry.name == "value":
            tensor = onnx.TensorProto()
            tensor.CopyFrom(entry.t)
            tensor.name = node.output[0]
        elif entry.name in ("value_float", "value_floats", "value_int", "value_ints"):
            kind = np.float32 if "float" in entry.name else np.int64
            values = np.asarray(onnx.helper.get_attribute_value(entry), kind)
            tensor = onnx.numpy_helper.from_array(values, node.output[0])
        else:
            continue
        graph.initializer.append(tensor)
        graph.node.remove(node)


def _to_float32(graph: Any) -> None:
    import onnx

    double, single = onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT
    for tensor in graph.initializer:
        if tensor.data_type == double:
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.float32(onnx.numpy_helper.to_array(tensor)), tensor.name))
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == double:
            value.type.tensor_type.elem_type = single
    for node in graph.node:
        for entry in node.attribute:
            if node.op_type == "Cast" and entry.name == "to" and entry.i == double:
                entry.i = single
            elif entry.HasField("t") and entry.t.data_type == double:
                entry.t.CopyFrom(onnx.numpy_helper.from_array(np.float32(onnx.numpy_helper.to_array(entry.t))))
            for inner in (*([entry.g] if entry.HasField("g") else []), *entry.graphs):
                _to_float32(inner)
