"""The networks: their sizes counted by hand, their heads, and the weights they begin with."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from edge_fer_train.settings import ARCHITECTURE_NAMES

from edge_fer.errors import ConfigError, EdgeFerError, ModelError
from edge_fer.evaluation.multiply_adds import multiply_adds
from edge_fer.inference.manifest import read_manifest

keras = pytest.importorskip("keras", reason="training needs Keras")

from edge_fer_train.architectures import ARCHITECTURES, build_network, load_start  # noqa: E402
from edge_fer_train.checkpoint import to_numpy  # noqa: E402
from edge_fer_train.pretrained import load_imagenet  # noqa: E402

from tests.convert.hostile_files import weights as hdf5_weights  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

# Keras converts TensorFlow's arrays in a way that NumPy frowns upon.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
layers = keras.layers
NO_PICTURES = np.zeros((0, 48, 48, 1), np.float32)
LIGHT = ("small", "nano", "cnn", "cnn4", "mini-xception")


def test_the_names_are_those_of_the_settings() -> None:
    assert tuple(ARCHITECTURES) == ARCHITECTURE_NAMES


def test_multiply_adds_by_hand() -> None:
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same")(inputs)
    x = layers.Conv2D(6, 3, groups=2, padding="valid")(x)
    x = layers.BatchNormalization()(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(5)(x))
    strided = 4 * 4 * (3 * 3 * 3) * 4
    grouped = 2 * 2 * (3 * 3 * 2) * 6
    assert multiply_adds(model) == strided + grouped + 6 * 5


def test_multiply_adds_of_depthwise_and_separable_layers_by_hand() -> None:
    inputs = keras.Input((8, 8, 3))
    depthwise = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, use_bias=False)
    separable = layers.SeparableConv2D(5, 3, strides=2, padding="same")
    model = keras.Model(inputs, separable(depthwise(inputs)))
    first = 8 * 8 * (3 * 3) * 3 * 2
    second = 4 * 4 * (3 * 3) * 6 + 4 * 4 * 6 * 5
    assert multiply_adds(model) == first + second


def test_multiply_adds_look_into_nested_models_and_need_a_size() -> None:
    inner = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(2, 3, padding="same")])
    outer = keras.Sequential([keras.Input((4, 4, 1)), inner, layers.Flatten(), layers.Dense(3)])
    assert multiply_adds(outer) == 4 * 4 * 9 * 2 + 32 * 3
    with pytest.raises(ValueError, match="fixed input size"):
        multiply_adds(build_network("nano", None, 1, 7))


@pytest.mark.parametrize(
    ("name", "most_parameters", "most_multiply_adds"), [("small", 1_200_000, 40_000_000), ("nano", 150_000, 8_000_000)]
)
def test_our_networks_keep_within_their_size(name: str, most_parameters: int, most_multiply_adds: int) -> None:
    model = build_network(name, 48, 1, 7)
    assert model.count_params() <= most_parameters
    assert multiply_adds(model) <= most_multiply_adds


@pytest.mark.parametrize(("name", "parameters"), [("cnn", 2_345_607), ("cnn4", 4_478_727), ("mini-xception", 58_423)])
def test_known_networks_have_the_parameters_that_are_published(name: str, parameters: int) -> None:
    assert build_network(name, 48, 1, 7).count_params() == parameters


@pytest.mark.parametrize("name", LIGHT)
def test_every_network_has_features_and_ends_in_logits(name: str) -> None:
    model = build_network(name, 48, 1, 5)
    assert model.output_shape == (None, 5)
    assert model.layers[-1].name == "logits"
    assert "features" in [layer.name for layer in model.layers]
    outputs = model.predict_on_batch(np.random.default_rng(0).standard_normal((2, 48, 48, 1)).astype(np.float32))
    assert not np.allclose(np.asarray(outputs).sum(axis=1), 1, atol=1e-4)  # no softmax


@pytest.mark.parametrize("name", [name for name in LIGHT if ARCHITECTURES[name].any_size])
def test_networks_of_any_size_share_their_weights_between_sizes(name: str) -> None:
    anywhere, fixed = build_network(name, None, 1, 7), build_network(name, 32, 1, 7)
    fixed.set_weights(anywhere.get_weights())
    inputs = np.random.default_rng(0).standard_normal((2, 32, 32, 1)).astype(np.float32)
    np.testing.assert_allclose(anywhere.predict_on_batch(inputs), fixed.predict_on_batch(inputs), atol=1e-5)


def test_too_small_pictures_are_told() -> None:
    with pytest.raises(ConfigError, match="vgg16 cannot take pictures of 16x16x1"):
        build_network("vgg16", 16, 1, 7)


def tiny_application(
    weights: str | None = None, include_top: bool = True, input_tensor: object = None, input_shape: object = None
) -> keras.Model:
    """Stands in for a constructor of keras.applications."""
    if weights == "imagenet":
        raise Exception("URL fetch failure: no network")  # as Keras raises it
    if weights is not None:
        raise ValueError("bad file\nwith details")
    assert not include_top
    x = keras.Input(input_shape) if input_tensor is None else input_tensor
    return keras.Model(keras.utils.get_source_inputs(x), layers.Conv2D(4, 3, name="block1_conv1")(x))


def test_grey_is_repeated_and_scaled_inside_a_transferred_network() -> None:
    from edge_fer_train.pretrained import CAFFE_OFFSETS, transferred

    grey = transferred(tiny_application, CAFFE_OFFSETS)((8, 8, 1), 3)
    colour = transferred(tiny_application, CAFFE_OFFSETS)((8, 8, 3), 3)
    colour.set_weights(grey.get_weights())
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1))
    inputs = ((pixels - 127.5) / 127.5).astype(np.float32)
    answers = np.asarray(grey.predict_on_batch(inputs))
    np.testing.assert_allclose(answers, colour.predict_on_batch(inputs.repeat(3, 3)), atol=1e-5)
    rescaled = keras.Model(grey.input, next(one for one in grey.layers if one.name.startswith("rescaling")).output)
    expected = pixels - np.array([103.939, 116.779, 123.68])
    np.testing.assert_allclose(rescaled.predict_on_batch(inputs), expected, atol=1e-3)


def test_published_weights_are_copied_by_name() -> None:
    from edge_fer_train.pretrained import transferred

    network = transferred(tiny_application, None)((8, 8, 1), 3)
    source = tiny_application(None, include_top=False, input_shape=(8, 8, 3))
    load_imagenet(network, lambda **ignored: source, "tiny", "imagenet")
    copied, given = network.get_layer("block1_conv1").get_weights(), source.get_layer("block1_conv1").get_weights()
    assert all(np.array_equal(one, other) for one, other in zip(copied, given, strict=True))


def test_weights_that_cannot_be_downloaded_or_read_are_one_line(tmp_path: Path) -> None:
    from edge_fer_train.pretrained import transferred

    network = transferred(tiny_application, None)((8, 8, 1), 3)
    with pytest.raises(EdgeFerError, match=r"ImageNet weights of tiny cannot be downloaded; give .*--weights none"):
        load_imagenet(network, tiny_application, "tiny", "imagenet")
    written = tmp_path / "mine.h5"
    written.write_bytes(hdf5_weights(w=np.ones(3)))
    with pytest.raises(ConfigError, match=r"mine\.h5: not weights of tiny without its top \(bad file\)$"):
        load_imagenet(network, tiny_application, "tiny", str(written))


def test_a_network_begins_with_the_weights_of_an_earlier_run(tmp_path: Path) -> None:
    earlier = build_network("nano", 48, 1, 7)
    earlier.save(tmp_path / "earlier.keras")
    same, other = build_network("nano", None, 1, 7), build_network("nano", None, 1, 3)
    load_start(same, "nano", str(tmp_path / "earlier.keras"), NO_PICTURES)
    assert all(np.array_equal(a, b) for a, b in zip(same.get_weights(), earlier.get_weights(), strict=True))
    head = other.layers[-1].get_weights()
    load_start(other, "nano", str(tmp_path / "earlier.keras"), NO_PICTURES)
    assert np.array_equal(other.get_weights()[0], earlier.get_weights()[0])
    assert all(np.array_equal(a, b) for a, b in zip(other.layers[-1].get_weights(), head, strict=True))


def test_a_network_goes_on_from_an_onnx_file_as_if_it_had_batch_norm_still(tmp_path: Path) -> None:
    from edge_fer.inference.open_model import BUNDLED_MODELS_FOLDER, open_classifier

    pytest.importorskip("onnx", reason="reading weights from ONNX needs onnx")
    path = BUNDLED_MODELS_FOLDER / "fer2013-nano-48x48-fp32.onnx"
    inputs = np.random.default_rng(0).standard_normal((128, 48, 48, 1)).astype(np.float32)
    network = build_network("nano", 48, 1, 7)
    load_start(network, "nano", str(path), inputs)
    logits = np.asarray(network.predict_on_batch(inputs), np.float64)
    with contextlib.closing(open_classifier(path)) as classifier:
        expected = np.array([one.values for one in classifier.classify(inputs)])
        temperature = read_manifest(path).temperature
    found = np.exp(logits / temperature)
    np.testing.assert_allclose(found / found.sum(axis=1, keepdims=True), expected, atol=1e-4)
    # In training each layer sees the statistics of its batch, which are those that it was given here.
    features = keras.Model(network.input, network.get_layer("features").output)
    whole, plain = (
        to_numpy(keras.ops.stop_gradient(features(inputs, training=training))) for training in (True, False)
    )
    np.testing.assert_allclose(whole, plain, atol=0.02 * np.abs(plain).max())
    for wrong, message in (("small", "is not small in 32-bit floats"), ("cnn", "cannot begin with an ONNX file")):
        with pytest.raises(ConfigError, match=message):
            load_start(build_network(wrong, 48, 1, 7), wrong, str(path), inputs)
    with pytest.raises(ConfigError, match="no such file"):
        load_start(network, "nano", str(tmp_path / "none.onnx"), inputs)
    (tmp_path / "x.onnx").write_bytes(b"no model")
    with pytest.raises(ConfigError, match="is not nano in 32-bit floats"):
        load_start(network, "nano", str(tmp_path / "x.onnx"), inputs)


def test_onnx_weights_pass_the_same_scan_as_models_that_are_converted(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="reading weights from ONNX needs onnx")
    from edge_fer.inference.open_model import BUNDLED_MODELS_FOLDER

    network = build_network("nano", 48, 1, 7)
    model = onnx.load(BUNDLED_MODELS_FOLDER / "fer2013-nano-48x48-fp32.onnx")
    path = tmp_path / "loop.onnx"
    model.graph.node.append(
        onnx.helper.make_node("Loop", ["", ""], ["x"], body=onnx.helper.make_graph([], "b", [], []))
    )
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ConfigError, match="holds the operation 'Loop'"):
        load_start(network, "nano", str(path), NO_PICTURES)
    del model.graph.node[-1]
    path = tmp_path / "parts.onnx"
    onnx.save(model, path, save_as_external_data=True, size_threshold=0)
    with pytest.raises(ConfigError, match="keeps weights in other files"):
        load_start(network, "nano", str(path), NO_PICTURES)


def test_weights_that_do_not_fit_are_told(tmp_path: Path) -> None:
    network = build_network("nano", 48, 1, 7)
    path = tmp_path / "other.keras"
    build_network("mini-xception", 48, 1, 7).save(path)
    with pytest.raises(ConfigError, match="holds another network than nano"):
        load_start(network, "nano", str(path), NO_PICTURES)
    path.write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"--weights .*other\.keras is not what its name says, or is damaged"):
        load_start(network, "nano", str(path), NO_PICTURES)
    with pytest.raises(ConfigError, match="no such file"):
        load_start(network, "nano", str(tmp_path / "none.keras"), NO_PICTURES)
    with pytest.raises(ConfigError, match=r"nano begins with none or with a \.keras or \.onnx file"):
        load_start(network, "nano", "imagenet", NO_PICTURES)
    with pytest.raises(ConfigError, match="no such file"):
        load_start(network, "vgg16", str(tmp_path / "none.h5"), NO_PICTURES)
