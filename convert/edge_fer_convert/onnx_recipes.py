"""What is made of a float32 ONNX model: 16-bit weights, 8-bit weights, or 8 bits throughout."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from edge_fer.errors import ModelError
from edge_fer.inference.decoding import first_line
from edge_fer.third_party import silence_onnxruntime
from edge_fer_convert.onnx_dialects import for_quantising
from edge_fer_convert.recipes import recipe_facts
from edge_fer_convert.tensorflow_log import quiet_tensorflow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_fer.inference.manifest import Recipe
    from edge_fer.types import Batch, TensorLayout

Method: TypeAlias = Literal["min-max", "entropy", "percentile"]

_MOST_BYTES_IN_HISTOGRAMS = 1_500_000_000
_FEWEST_IN_HISTOGRAMS = 10
_METHODS: dict[Method, str] = {"min-max": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}


def onnx_recipe(
    model_bytes: bytes,
    recipe: Recipe,
    calibration: Batch | None = None,
    method: Method = "min-max",
    layout: TensorLayout = "NCHW",
) -> bytes:
    """Make the file of a recipe from a float32 ONNX model.

    Args:
        model_bytes: float32 ONNX model.
        recipe: one of `RECIPES`.
        calibration: model inputs, float32 [N, height, width, channels]; needed for int8.
        method: of calibration.
        layout: the order of axes that the model takes.

    Raises:
        ModelError: onnxruntime's tools refuse the model, or calibration pictures are missing.
    """
    facts = recipe_facts(recipe)
    if facts.is_quantised:
        if calibration is None:
            raise ModelError("int8 needs calibration pictures: give some with --calibration")
        inputs = calibration.transpose(0, 3, 1, 2).copy() if layout == "NCHW" else calibration
        return quantise_onnx(model_bytes, inputs, method)
    if facts.weights == "float16":
        return halve_onnx(model_bytes)
    return shrink_onnx(model_bytes) if facts.int8_weights_alone else model_bytes


def halve_onnx(model_bytes: bytes) -> bytes:
    """Store weights and compute in 16-bit floats; inputs and outputs stay in 32 bits.

    Raises:
        ModelError: onnxruntime's tool refuses the model.
    """
    silence_onnxruntime()
    with quiet_tensorflow():
        import onnx
        from onnxruntime.transformers.float16 import convert_float_to_float16

        try:
            # Softmax in 16 bits loses what small probabilities say.
            model = convert_float_to_float16(
                onnx.load_from_string(model_bytes), keep_io_types=True, op_block_list=["Softmax"]
            )
        except Exception as error:  # the tool's errors have no common base
            raise ModelError(f"onnxruntime cannot make the model fp16: {first_line(error)}") from None
        return bytes(model.SerializeToString())


def shrink_onnx(model_bytes: bytes) -> bytes:
    """Store the weights of convolutions and dense layers in 8 bits, one scale a channel, and compute in float.

    Each weight becomes an int8 tensor and a DequantizeLinear, which the runtime folds when it loads the model.
    Measured on a residual network of 0.5 M parameters, one x86-64 thread: 0.38 ms a face like fp32 and 97.5 % the same
    top emotion on synthetic faces; onnxruntime's `quantize_dynamic` took 2.47 ms with 93.2 %.
    """
    import onnx

    model = for_quantising(onnx.load_from_string(model_bytes))
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    added: dict[str, Any] = {}
    for node in graph.node:
        name = node.input[1] if node.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul") else ""
        if name not in weights or name in added:
            continue
        values = onnx.numpy_helper.to_array(weights[name])
        if values.dtype != np.float32 or values.ndim < 2:
            continue
        axis = 0 if node.op_type == "Conv" else 1 if node.op_type == "ConvTranspose" else values.ndim - 1
        if node.op_type == "Gemm" and any(entry.name == "transB" and entry.i for entry in node.attribute):
            axis = 0
        quantised, scales = int8_by_channel(values, axis)
        parts = {f"{name}_int8": quantised, f"{name}_scale": scales, f"{name}_zero": np.zeros(len(scales), np.int8)}
        graph.initializer.remove(weights[name])
        graph.initializer.extend(onnx.numpy_helper.from_array(array, key) for key, array in parts.items())
        added[name] = onnx.helper.make_node("DequantizeLinear", list(parts), [name], axis=axis)
    # Before all that use them: the order of nodes is the order of running.
    nodes = [*added.values(), *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return bytes(model.SerializeToString())


def int8_by_channel(values: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round to whole steps of -127 to 127, a step size (float32) for each index of `axis`."""
    others = tuple(index for index in range(values.ndim) if index != axis)
    largest = np.abs(values).max(axis=others)
    scales = (np.where(largest > 0.0, largest, 1.0) / 127.0).astype(np.float32)
    shape = [1] * values.ndim
    shape[axis] = -1
    steps = np.rint(values / scales.reshape(shape))
    return np.clip(steps, -127, 127).astype(np.int8), scales


