"""What files of other tools take and give, such as whole pixels and sigmoids: recognised, and scores are right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from edge_fer_convert import InputOptions
from edge_fer_convert.conversion import convert
from edge_fer_convert.inputs import scale_within
from edge_fer_convert.load import load_trained
from edge_fer_convert.outputs import as_probabilities, output_kind
from edge_fer_convert.tensorflow_log import quiet_tensorflow

from edge_fer.errors import ConfigError, ModelError
from edge_fer.evaluation.predicting import probabilities_of
from edge_fer.inference.manifest import read_manifest, write_manifest
from edge_fer.inference.open_model import open_classifier
from edge_fer.types import InputSpec
from tests.make_models import MODELS, NAME, SPEC, brightness_model, calibration, check_set, pictures, save

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_fer_convert import ConversionResult


def in_tflite(model: Any, path: Path, kind: str = "float") -> Path:
    """What TensorFlow's converter makes by itself."""
    with quiet_tensorflow():
        import tensorflow as tf

        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        if kind != "float":
            batch = (pictures(70)[0][..., None].astype(np.float32) - SPEC.mean[0]) / SPEC.std[0]
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([one[None]] for one in batch)
            operations = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
            if kind.startswith("int16"):
                operations = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            converter.target_spec.supported_ops = [operations]
            if kind in ("uint8", "int8", "int16"):
                converter.inference_input_type = converter.inference_output_type = getattr(tf, kind)
        path.write_bytes(converter.convert())
    return path


def on_pixels(dtype: str, after: Callable[[Any], Any] = lambda scores: scores) -> Any:
    """The brightness model that takes whole pixels (int8: pixels minus 128) and scales them by itself."""
    import keras

    shift = -1.0 if dtype == "int8" else -SPEC.mean[0]
    face = keras.layers.Input((48, 48, 1), dtype=dtype, batch_size=1)
    scaled = keras.layers.Rescaling(1 / SPEC.std[0], shift / SPEC.std[0])(face)
    return keras.Model(face, after(brightness_model()(scaled)))


def packaged(path: Path, **options: Any) -> ConversionResult:
    return convert(path, path.parent / "out", calibration=calibration(), check=check_set(), force=True, **options)


@pytest.fixture(scope="module")
def exact(converters: None, tmp_path_factory: pytest.TempPathFactory) -> float:
    """Accuracy of the float model."""
    path = in_tflite(brightness_model(), tmp_path_factory.mktemp("exact") / "exact.tflite")
    found = packaged(path, options=InputOptions(scale="129,64"))
    return found.files[0].manifest.accuracy[0].accuracy


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32"])
def test_whole_pixels_without_quantisation_parameters(exact: float, tmp_path: Path, dtype: str) -> None:
    with quiet_tensorflow():
        path = in_tflite(on_pixels(dtype), tmp_path / "raw.tflite")
    [file] = packaged(path).files
    assert (file.manifest.recipe, file.manifest.input.std) == ("fp32", (1.0,))
    assert file.manifest.accuracy[0].accuracy == pytest.approx(exact, abs=0.01)
    assert exact > 0.9


def test_whole_pixels_and_a_scale_that_does_not_fit_them(converters: None, tmp_path: Path) -> None:
    with quiet_tensorflow():
        path = in_tflite(on_pixels("uint8"), tmp_path / "raw.tflite")
    with pytest.raises(ConfigError, match="--scale 1/255 would round to a few levels: leave --scale away"):
        packaged(path, options=InputOptions(scale="1/255"))
    [file] = packaged(path, options=InputOptions(scale="0..255")).files
    # A manifest by other hands says the same to the runtime.
    wrong = read_manifest(file.path)
    wrong = type(wrong)(**{**{name: getattr(wrong, name) for name in wrong.__slots__}, "input": SPEC})
    write_manifest(file.path, wrong)
    with pytest.raises(ModelError, match="correct 'mean' and 'std'"):
        open_classifier(file.path)


def test_whole_numbers_that_come_out_without_parameters(exact: float, tmp_path: Path) -> None:
    with quiet_tensorflow():
        import keras

        model = on_pixels("uint8", lambda scores: keras.ops.cast(scores * 255.0, "uint8"))
        [file] = packaged(in_tflite(model, tmp_path / "bytes.tflite")).files
    assert file.manifest.output_kind == "probabilities"
    assert file.manifest.accuracy[0].accuracy == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize(
    ("kind", "recipe"),
    [
        ("uint8", "static_wi8_ai8"),
        ("int8", "static_wi8_ai8"),
        ("int8 inside", "static_wi8_ai8"),
        ("int16", "static_wi8_ai16"),
        ("int16 inside", "static_wi8_ai16"),
    ],
)
def test_quantised_files_are_named_and_scaled_as_they_are(exact: float, tmp_path: Path, kind: str, recipe: str) -> None:
    path = in_tflite(brightness_model(), tmp_path / "model.tflite", kind)
    [file] = packaged(path).files
    assert file.manifest.recipe == recipe
    assert file.path.name == f"model-48x48-{recipe}.tflite"
    # The range that the input holds says what pixels become.
    assert file.manifest.input.mean[0] == pytest.approx(129.0, abs=3.0)
    assert file.manifest.input.std[0] == pytest.approx(64.0, abs=2.0)
    assert file.manifest.accuracy[0].accuracy == pytest.approx(exact, abs=0.03)


