"""What every operation of a converted file gives for a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer.inference.tensor_values import tensor_values
from edge_fer.third_party import import_onnxruntime
from edge_fer_convert.tensorflow_log import quiet_tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge_fer.inference.manifest import Format
    from edge_fer.types import Batch, TensorLayout

    Outputs = Callable[[str], NDArray[np.float64]]  # of a tensor by its name; all at once would fill the memory
    Named = dict[str, tuple[str, str]]  # what to call a tensor, and the operation that makes it

_NUMBERS = (np.float32, np.int8, np.uint8, np.int16)
"""What activations may be stored as; conditions and texts of a graph are none."""


def open_activations(
    data: bytes, file_format: Format, layout: TensorLayout
) -> tuple[Named, Callable[[Batch], Outputs]]:
    """Open a file so that the outputs of all its operations can be seen.

    Args:
        data: of the file.
        file_format: of the data.
        layout: the order of axes that it takes.

    Returns:
        What to call each tensor that an operation gives, by the tensor's name; and what runs inputs, float32
        [N, height, width, channels], and then gives a tensor's values by its name.
    """
    with quiet_tensorflow():
        return (_open_onnx if file_format == "onnx" else _open_tflite)(data, layout)


def readable(name: str, weights: str | None = None) -> str:
    """A tensor's name without what every tensor bears: the first of several, no prefix of the model, no number.

    Converters give some tensors names of their own, without a layer in them: the weights tell these then.
    """
    first = name.split(";")[0].split(":")[0]
    if "/" not in first and weights is not None and "/" in weights:
        return readable(weights)
    return "/".join(first.split("/")[1:]) or first


def _open_onnx(data: bytes, layout: TensorLayout) -> tuple[Named, Callable[[Batch], Outputs]]:
    import onnx

    onnxruntime = import_onnxruntime()
    model = onnx.load_from_string(data)
    skipped = ("QuantizeLinear", "DequantizeLinear", "Reshape", "Transpose", "Shape", "Squeeze", "Flatten")
    restored = {name: node for node in model.graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    kinds: Named = {}
    shown: dict[str, str] = {}
    for node in model.graph.node:
        if node.op_type in skipped or not node.output:
            continue
        name = node.output[0]
        weighted = node.op_type in ("Conv", "Gemm", "MatMul")
        kinds[name] = readable(name, node.input[1] if weighted else None), node.op_type
        # Where the output goes on in 8 bits, these count.
        after = f"{name}_DequantizeLinear_Output"
        shown[name] = after if after in restored else name
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in shown.values())
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level, settings.intra_op_num_threads = 4, 1
    session = onnxruntime.InferenceSession(
        bytes(model.SerializeToString()), settings, providers=["CPUExecutionProvider"]
    )
    entry = session.get_inputs()[0]

    def run(batch: Batch) -> Outputs:
        rows = np.ascontiguousarray(batch.transpose(0, 3, 1, 2) if layout == "NCHW" else batch)
        outputs = session.run(list(shown.values()), {entry.name: rows})
        by_name = dict(zip(shown, outputs, strict=True))
        return lambda name: np.asarray(by_name[name], np.float64)

    return kinds, run


def _open_tflite(data: bytes, layout: TensorLayout) -> tuple[Named, Callable[[Batch], Outputs]]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=data,
        experimental_preserve_all_tensors=True,
        # A delegate keeps what is between its operations to itself.
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    details = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    entry = interpreter.get_input_details()[0]
    kinds: Named = {}
    places: dict[str, Any] = {}
    for operation in interpreter._get_ops_details():
        moving = operation["op_name"] in ("QUANTIZE", "DEQUANTIZE", "RESHAPE", "TRANSPOSE", "SHAPE")
        if moving or not len(operation["outputs"]):  # an assertion gives nothing
            continue
        tensor = details[operation["outputs"][0]]
        if tensor["dtype"] not in _NUMBERS:
            continue
        taken = [details[place]["name"] for place in operation["inputs"] if place >= 0]
        kinds[tensor["name"]] = readable(tensor["name"], taken[1] if len(taken) > 1 else None), operation["op_name"]
        places[tensor["name"]] = tensor

    values = {name: tensor_values(tensor, "the model") for name, tensor in places.items()}

    def run(batch: Batch) -> Outputs:
        rows = np.ascontiguousarray(batch.transpose(0, 3, 1, 2) if layout == "NCHW" else batch)
        interpreter.set_tensor(entry["index"], tensor_values(entry, "the model").stored(rows))
        interpreter.invoke()
        return lambda name: values[name].restored(interpreter.get_tensor(places[name]["index"]))

    return kinds, run
