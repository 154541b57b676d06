"""int8 TFLite knows the range of every activation, also where the interpreter writes one over another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from edge_fer_convert.tflite_ranges import measured_ranges
from edge_fer_convert.to_tflite import calibrated_tflite, to_tflite

from edge_fer.inference.tensor_values import tensor_values

if TYPE_CHECKING:
    from pathlib import Path

    from edge_fer_convert.onnx_recipes import Method
    from numpy.typing import NDArray

GREY_TO_CAFFE = 127.5
OFFSETS = (23.561, 10.721, 3.82)


def pictures() -> NDArray[np.float32]:
    return np.random.default_rng(0).uniform(-1.0, 1.0, (24, 8, 8, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def rescaling(converters: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """What VGG16 begins with: grey in three channels, from -1..1 to pixels less a mean. Each operation may write over
    what it is given."""
    import keras
    from edge_fer_convert.tensorflow_log import quiet_tensorflow

    with quiet_tensorflow():
        keras.utils.set_random_seed(0)
        face = keras.Input((8, 8, 1))
        x = keras.layers.Rescaling(GREY_TO_CAFFE, offset=list(OFFSETS))(keras.layers.Concatenate()([face] * 3))
        x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, activation="relu")(x))
        model = keras.Model(face, keras.layers.Dense(3)(x))
        folder = tmp_path_factory.mktemp("rescaling") / "saved"
        model.export(folder, verbose=False)
    return model, folder


def test_each_activation_has_its_own_range(rescaling: tuple[Any, Path]) -> None:
    ranges = {
        name.rsplit("/", 1)[-1]: found
        for name, found in measured_ranges(calibrated_tflite(rescaling[1], pictures(), "min-max")).items()
    }
    assert ranges["concat"] == pytest.approx((-1.0, 1.0), abs=0.02)
    assert ranges["mul"] == pytest.approx((-GREY_TO_CAFFE, GREY_TO_CAFFE), abs=2.0)
    assert ranges["add"] == pytest.approx((OFFSETS[2] - GREY_TO_CAFFE, OFFSETS[0] + GREY_TO_CAFFE), abs=2.0)


@pytest.mark.parametrize("method", ["min-max", "entropy", "percentile"])
def test_scores_are_those_of_keras(rescaling: tuple[Any, Path], method: Method) -> None:
    from ai_edge_litert.interpreter import Interpreter

    model, folder = rescaling
    interpreter = Interpreter(model_content=to_tflite(folder, "static_wi8_ai8", pictures(), method))
    interpreter.allocate_tensors()
    [entry], [exit_] = interpreter.get_input_details(), interpreter.get_output_details()
    found = []
    for picture in pictures():
        interpreter.set_tensor(entry["index"], tensor_values(entry, "m").stored(picture[None]))
        interpreter.invoke()
        found.append(tensor_values(exit_, "m").restored(interpreter.get_tensor(exit_["index"]))[0])
    expected = np.asarray(model(pictures()))
    assert np.abs(np.asarray(found) - expected).max() < 0.03 * np.ptp(expected)
