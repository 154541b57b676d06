"""Layers that act in training alone and 16-bit arithmetic leave no trace in what is converted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from edge_fer_convert import InputOptions
from edge_fer_convert.blame import refused_layer
from edge_fer_convert.conversion import convert
from edge_fer_convert.inference_form import as_at_inference, every_layer, is_passed_by
from edge_fer_convert.network import from_keras
from edge_fer_convert.tensorflow_log import quiet_tensorflow

from edge_fer.faces.crop import whole_to_batch
from edge_fer.inference.open_model import open_classifier
from tests.make_models import calibration, pictures, save

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

TRAINING_LAYERS: dict[str, Callable[[Any], Any]] = {
    "flip": lambda layers: layers.RandomFlip("horizontal"),
    "rotation": lambda layers: layers.RandomRotation(0.1),
    "zoom": lambda layers: layers.RandomZoom(0.1),
    "translation": lambda layers: layers.RandomTranslation(0.1, 0.1),
    "shear": lambda layers: layers.RandomShear(x_factor=(0.0, 0.1), y_factor=(0.0, 0.1)),
    "contrast": lambda layers: layers.RandomContrast(0.1),
    "brightness": lambda layers: layers.RandomBrightness(0.1),
    "erasing": lambda layers: layers.RandomErasing(0.5),
    "blur": lambda layers: layers.RandomGaussianBlur(0.5),
    "sharpness": lambda layers: layers.RandomSharpness(0.5),
    "hue": lambda layers: layers.RandomHue(0.1),
    "mixed": lambda layers: layers.RandAugment(),
    "crop of the same size": lambda layers: layers.RandomCrop(16, 16),
    "noise": lambda layers: layers.GaussianNoise(0.1),
    "dropout": lambda layers: layers.SpatialDropout2D(0.1),
    "pipeline": lambda layers: layers.Pipeline([layers.RandomFlip(), layers.RandomSaturation(0.1)]),
}


def built(*front: Any, dtype: str | None = None, side: int = 16, channels: int = 1, pixels: str = "float32") -> Any:
    """A network with a batch norm whose moving statistics differ from those of any batch."""
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(1)
    norm = layers.BatchNormalization(dtype=dtype)
    last = layers.Activation("softmax", dtype="float32")
    body = [layers.Conv2D(4, 3, activation="relu", dtype=dtype), norm, layers.MaxPooling2D(dtype=dtype)]
    inner = keras.Sequential([layers.SeparableConv2D(6, 3, dtype=dtype), layers.GlobalAveragePooling2D(dtype=dtype)])
    face = layers.Input((side, side, channels), dtype=pixels)
    scale = layers.Rescaling(1 / 255, dtype=dtype)
    model = keras.Sequential([face, *front, scale, *body, inner, layers.Dense(7, dtype=dtype), last])
    norm.set_weights([*norm.get_weights()[:2], np.full(4, 0.3), np.full(4, 0.05)])
    return model


def said_by(model: Any, channels: int = 1, side: int = 16) -> NDArray[np.float64]:
    batch = np.random.default_rng(0).integers(0, 256, (4, side, side, channels)).astype(np.float32)
    return np.asarray(model(batch, training=False), np.float64)


@pytest.mark.parametrize("kind", TRAINING_LAYERS)
def test_a_layer_that_does_nothing_at_inference_is_passed_by(converters: None, kind: str) -> None:
    with quiet_tensorflow():
        import keras

        layer = TRAINING_LAYERS[kind](keras.layers)
        model = built(keras.Sequential([keras.Sequential([layer])]), channels=3)
        before = said_by(model, channels=3)
        as_at_inference(model)
        assert is_passed_by(layer)
        assert np.array_equal(said_by(model, channels=3), before)


def test_layers_that_do_something_at_inference_stay(converters: None) -> None:
    with quiet_tensorflow():
        import keras

        layers = keras.layers
        front = (layers.Resizing(20, 20), layers.CenterCrop(14, 14), layers.AutoContrast())
        model = built(*front)
        before = said_by(model)
        as_at_inference(model)
        assert [type(layer).__name__ for layer in front if is_passed_by(layer)] == []
        assert not any(is_passed_by(layer) for layer in every_layer(model) if type(layer).__name__ == "Rescaling")
        assert np.array_equal(said_by(model), before)


@pytest.mark.parametrize("recipe", ["fp32", "static_wi8_ai8"])
def test_a_model_with_random_layers_in_front_converts_to_the_same_scores(
    converters: None, tmp_path: Path, recipe: Any
) -> None:
    with quiet_tensorflow():
        import keras

        layers = keras.layers
        augmentation = keras.Sequential([layers.RandomFlip(), keras.Sequential([layers.RandomRotation(0.1)])])
        path = save(built(augmentation, layers.RandomContrast(0.1), side=48), tmp_path / "augmented.keras")
    result = convert(path, tmp_path / "out", recipes=[recipe], calibration=calibration())
    model = keras.models.load_model(path)
    images = list(pictures(8)[0])
    for file in result.files:
        # 0..255 goes in: a layer in the model scales. Batch norm works with its moving statistics.
        assert (file.manifest.input.mean, file.manifest.input.std) == ((0.0,), (1.0,))
        classifier = open_classifier(file.path)
        batch = whole_to_batch(images, classifier.input_spec)
        found = np.asarray([one.values for one in classifier.classify(batch)])
        wanted = np.asarray(model(batch, training=False))
        assert np.abs(found - wanted).max() < (1e-5 if recipe == "fp32" else 0.03)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16"])
def test_a_model_of_16_bits_is_loaded_under_float32(converters: None, tmp_path: Path, dtype: str) -> None:
    with quiet_tensorflow():
        import keras

        model = built(keras.layers.RandomFlip(dtype=dtype), dtype=dtype, side=48)
        rough = said_by(model, side=48)
        path = save(model, tmp_path / "half.keras")
        network = from_keras(path, keras.models.load_model(path), None)
        batch = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 1)).astype(np.float32)
        exact = network.outputs(batch)
    assert np.abs(exact - rough).max() < 0.02
    assert {variable.dtype for variable in network.tracked.weights} == {"float32"}
    result = convert(path, tmp_path / "out", recipes=["fp32"], calibration=calibration())
    for file in result.files:
        classifier = open_classifier(file.path)
        found = np.asarray([one.values for one in classifier.classify(batch)])
        assert np.abs(found - exact).max() < 1e-5


def test_a_model_that_takes_whole_pixels_takes_them_as_floats(converters: None, tmp_path: Path) -> None:
    with quiet_tensorflow():
        path = save(built(side=48, pixels="uint8"), tmp_path / "bytes.keras")
    result = convert(path, tmp_path / "out", recipes=["fp32", "static_wi8_ai8"], calibration=calibration())
    assert result.trained.input.std == (1.0,)
    assert all(file.agreement.top_1 > 0.9 for file in result.files)
    # Said otherwise, nothing is rounded away either.
    options = InputOptions(scale="1/255")
    other = convert(path, tmp_path / "b", recipes=["fp32"], options=options, calibration=calibration())
    assert other.files[0].agreement.max_difference < 1e-4


def test_the_layer_that_is_named_is_the_one_that_is_refused(converters: None) -> None:
    with quiet_tensorflow():
        import keras

        layers = keras.layers
        front = keras.Sequential([layers.RandomFlip(), layers.RandomZoom(0.1), layers.GaussianNoise(0.1)])
        refused = layers.Discretization([64.0, 128.0], name="steps")
        model = built(front, refused)
        from_keras(Path("model.keras"), model, None)
        found = {"onnx": refused_layer(model, "onnx"), "tflite": refused_layer(model, "tflite")}
    assert found == {"onnx": ("steps", "Discretization"), "tflite": None}
