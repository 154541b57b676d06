"""Keras to ONNX by tf2onnx, and ONNX to int8 by onnxruntime's quantiser."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_fer.errors import MissingExtra, ModelError
from edge_fer.scores.decoding import first_line
from edge_fer_convert.tensorflow_log import quiet_tensorflow

if TYPE_CHECKING:
    from edge_fer.types import Batch

# tf2onnx 1.17: 18 turns global average pooling into a transpose and a reduction, 20 and up is not supported.
OPSET = 17
INPUT_NAME = "face"


def to_onnx(keras_model: Any) -> bytes:
    """Convert to a float32 ONNX model that takes any number of faces as NCHW.

    The channels come first in it because ONNX convolutions want them so: the graph then begins without a transpose,
    and for grey pictures the engine's own costs nothing.

    Raises:
        ModelError: tf2onnx has no translation for an operation.
    """
    with quiet_tensorflow():
        try:
            import tensorflow as tf
            import tf2onnx
        except ImportError:
            raise MissingExtra("converting to ONNX", "convert") from None
        shape = (None, *keras_model.inputs[0].shape[1:])
        signature = [tf.TensorSpec(shape, tf.float32, name=INPUT_NAME)]

        def infer(face: Any) -> Any:
            return keras_model(face, training=False)

        try:
            model, _ = tf2onnx.convert.from_function(
                tf.function(infer), input_signature=signature, opset=OPSET, inputs_as_nchw=[INPUT_NAME]
            )
        except Exception as error:  # tf2onnx raises ValueError, KeyError, AttributeError and TensorFlow's errors
            raise ModelError(f"tf2onnx cannot convert the model: {first_line(error)}") from None
        return _without_unused_inputs(model)


def quantise_onnx(model_bytes: bytes, calibration: Batch) -> bytes:
    """Quantise weights (signed, a scale a channel) and activations (unsigned) to 8 bits, as quantise-dequantise pairs.

    Unsigned activations let a ReLU vanish in its convolution: measured on one x86-64 thread, 0.155 ms a face against
    0.494 with signed ones (a residual network of 0.5 M parameters; 0.382 in float). `reduce_range` keeps weights to
    7 bits, because processors without VNNI add pairs of u8 x s8 products in 16 bits, which can overflow; it cost
    no accuracy (69.66 % against 69.63 % on PublicTest). Softmax stays in float: in 8 bits it would round
    probabilities to steps of 1/256.

    Args:
        model_bytes: float32 ONNX model that takes NCHW.
        calibration: model inputs, float32 [N, height, width, channels].

    Raises:
        ModelError: the quantiser refuses the model.
    """
    with quiet_tensorflow(), tempfile.TemporaryDirectory(prefix="edge-fer-") as folder:
        import onnx
        from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process

        given, prepared, quantised = (Path(folder, f"{step}.onnx") for step in ("given", "prepared", "quantised"))
        given.write_bytes(model_bytes)
        try:
            # Folding batch norms first keeps per-channel scales honest: 0.952 -> 0.978 agreement on depthwise nets.
            quant_pre_process(given, prepared, skip_symbolic_shape=True)
            graph = onnx.load(prepared).graph
            quantize_static(
                prepared,
                quantised,
                _Reader(calibration),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=[node.name for node in graph.node if node.op_type == "Softmax"],
            )
        except Exception as error:  # as in to_onnx
            raise ModelError(f"onnxruntime cannot quantise the model: {first_line(error)}") from None
        return quantised.read_bytes()


class _Reader:
    """Feeds calibration inputs one by one (the CalibrationDataReader of onnxruntime.quantization)."""

    def __init__(self, calibration: Batch) -> None:
        self._rows = iter(calibration.transpose(0, 3, 1, 2)[:, None].copy())

    def get_next(self) -> dict[str, Batch] | None:
        row = next(self._rows, None)
        return None if row is None else {INPUT_NAME: row}


def add_metadata(model_bytes: bytes, key: str, value: str) -> bytes:
    """Put an entry into the metadata_props of an ONNX model."""
    import onnx

    model = onnx.load_from_string(model_bytes)
    entry = model.metadata_props.add()
    entry.key, entry.value = key, value
    return bytes(model.SerializeToString())


def _without_unused_inputs(model: Any) -> bytes:
    """Drop graph inputs that no node uses: an adapted Normalization layer leaves some that nobody feeds."""
    used = {name for node in model.graph.node for name in node.input}
    kept = [value for value in model.graph.input if value.name in used]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    return bytes(model.SerializeToString())
