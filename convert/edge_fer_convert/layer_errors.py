"""What 8 bits cost each layer: the int8 file and its float twin run side by side, and every output is compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer_convert.result import LayerError
from edge_fer_convert.tensorflow_log import quiet_tensorflow
from edge_fer_convert.tflite_values import restored, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge_fer.scores.manifest import Manifest
    from edge_fer.types import Batch, Image, TensorLayout

    Outputs = Callable[[str], NDArray[np.float64]]  # of a tensor by its name; all at once would fill the memory
    Named = dict[str, tuple[str, str]]  # what to call a tensor, and the operation that makes it

PICTURES = 16
WORST = 10


def worst_layers(
    data: bytes, float_network: bytes, manifest: Manifest, images: Sequence[Image], worst: int = WORST
) -> tuple[LayerError, ...]:
    """The operations whose outputs 8 bits change the most, the worst first.

    Both files come from one converter and give their tensors the same names; what bears no name of the other is left
    out. Errors add up on the way through a network, so that late layers have larger ones.

    Args:
        data: the int8 file.
        float_network: the same network for the same engine, in float 32.
        manifest: of the int8 file: its engine and input.
        images: faces, of which 16 are taken at even distances.
        worst: how many to give.
    """
    from edge_fer.faces.crop import whole_to_batch

    chosen = [images[at] for at in np.linspace(0, len(images) - 1, min(PICTURES, len(images))).astype(int)]
    opened = _open_onnx if manifest.engine == "onnx" else _open_tflite
    with quiet_tensorflow():
        kinds, run = opened(data, manifest.input.layout)
        float_kinds, float_run = opened(float_network, manifest.input.layout)
        squares = {name: np.zeros(2) for name in kinds if name in float_kinds}
        for image in chosen:  # one at a time: all outputs of a large network at once would fill the memory
            batch = whole_to_batch([image], manifest.input)
            found, exact = run(batch), float_run(batch)
            for name, sums in squares.items():
                wanted = exact(name).reshape(-1)
                difference = found(name).reshape(-1) - wanted
                sums += (float(difference @ difference), float(wanted @ wanted))
    errors = [
        LayerError(*kinds[name], round(float(np.sqrt(lost / whole)), 5))
        for name, (lost, whole) in squares.items()
        if whole > 0.0
    ]
    return tuple(sorted(errors, key=lambda one: -one.relative_error)[:worst])


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
    import onnxruntime

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
        if operation["op_name"] in ("QUANTIZE", "DEQUANTIZE", "RESHAPE", "TRANSPOSE", "SHAPE"):
            continue
        tensor = details[operation["outputs"][0]]
        taken = [details[place]["name"] for place in operation["inputs"] if place >= 0]
        kinds[tensor["name"]] = readable(tensor["name"], taken[1] if len(taken) > 1 else None), operation["op_name"]
        places[tensor["name"]] = tensor

    def run(batch: Batch) -> Outputs:
        rows = np.ascontiguousarray(batch.transpose(0, 3, 1, 2) if layout == "NCHW" else batch)
        interpreter.set_tensor(entry["index"], stored(rows, entry))
        interpreter.invoke()
        return lambda name: restored(interpreter.get_tensor(places[name]["index"]), places[name])

    return kinds, run
