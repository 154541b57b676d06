"""A prior correction folded into the last layer's bias: the same scores as outside of the graph, in every format."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from edge_fer_convert.conversion import convert
from edge_fer_convert.inputs import InputOptions
from edge_fer_convert.prior import fold_into_keras, fold_into_onnx

from edge_fer.errors import ConfigError
from edge_fer.evaluation.priors import corrected, prior_offsets
from edge_fer.inference.manifest import read_manifest
from edge_fer.inference.open_model import open_classifier
from tests import make_models

if TYPE_CHECKING:
    from collections.abc import Callable

COUNTS = (10, 400, 30, 80, 20, 5, 100)


def scores(path: Path, faces: np.ndarray) -> np.ndarray:
    """What a converted file says of model inputs [N, height, width, channels]."""
    with contextlib.closing(open_classifier(path)) as classifier:
        return np.array([one.values for one in classifier.classify(faces)], np.float64)


def test_the_folded_bias_is_the_correction_outside_of_the_graph(tiny_keras: Any, tmp_path: Path) -> None:
    trained = make_models.save_trained(tmp_path, tiny_keras)
    labels = read_manifest(trained).labels
    counts = COUNTS[: len(labels)]
    options = InputOptions(prior_correction=0.6, prior=",".join(map(str, counts)))
    plain = convert(trained, tmp_path / "plain", recipes=["fp32"], calibration=make_models.calibration())
    folded = convert(
        trained, tmp_path / "folded", recipes=["fp32"], calibration=make_models.calibration(), options=options
    )
    shares = tuple(one / sum(counts) for one in counts)
    faces = np.random.default_rng(0).random((9, *tiny_keras.input_shape[1:])).astype(np.float32)
    assert len(plain.files) == len(folded.files) == 2
    for before, after in zip(plain.files, folded.files, strict=True):
        manifest = after.manifest
        assert manifest.prior is not None
        assert manifest.prior.correction == 0.6
        assert manifest.prior.shares == pytest.approx(shares, abs=1e-6)
        name = next(path for path in (tmp_path / "folded").iterdir() if path.name == after.path.name)
        expected = corrected(scores(tmp_path / "plain" / before.path.name, faces), shares, 0.6, manifest.temperature)
        np.testing.assert_allclose(scores(name, faces), expected, atol=1e-6)
    again = tmp_path / "folded" / next(one.path.name for one in folded.files if one.path.suffix == ".onnx")
    with pytest.raises(ConfigError, match=r"holds a prior correction of 0\.6 already"):
        convert(again, tmp_path / "twice", options=InputOptions(prior_correction=0.5))


def dense(keras: Any) -> Any:
    return keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])


def convolution(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(3, 3), layers.GlobalAveragePooling2D(), layers.Activation("softmax")]
    )


def nested(keras: Any) -> Any:
    inner = dense(keras)
    inputs = keras.Input((8, 8, 1))
    return keras.Model(inputs, inner(inputs))


@pytest.mark.parametrize("build", [dense, convolution, nested])
def test_other_peoples_endings_hold_it_too(build: Callable[[Any], Any], converters: None) -> None:
    import keras

    model, shares = build(keras), (0.7, 0.2, 0.1)
    faces = np.random.default_rng(0).random((5, 8, 8, 1)).astype(np.float32)
    before = np.asarray(model(faces), np.float64)
    fold_into_keras(model, prior_offsets(shares, 1.0), Path("x.keras"))
    np.testing.assert_allclose(np.asarray(model(faces)), corrected(before, shares, 1.0), atol=1e-6)


def test_an_ending_that_cannot_hold_it_is_refused(converters: None) -> None:
    import keras
    import onnx

    relu = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "relu")])
    bare = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, use_bias=False)])
    for model in (relu, bare):
        with pytest.raises(ConfigError, match=r"x: ends in Dense .*, not in a layer whose bias could hold"):
            fold_into_keras(model, np.zeros(3), Path("x"))
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["a"], ["b"])],
        "x",
        [value("a", onnx.TensorProto.FLOAT, [1, 3])],
        [value("b", onnx.TensorProto.FLOAT, [1, 3])],
    )
    with pytest.raises(ConfigError, match=r"x: ends in Relu, not in a layer whose bias could hold"):
        fold_into_onnx(onnx.helper.make_model(graph).SerializeToString(), np.zeros(3), Path("x"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (InputOptions(prior_correction=0.5), "does not say how often each class occurred in training"),
        (InputOptions(prior="1,2"), "a prior without a correction does nothing"),
        (InputOptions(prior_correction=0.5, prior="1,x"), "a prior of '1,x'"),
    ],
)
def test_a_prior_that_is_not_known_is_one_line(
    options: InputOptions, message: str, tiny_keras: Any, tmp_path: Path
) -> None:
    trained = make_models.save_trained(tmp_path, tiny_keras)
    with pytest.raises(ConfigError, match=message) as error:
        convert(trained, tmp_path / "out", options=options)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()
