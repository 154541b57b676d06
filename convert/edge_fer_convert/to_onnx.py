"""Keras to ONNX, by tf2onnx."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_fer.errors import MissingExtra, ModelError
from edge_fer.inference.decoding import first_line
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
            raise ModelError(
                f"tf2onnx cannot convert the model: {first_line(error)}; other formats may work: --to tflite"
            ) from None


def graph_of(function: Any, signature: Any, *, first_channels: bool) -> bytes:
    """The ONNX model of a tf.function of one input; tf2onnx's exceptions pass.

    The steps are those of `tf2onnx.convert.from_function`, for what its optimisers need: as that calls them, ResNet50
    takes 66 s and 8 GB, as here 0.3 s and next to nothing, and the operations that come out are the same.
    """
    import onnx
    import tensorflow as tf
    from tf2onnx import tf_loader
    from tf2onnx.tfonnx import process_tf_graph

    concrete = function.get_concrete_function(signature)
    inputs, outputs = (
        [tensor.name for tensor in tensors if tensor.dtype != tf.dtypes.resource]
        for tensors in (concrete.inputs, concrete.outputs)
    )
    # What `large_model` leaves away is to load the graph with its constants as a function again: ResNet50 takes 0.6 GB
    # less without.
    frozen = tf_loader.from_function(concrete, inputs, outputs, large_model=True)
    frozen = tf_loader.fix_freezing_errors_part2(tf_loader.fix_freezing_errors(frozen))
    with tf.Graph().as_default():
        frozen = tf_loader.tf_optimize(inputs, outputs, frozen)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen, name="")
        del frozen
        made = process_tf_graph(
            graph,
            continue_on_error=True,
            opset=OPSET,
            input_names=inputs,
            output_names=outputs,
            inputs_as_nchw=inputs if first_channels else None,
            tensors_to_rename={inputs[0]: signature.name},
        )
    model = _optimised(made).make_model("edge-fer")
    # What tf2onnx cannot translate it leaves as TensorFlow calls it.
    unknown = sorted({node.op_type for node in model.graph.node if not onnx.defs.has(node.op_type, node.domain)})
    if unknown:
        raise ModelError(f"ONNX has no operation like {unknown[0]}")
    return _without_unused_inputs(model)


def _optimised(graph: Any) -> Any:
    from tf2onnx import optimizer

    # After each optimiser the graph writes its nodes into protobufs, which keep all weights that they ever held.
    # Written once, by make_model, is enough.
    graph.update_proto = lambda *arguments: None
    try:
        return optimizer.optimize_graph(graph, catch_errors=False)
    finally:
        del graph.update_proto


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
