"""Keras to ONNX, by tf2onnx."""

from __future__ import annotations

from typing import Any

from edge_fer.errors import MissingExtra, ModelError
from edge_fer.scores.decoding import first_line
from edge_fer_convert.tensorflow_log import quiet_tensorflow

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
