"""Keras to TFLite, by TensorFlow's own converter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_fer.errors import ModelError
from edge_fer.inference.decoding import first_line
from edge_fer_convert.recipes import recipe_facts
from edge_fer_convert.tensorflow_log import quiet_tensorflow
from edge_fer_convert.tflite_ranges import with_ranges

if TYPE_CHECKING:
    from pathlib import Path

    from edge_fer.inference.manifest import Recipe
    from edge_fer.types import Batch
    from edge_fer_convert.onnx_recipes import Method


def to_tflite(saved_model: Path, recipe: Recipe, calibration: Batch | None, method: Method = "min-max") -> bytes:
    """Convert a SavedModel.

    Args:
        saved_model: folder made by `Network.export`.
        recipe: one of `RECIPES`; int8 is int8 throughout, inputs and outputs included.
        calibration: model inputs, float32 [N, height, width, channels]; needed for int8.
        method: of calibration.

    Raises:
        ModelError: the converter refuses the model, or calibration pictures are missing.
    """
    facts = recipe_facts(recipe)
    if facts.is_quantised and calibration is None:
        raise ModelError("int8 needs calibration pictures: give some with --calibration")
    with quiet_tensorflow():
        import tensorflow as tf

        try:
            if calibration is not None and facts.is_quantised:
                from tensorflow.lite.python.convert import mlir_quantize

                # The two halves of what `convert` does, with ranges that are right between them.
                return bytes(
                    mlir_quantize(
                        calibrated_tflite(saved_model, calibration, method),
                        fully_quantize=True,
                        input_data_type=tf.int8,
                        output_data_type=tf.int8,
                    )
                )
            converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model))
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
            if not facts.is_exact:
                # Without pictures, this stores the weights in 8 bits and leaves activations in float.
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if facts.weights == "float16":
                converter.target_spec.supported_types = [tf.float16]
            return bytes(converter.convert())
        except Exception as error:  # the converter's errors have no common base
            raise ModelError(
                f"TensorFlow cannot convert the model to TFLite ({recipe}): {first_line(error)}; other formats may "
                "work: --to onnx"
            ) from None


def calibrated_tflite(saved_model: Path, calibration: Batch, method: Method) -> bytes:
    """A float32 TFLite model that bears the range of each activation, ready for TensorFlow's quantiser.

    Args:
        saved_model: as for `to_tflite`.
        calibration: model inputs, float32 [N, height, width, channels].
        method: of calibration.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    # TensorFlow's ranges are replaced: one picture is enough to have it make room for them.
    converter.representative_dataset = lambda: iter([[calibration[:1]]])
    # Nothing but int8: an operation that would stay in float is an error, not a surprise on the device.
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    converter._experimental_calibrate_only = True
    return with_ranges(bytes(converter.convert()), calibration, method)
