"""Keras to ONNX, by tf2onnx."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_fer.errors import MissingExtra, ModelError
from edge_fer.scores.decoding import first_line
from edge_fer_convert.tensorflow_log import quiet_tensorflow

if TYPE_CHECKING:
    from edge_fer_convert.network import Network

# tf2onnx 1.17: 18 turns global average pooling into a transpose and a reduction, 20 and up is not supported.
OPSET = 17


def to_onnx(network: Network) -> bytes:
    """Convert to a float32 ONNX model that takes any number of faces as NCHW.

    The channels come first in it because ONNX convolutions want them so: the graph then begins without a transpose,
    and for grey pictures the engine's own costs nothing.

    Raises:
        ModelError: tf2onnx has no translation for an operation.
    """
    with quiet_tensorflow():
        try:
            import tensorflow as tf
            import tf2onnx  # noqa: F401
        except ImportError:
            raise MissingExtra("converting to ONNX", "convert") from None
        try:
            signature = network.signature(1 if network.one_by_one else None)
            return graph_of(tf.function(network.function), signature, first_channels=True)
        except Exception as error:  # tf2onnx raises ValueError, KeyError, AttributeError and TensorFlow's errors
            raise ModelError(f"tf2onnx cannot convert the model: {first_line(error)}") from None


def graph_of(function: Any, signature: Any, *, first_channels: bool) -> bytes:
    """The ONNX model of a tf.function of one input; tf2onnx's exceptions pass."""
    import onnx
    import tf2onnx

    nchw = [signature.name] if first_channels else None
    model, _ = tf2onnx.convert.from_function(function, input_signature=[signature], opset=OPSET, inputs_as_nchw=nchw)
    # What tf2onnx cannot translate it leaves as TensorFlow calls it.
    unknown = sorted({node.op_type for node in model.graph.node if not onnx.defs.has(node.op_type, node.domain)})
    if unknown:
        raise ModelError(f"ONNX has no operation like {unknown[0]}")
    return _without_unused_inputs(model)


def add_metadata(model_bytes: bytes, key: str, value: str) -> bytes:
    """Put an entry into the metadata_props of an ONNX model, in place of one of that key."""
    import onnx

    model = onnx.load_from_string(model_bytes)
    for old in [old for old in model.metadata_props if old.key == key]:
        model.metadata_props.remove(old)
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
