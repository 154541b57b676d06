"""Changes of the order of axes that conversion leaves in an ONNX model, taken out.

Keras flattens NHWC, ONNX computes NCHW: between the last convolution and the first dense layer tf2onnx puts a transpose
and seven operations that work out a shape. With the rows of the dense layer's weights put into the other order, both
are gone. Networks that pool globally have none.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_TO_NHWC = [0, 2, 3, 1]


def without_transposes(model_bytes: bytes) -> tuple[bytes, int]:
    """Take out each transpose to NHWC that is only flattened and multiplied by weights.

    Args:
        model_bytes: float32 ONNX model.

    Returns:
        the model, and how many were taken out; scores change by the order of additions alone.
    """
    import onnx

    model = onnx.load_from_string(model_bytes)
    graph = model.graph
    inferred = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in [*inferred.value_info, *inferred.input]
    }
    removed = 0
    for node in list(graph.node):
        found = _flattened(graph, node, shapes.get(node.input[0], [])) if node.op_type == "Transpose" else None
        if found is None:
            continue
        reshape, product, weights = found
        channels, height, width = shapes[node.input[0]][1:]
        rows = onnx.numpy_helper.to_array(weights)
        turned = rows.reshape(height, width, channels, -1).transpose(2, 0, 1, 3).reshape(rows.shape)
        name = f"{weights.name}_channels_first"
        graph.initializer.append(onnx.numpy_helper.from_array(np.ascontiguousarray(turned), name))
        product.input[1] = name
        flatten = onnx.helper.make_node("Flatten", [node.input[0]], [reshape.output[0]], axis=1)
        place = list(graph.node).index(reshape)
        graph.node.remove(reshape)
        graph.node.insert(place, flatten)
        removed += 1
    if not removed:
        return model_bytes, 0
    _drop_unused(graph)
    return bytes(model.SerializeToString()), removed


def _flattened(graph: Any, transpose: Any, shape: list[int]) -> tuple[Any, Any, Any] | None:
    """The reshape and the multiplication that a transpose feeds, and the weights; None where it feeds others."""
    order = [list(entry.ints) for entry in transpose.attribute if entry.name == "perm"]
    if order != [_TO_NHWC] or len(shape) != 4 or 0 in shape[1:]:
        return None
    values = _only_user(graph, transpose.output[0], "Reshape")
    product = None if values is None else _only_user(graph, values.output[0], "MatMul")
    if values is None or product is None or values.input[0] != transpose.output[0]:
        return None
    weights = next((tensor for tensor in graph.initializer if tensor.name == product.input[1]), None)
    fits = weights is not None and len(weights.dims) == 2 and weights.dims[0] == int(np.prod(shape[1:]))
    return (values, product, weights) if fits else None


def _only_user(graph: Any, name: str, kind: str) -> Any | None:
    users = [node for node in graph.node if name in node.input]
    given = any(value.name == name for value in graph.output)
    return users[0] if len(users) == 1 and users[0].op_type == kind and not given else None


def _drop_unused(graph: Any) -> None:
    """Drop nodes and weights that nothing needs any more."""
    while True:
        needed = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
        idle = [node for node in graph.node if not needed & set(node.output)]
        if not idle:
            break
        for node in idle:
            graph.node.remove(node)
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in needed]:
        graph.initializer.remove(tensor)