@pytest.mark.parametrize(
    ("low", "high", "scale"),
    [
        (0.0, 0.99, "1/255"),
        (-1.0, 0.992, "-1..1"),
        (0.0, 255.0, "0..255"),
        (3.0, 250.0, "0..255"),
        (-2.0156, 1.9687, "129,64"),
        (-128.0, 127.0, "128,1"),
    ],
)
def test_the_scale_that_fills_an_input(low: float, high: float, scale: str) -> None:
    found = scale_within(low, high)
    if "," not in scale:
        assert found == scale
    else:
        assert [float(part) for part in found.split(",")] == pytest.approx(
            [float(part) for part in scale.split(",")], rel=0.01
        )


ENDINGS: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "sigmoid": ("sigmoids", lambda ops, x: ops.sigmoid(x)),
    "hard sigmoid": ("sigmoids", lambda ops, x: ops.hard_sigmoid(x)),
    "softmax": ("probabilities", lambda ops, x: ops.softmax(x)),
    "percent": ("probabilities", lambda ops, x: ops.softmax(x) * 100.0),
    "by hand": ("probabilities", lambda ops, x: ops.exp(x - 5.0) / ops.sum(ops.exp(x - 5.0), axis=-1, keepdims=True)),
    "logarithms": ("logits", lambda ops, x: ops.log_softmax(x)),
    "logits": ("logits", lambda ops, x: x),
    "softmax twice": ("probabilities", lambda ops, x: ops.softmax(ops.softmax(x))),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_kind_of_output_is_told_on_every_road(converters: None, tmp_path: Path, ending: str) -> None:
    kind, function = ENDINGS[ending]
    with quiet_tensorflow():
        import keras

        base = brightness_model(softmax=False)
        path = save(keras.Model(base.inputs, function(keras.ops, base.outputs[0])), tmp_path / "model.keras")
        keras.models.load_model(path).export(tmp_path / "saved", verbose=False)
    options = InputOptions(scale="129,64")
    made = convert(path, tmp_path / "out", recipes=["fp32"], options=options, calibration=calibration())
    results = [made]
    for file in made.files:
        bare = tmp_path / f"bare{file.path.suffix}"
        bare.write_bytes(_without_manifest(file.path))
        results.append(convert(bare, tmp_path / "again", options=options, calibration=calibration(), force=True))
    for result in results:
        assert result.trained.output_kind == kind
        doubled = any("a softmax of probabilities" in one for one in result.files[0].manifest.warnings)
        assert doubled == (ending == "softmax twice")
        for one in result.files:
            assert one.agreement.max_difference < 1e-4
            rows = probabilities_of(open_classifier(one.path), list(pictures(14)[0]))
            assert rows.sum(axis=1) == pytest.approx(np.ones(len(rows)))
            if ending not in ("softmax twice", "sigmoid", "hard sigmoid"):
                assert rows.max(axis=1).min() > 0.3
    assert load_trained(tmp_path / "saved", options).manifest.output_kind == kind


def _without_manifest(path: Path) -> bytes:
    if path.suffix == ".tflite":
        return path.read_bytes()
    import onnx

    model = onnx.load(path)
    del model.metadata_props[:]
    return bytes(model.SerializeToString())


def test_sigmoids_are_divided_by_their_sum(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="the files are made with onnx")
    pytest.importorskip("onnxruntime", reason="and run by ONNX Runtime")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    bias = np.full(7, -5, np.float32)
    bias[3] = 5
    weights = {"w": np.zeros((1, 7), np.float32), "b": bias}
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "w", "b"], ["l"]),
        helper.make_node("Sigmoid", ["l"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(*one) for one in (("x", 1, [1, 1, 48, 48]), ("y", 1, [1, 7]))]
    kept = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "g", [ends[0]], [ends[1]], kept)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), tmp_path / "s.onnx")
    said: list[str] = []
    [file] = convert(tmp_path / "s.onnx", tmp_path / "out", say=said.append).files
    assert read_manifest(file.path).output_kind == "sigmoids"
    assert any(one.startswith("note: ") and "independent sigmoids" in one for one in said)
    [scores] = open_classifier(file.path).classify(np.zeros((1, 48, 48, 1), np.float32))
    assert scores.top == "happy"
    assert scores.top_score == pytest.approx(0.961, abs=0.001)


def test_kinds_are_measured_where_no_graph_says_them(tmp_path: Path) -> None:
    spec = InputSpec(4, 4, "grey", (0.0,), (255.0,))
    matrix = np.random.default_rng(1).normal(size=(16, 7)) * 0.05 + 0.02

    def small_logits(batch: Any) -> Any:
        return batch.reshape(len(batch), 16).astype(np.float64) @ matrix + 0.5

    def sigmoids(batch: Any) -> Any:
        return 1.0 / (1.0 + np.exp(-small_logits(batch)))

    assert output_kind(tmp_path, spec, small_logits) == "logits"
    assert output_kind(tmp_path, spec, sigmoids) == "sigmoids"
    with pytest.raises(ModelError, match="not finite"):
        output_kind(tmp_path, spec, lambda batch: small_logits(batch) * np.nan)


def test_scores_that_are_not_finite_for_some_pictures() -> None:
    manifest = read_manifest(MODELS / f"{NAME}-48x48-fp32.tflite")
    outputs = np.ones((3, 7))
    outputs[1, 2] = np.nan
    with pytest.raises(ModelError, match="not finite for 1 of 3 pictures"):
        as_probabilities(outputs, manifest)
