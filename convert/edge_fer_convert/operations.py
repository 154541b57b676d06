"""What became of a network's operations: folded into weights, fused with a neighbour, or left in float."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer.third_party import import_onnxruntime
from edge_fer_convert.recipes import recipe_facts
from edge_fer_convert.result import Operations
from edge_fer_convert.tensorflow_log import quiet_tensorflow

if TYPE_CHECKING:
    from edge_fer.inference.manifest import Format, Recipe

_BATCH_NORM = "BatchNormalization"
_RELUS = ("relu", "relu6")
_QUANTISING = ("QuantizeLinear", "DequantizeLinear", "QUANTIZE", "DEQUANTIZE")
_INT8_ONNX = ("QLinear", "QGemm", "QAttention")
# They move values and compute none, in whatever type these come.
_MOVING = {
    *("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Pad", "Slice", "Concat", "Gather"),
    *("ReorderInput", "ReorderOutput", "Shape", "Cast", "MaxPool", "NhwcMaxPool"),
}


def layer_kinds(model: Any | None) -> dict[str, int]:
    """How many batch norms and activations a Keras model has, by class or function name; empty for None."""
    kinds: Counter[str] = Counter()
    for layer in [] if model is None else model.layers:
        if hasattr(layer, "layers"):
            kinds.update(layer_kinds(layer))
            continue
        kind = type(layer).__name__
        if kind == _BATCH_NORM:
            kinds[kind] += 1
        elif kind == "ReLU":
            kinds["relu6" if layer.max_value == 6 else "relu"] += 1
        else:
            name = getattr(getattr(layer, "activation", None), "__name__", "linear")
            kinds.update([] if name == "linear" else [name])
    return dict(sorted(kinds.items()))


def operations_of(data: bytes, file_format: Format, recipe: Recipe, layers: dict[str, int]) -> Operations:
    """Look into a file as its engine runs it.

    Args:
        data: an ONNX model, which ONNX Runtime optimises for this machine first, or a TFLite model.
        file_format: "onnx" or "tflite".
        recipe: of int8 files, what stays in float is told.
        layers: of the trained model, by `layer_kinds`.
    """
    kinds, fused, in_float, norms_left = _of_onnx(data) if file_format == "onnx" else _of_tflite(data)
    if file_format == "onnx" and layers:
        # The quantiser and the runtime let a ReLU vanish in the range of the operation before it.
        fused = {name: layers[name] for name in _RELUS if name in layers}
        for name, kind in (("relu", "Relu"), ("relu6", "Clip")):
            if name in fused:
                fused[name] -= min(fused[name], kinds.get(kind, 0))
    folded = max(0, layers.get(_BATCH_NORM, 0) - norms_left)
    return Operations(
        kinds=dict(sorted(kinds.items())),
        folded={_BATCH_NORM: folded} if folded else {},
        fused={name: count for name, count in sorted(fused.items()) if count},
        in_float=dict(sorted(in_float.items())) if recipe_facts(recipe).is_quantised else {},
    )


_Found = tuple[Counter[str], dict[str, int], Counter[str], int]


def _of_onnx(data: bytes) -> _Found:
    import onnx

    onnxruntime = import_onnxruntime()
    with quiet_tensorflow(), tempfile.TemporaryDirectory(prefix="edge-fer-") as folder:
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level, settings.intra_op_num_threads = 4, 1
        settings.optimized_model_filepath = str(Path(folder, "run.onnx"))
        onnxruntime.InferenceSession(data, settings, providers=["CPUExecutionProvider"])
        graph = onnx.load(settings.optimized_model_filepath).graph
    nodes, weights = graph.node, graph.initializer
    kinds = Counter(node.op_type for node in nodes if node.op_type not in _QUANTISING)
    in_float = Counter(kind for kind in kinds.elements() if not kind.startswith(_INT8_ONNX) and kind not in _MOVING)
    activations = [
        bytes(entry.s).decode().lower() for node in nodes for entry in node.attribute if entry.name == "activation"
    ]
    # A batch norm that no convolution took stays itself, or becomes a multiplication by a constant for each channel.
    vectors = {tensor.name for tensor in weights if int(np.prod(tensor.dims)) > 1}
    norms = sum(
        node.op_type in (_BATCH_NORM, "Mul", "QLinearMul") and bool(vectors & set(node.input)) for node in nodes
    )
    return kinds, dict(Counter(activations)), in_float, norms


def _of_tflite(data: bytes) -> _Found:
    from ai_edge_litert import schema_py_generated as schema

    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    functions = {value: name for name, value in vars(schema.ActivationFunctionType).items() if isinstance(value, int)}
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    graph = model.subgraphs[0]
    kinds: Counter[str] = Counter()
    fused: Counter[str] = Counter()
    in_float: Counter[str] = Counter()
    norms = 0
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        kind = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        if kind in _QUANTISING:
            continue
        kinds[kind] += 1
        function = functions[getattr(operator.builtinOptions, "fusedActivationFunction", 0)]
        fused.update([] if function == "NONE" else [function.lower()])
        tensors = [graph.tensors[place] for place in operator.inputs if place >= 0]
        in_float.update([kind] if any(tensor.type == schema.TensorType.FLOAT32 for tensor in tensors) else [])
        # A batch norm that no convolution took is multiplied by a constant for each channel.
        norms += kind == "MUL" and any(_is_constant_vector(model, tensor) for tensor in tensors)
    return kinds, dict(fused), in_float, norms


def _is_constant_vector(model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0 and int(np.prod(tensor.shape)) > 1
