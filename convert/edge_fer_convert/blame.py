"""Which layer is it that a converter cannot take? Each is tried by itself."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer_convert.inference_form import is_passed_by
from edge_fer_convert.recipes import EXACT
from edge_fer_convert.tensorflow_log import quiet_tensorflow
from edge_fer_convert.to_onnx import graph_of
from edge_fer_convert.to_tflite import to_tflite

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.inference.manifest import Format


def refused_layer(model: Any, file_format: Format) -> tuple[str, str] | None:
    """Name and class of the first layer with one input and one output that the converter to a format does not take
    by itself."""
    for layer in model.layers:
        if is_passed_by(layer):
            continue
        if hasattr(layer, "layers"):
            found = refused_layer(layer, file_format)
            if found is not None:
                return found
            continue
        shape = getattr(getattr(layer, "input", None), "shape", None)
        if shape is None or None in shape[1:] or type(layer).__name__ == "InputLayer":
            continue
        if not _is_taken(layer, tuple(shape[1:]), file_format):
            return layer.name, type(layer).__name__
    return None


def _is_taken(layer: Any, shape: tuple[int, ...], file_format: Format) -> bool:
    with quiet_tensorflow():
        import tensorflow as tf

        signature = tf.TensorSpec((None, *shape), tf.float32, name="face")
        function = tf.function(_inference(layer), input_signature=[signature])
        try:
            np.asarray(function(np.zeros((1, *shape), np.float32)))
            if file_format == "onnx":
                graph_of(function, signature, first_channels=False)
                return True
            module = tf.Module()
            module.layer, module.infer = layer, function
            with tempfile.TemporaryDirectory(prefix="edge-fer-") as folder:
                tf.saved_model.save(module, folder, signatures=function)
                to_tflite(Path(folder), EXACT, None)
        except Exception:  # whatever it is, this layer causes it
            return False
    return True


def _inference(layer: Any) -> Callable[[Any], Any]:
    def infer(face: Any) -> Any:
        # Without the argument, some layers take this for training.
        return layer(face, training=False) if layer._call_has_training_arg else layer(face)

    return infer