def quantise_onnx(model_bytes: bytes, inputs: Batch, method: Method = "min-max") -> bytes:
    """Quantise weights (signed, a scale a channel) and activations (unsigned) to 8 bits, as quantise-dequantise pairs.

    Unsigned activations let a ReLU vanish in its convolution: measured on one x86-64 thread, 0.155 ms a face against
    0.494 with signed ones (a residual network of 0.5 M parameters; 0.382 in float). `reduce_range` keeps weights to
    7 bits, because processors without VNNI add pairs of u8 x s8 products in 16 bits, which can overflow; it cost
    no accuracy (69.66 % against 69.63 % on PublicTest). Softmax stays in float: in 8 bits it would round
    probabilities to steps of 1/256.

    Args:
        model_bytes: float32 ONNX model.
        inputs: model inputs, float32 [N, ...] with the axes in the model's order.
        method: how a range is chosen from the values seen: "min-max", "entropy" or "percentile".

    Raises:
        ModelError: the quantiser refuses the model.
    """
    silence_onnxruntime()
    # Its histograms print what they do.
    silent = contextlib.redirect_stdout(io.StringIO())
    with quiet_tensorflow(), silent, tempfile.TemporaryDirectory(prefix="edge-fer-") as folder:
        import onnx
        from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process

        given, prepared, quantised = (Path(folder, f"{step}.onnx") for step in ("given", "prepared", "quantised"))
        given.write_bytes(for_quantising(onnx.load_from_string(model_bytes)).SerializeToString())
        try:
            # Folding batch norms first keeps per-channel scales honest: 0.952 -> 0.978 agreement on depthwise nets.
            quant_pre_process(given, prepared, skip_symbolic_shape=True)
            model = onnx.load(prepared)
            graph = model.graph
            if method != "min-max":
                inputs = inputs[: _pictures_that_fit(model)]
            quantize_static(
                prepared,
                quantised,
                _Reader(graph.input[0].name, inputs),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                calibrate_method=getattr(CalibrationMethod, _METHODS[method]),
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=[node.name for node in graph.node if node.op_type == "Softmax"],
            )
        except Exception as error:  # as in to_onnx
            raise ModelError(f"onnxruntime cannot quantise the model: {first_line(error)}") from None
        return quantised.read_bytes()


def _pictures_that_fit(model: Any) -> int:
    """How many pictures onnxruntime's histograms may see: it keeps all that every operation gives for each of them."""
    import onnx

    values = onnx.shape_inference.infer_shapes(model).graph.value_info
    sizes = [[side.dim_value or 1 for side in value.type.tensor_type.shape.dim] for value in values]
    each = 4 * sum(int(np.prod(size)) for size in sizes)
    return max(_FEWEST_IN_HISTOGRAMS, _MOST_BYTES_IN_HISTOGRAMS // max(1, each))


class _Reader:
    """Feeds calibration inputs one by one (the CalibrationDataReader of onnxruntime.quantization)."""

    def __init__(self, name: str, rows: Batch) -> None:
        self._name, self._rows = name, iter(rows[:, None])

    def get_next(self) -> dict[str, Batch] | None:
        row = next(self._rows, None)
        return None if row is None else {self._name: row}
