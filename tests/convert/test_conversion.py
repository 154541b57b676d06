"""The whole way: a trained model in, checked files out, nothing half-done left behind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from edge_fer_convert import CheckSet, InputOptions
from edge_fer_convert.conversion import convert
from edge_fer_convert.load import load_trained

from edge_fer.errors import ConfigError, ModelError
from edge_fer.evaluation.datasets import LabelledFaces
from edge_fer.evaluation.multiply_adds import multiply_adds
from edge_fer.faces.crop import whole_to_batch
from edge_fer.inference.manifest import METADATA_KEY, manifest_path, parse_manifest, read_manifest
from edge_fer.inference.onnx_file import scan_onnx
from edge_fer.inference.open_model import open_classifier
from edge_fer.types import FER_LABELS, InputSpec
from tests.make_models import NAME, SPEC, brightness_model, calibration, flat_picture, pictures, save, save_trained

if TYPE_CHECKING:
    from pathlib import Path

    from tests.convert.conftest import Converted

KINDS = ("fp32", "fp16", "dynamic_wi8_afp32", "static_wi8_ai8")
FILES = [f"{NAME}-48x48-{recipe}.{suffix}" for suffix in ("onnx", "tflite") for recipe in KINDS]
INT8_ONNX, INT8_LITERT = FILES[3], FILES[7]
TOLERANCE = {"fp32": 1e-4, "fp16": 5e-3, "dynamic_wi8_afp32": 0.05, "static_wi8_ai8": 0.1}


def everything_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_and_manifests_are_there_and_nothing_else(converted: Converted) -> None:
    reports = ("conversion.json", "conversion.html")
    assert everything_in(converted.out) == sorted([*FILES, *(f"{name}.json" for name in FILES), *reports])
    assert [file.path for file in converted.result.files] == [converted.out / name for name in FILES]
    for file in converted.result.files:
        assert file.size_bytes == file.path.stat().st_size
        assert file.manifest == read_manifest(file.path)


@pytest.mark.parametrize("name", FILES)
def test_a_converted_model_says_what_the_trained_one_says(converted: Converted, name: str) -> None:
    images, labels = pictures(70)
    batch = whole_to_batch(list(images), SPEC)
    trained = np.asarray(converted.keras_model(batch, training=False))
    found = np.asarray([scores.values for scores in open_classifier(converted.out / name).classify(batch)])
    recipe = read_manifest(converted.out / name).recipe
    assert np.abs(found - trained).max() < TOLERANCE[recipe]
    assert (found.argmax(axis=1) == labels).mean() > 0.97


def test_agreement_is_what_was_measured(converted: Converted) -> None:
    for file in converted.result.files:
        assert file.agreement.pictures == 140
        assert file.agreement.top_1 >= 0.97
        assert 0.0 < file.agreement.max_difference < TOLERANCE[file.manifest.recipe]
        assert file.agreement.mean_difference <= file.agreement.max_difference
        assert file.milliseconds_per_face > 0.0


def test_int8_is_int8_through_and_through(converted: Converted) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(converted.out / INT8_LITERT))
    assert {tensor["dtype"] for tensor in interpreter.get_tensor_details()} <= {np.int8, np.int32}


def test_int8_onnx_quantises_convolutions_by_channel(converted: Converted) -> None:
    import onnx

    graph = onnx.load(converted.out / INT8_ONNX).graph
    kinds = [node.op_type for node in graph.node]
    assert "QuantizeLinear" in kinds
    assert "DequantizeLinear" in kinds
    assert "Transpose" not in kinds
    scales = [onnx.numpy_helper.to_array(tensor).shape for tensor in graph.initializer if "scale" in tensor.name]
    assert (2,) in scales


def test_weights_are_stored_as_the_recipe_says(converted: Converted) -> None:
    import onnx
    from onnx import TensorProto

    kinds = {
        recipe: {tensor.data_type for tensor in onnx.load(converted.out / name).graph.initializer}
        for recipe, name in zip(KINDS, FILES, strict=False)
    }
    assert TensorProto.FLOAT16 in kinds["fp16"]
    assert TensorProto.FLOAT16 not in kinds["fp32"] | kinds["dynamic_wi8_afp32"]
    assert TensorProto.INT8 in kinds["dynamic_wi8_afp32"]
    assert TensorProto.INT8 not in kinds["fp32"]
    dynamic = onnx.load(converted.out / FILES[2]).graph
    assert "QuantizeLinear" not in {node.op_type for node in dynamic.node}


def test_manifests_say_how_the_files_were_made(converted: Converted) -> None:
    manifests = [file.manifest for file in converted.result.files]
    assert [manifest.recipe for manifest in manifests] == [*KINDS, *KINDS]
    onnx_int8, litert_int8 = manifests[3], manifests[7]
    assert onnx_int8.labels == litert_int8.labels == FER_LABELS
    assert (onnx_int8.input, litert_int8.input) == (replace(SPEC, layout="NCHW"), SPEC)
    assert all(manifest.calibration is None for manifest in manifests if manifest.recipe != "static_wi8_ai8")
    assert onnx_int8.calibration == litert_int8.calibration == calibration().facts
    assert set(litert_int8.produced_by) == {"edge-fer", "keras", "tensorflow"}
    assert {"tf2onnx", "onnxruntime"} <= set(onnx_int8.produced_by)
    assert onnx_int8.licence == "Apache-2.0"
    # 3x3x1x2 at 48x48 positions, 3x3x2x2 at 24x24, 2x7 once.
    assert onnx_int8.multiply_adds == 18 * 48 * 48 + 36 * 24 * 24 + 14
    assert onnx_int8.parameters == converted.keras_model.count_params()


def test_one_file_of_each_engine_is_preferred(converted: Converted) -> None:
    preferred = [file.manifest.format for file in converted.result.files if file.manifest.preferred]
    assert sorted(preferred) == ["onnx", "tflite"]


def test_onnx_files_carry_their_manifest(converted: Converted) -> None:
    for name in FILES[:4]:
        path = converted.out / name
        inside = parse_manifest(scan_onnx(path.read_bytes(), path).metadata[METADATA_KEY], name)
        assert replace(inside, sha256=read_manifest(path).sha256) == read_manifest(path)


def test_the_trained_model_is_not_touched(converted: Converted) -> None:
    assert read_manifest(converted.trained).format == "keras"


def test_what_goes_on_is_told(converted: Converted) -> None:
    assert converted.said[0].startswith("loading ")
    assert any("TFLite" in sentence for sentence in converted.said)
    assert converted.result.guesses == ()


def test_an_existing_file_is_kept_unless_forced(converted: Converted, tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"recipes": ("fp32",), "formats": ("tflite",), "calibration": calibration()}
    name = f"{NAME}-48x48-fp32.tflite"
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(ConfigError, match="exists: give --force"):
        convert(converted.trained, tmp_path, **arguments)
    assert everything_in(tmp_path) == [name]
    assert (tmp_path / name).read_bytes() == b"mine"
    [file] = convert(converted.trained, tmp_path, force=True, **arguments).files
    assert everything_in(tmp_path) == [name, f"{name}.json", "conversion.html", "conversion.json"]
    assert open_classifier(file.path).labels == FER_LABELS


def test_an_existing_manifest_is_kept_too(converted: Converted, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}-48x48-static_wi8_ai8.onnx.json").write_text("{}")
    with pytest.raises(ConfigError, match="exists: give --force"):
        convert(converted.trained, tmp_path, calibration=calibration())


def test_a_failure_in_the_middle_leaves_nothing(converted: Converted, tmp_path: Path) -> None:
    def stop_at_the_last_file(sentence: str) -> None:
        if sentence.startswith("checking") and "wi8" in sentence:
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        convert(
            converted.trained,
            out,
            recipes=("fp32", "static_wi8_ai8"),
            formats=("tflite",),
            calibration=calibration(),
            say=stop_at_the_last_file,
        )
    assert everything_in(tmp_path) == []


def test_colour_logits_and_other_classes(converters: None, tmp_path: Path) -> None:
    model = brightness_model(classes=3, channels=3, side=32, softmax=False)
    spec = InputSpec(32, 32, "rgb", (129.0, 100.0, 100.0), (64.0,))
    trained = save_trained(tmp_path, model, spec, name="colour-tiny")
    result = convert(trained, tmp_path, recipes=("fp32",))
    assert [file.path.name for file in result.files] == [
        "colour-tiny-32x32-fp32.onnx",
        "colour-tiny-32x32-fp32.tflite",
    ]
    # The model looks at the first channel alone, red; a swap of channels or axes would show.
    red = np.zeros((3, 32, 32, 3), np.uint8)
    red[..., 2] = np.stack([flat_picture(label, classes=3, side=32) for label in range(3)])
    for file in result.files:
        assert file.manifest.output_kind == "logits"
        classifier = open_classifier(file.path)
        found = classifier.classify(whole_to_batch(list(red), classifier.input_spec))
        assert [scores.top for scores in found] == list(FER_LABELS[:3])
        assert file.agreement.max_difference < 1e-4


def test_without_a_sidecar_guesses_are_told(converters: None, tiny_keras: Any, tmp_path: Path) -> None:
    path = save(tiny_keras, tmp_path / "bare.keras")
    guessed = load_trained(path, InputOptions())
    assert guessed.manifest.labels == FER_LABELS
    assert (guessed.manifest.input.mean, guessed.manifest.input.std) == ((0.0,), (255.0,))
    assert [guess.split()[0] for guess in guessed.guesses] == ["pixels", "labels"]
    names = tuple("abcdefg")
    told = load_trained(path, InputOptions(names, "129,64", "grey"))
    assert told.guesses == ()
    assert told.manifest.labels == names
    assert (told.manifest.input.mean, told.manifest.input.std) == ((129.0,), (64.0,))


def test_an_old_hdf5_file(converters: None, tiny_keras: Any, tmp_path: Path) -> None:
    path = save(tiny_keras, tmp_path / "old.h5")
    loaded = load_trained(path, InputOptions(scale="129,64"))
    batch = whole_to_batch([flat_picture(2)], SPEC)
    assert loaded.probabilities(batch)[0].argmax() == 2


def test_options_win_over_the_sidecar(converted: Converted) -> None:
    told = load_trained(converted.trained, InputOptions(scale="0..255"))
    assert told.manifest.input.std == (1.0,)
    assert told.manifest.labels == FER_LABELS


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (InputOptions(labels=("a", "b")), "7 classes but 2 labels"),
        (InputOptions(colour="rgb"), "takes 1 channels, which is not rgb"),
        (InputOptions(scale="imagenet"), "is for colour pictures"),
        (InputOptions(scale="1/256"), "unknown scale"),
    ],
)
def test_options_that_do_not_fit_the_model(converted: Converted, options: InputOptions, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_trained(converted.trained, options)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.keras", b"", "is empty"),
        ("a.keras", b"hello, I am text", "not what its name says"),
        ("a.h5", b"<html>404</html>", "is a web page"),
        ("a.keras", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "pointer of Git LFS"),
        ("a.keras", b"PK\x03\x04 and then nothing of a zip file", "cannot load"),
        ("a.hdf5", b"\x89HDF\r\n\x1a\n and nothing more", "cannot load"),
        ("a.pt", b"PK\x03\x04", "not a trained Keras model"),
    ],
)
def test_files_that_are_no_trained_model(
    converters: None, tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=says) as caught:
        convert(tmp_path / name, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert everything_in(tmp_path) == [name]


def test_a_truncated_trained_model(converted: Converted, tmp_path: Path) -> None:
    path = tmp_path / "half.keras"
    path.write_bytes(converted.trained.read_bytes()[:-2000])
    with pytest.raises(ModelError, match="cannot load"):
        convert(path, tmp_path / "out")


def test_a_missing_file(converters: None, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        convert(tmp_path / "absent.keras", tmp_path / "out")


def test_a_sidecar_of_another_model_is_refused(converted: Converted, tmp_path: Path) -> None:
    path = tmp_path / "face.keras"
    path.write_bytes(converted.trained.read_bytes() + b" ")
    manifest_path(path).write_bytes(manifest_path(converted.trained).read_bytes())
    with pytest.raises(ModelError, match="sha256"):
        convert(path, tmp_path / "out")


def test_models_that_are_no_classifier_of_pictures(converters: None, tmp_path: Path) -> None:
    import keras

    face = keras.Input((8, 8, 2))
    pooled = keras.layers.GlobalAveragePooling2D()(face)
    cases = {
        "channels": (keras.Model(face, keras.layers.Dense(7)(pooled)), "1 or 3 channels"),
        "vector": (keras.Sequential([keras.Input((5,)), keras.layers.Dense(7)]), "takes inputs of"),
        "map": (keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(7, 3)]), "gives outputs of"),
        "two": (keras.Model([face, keras.Input((3,))], keras.layers.Dense(7)(pooled)), "2 inputs"),
    }
    for name, (model, says) in cases.items():
        path = save(model, tmp_path / f"{name}.keras")
        with pytest.raises(ModelError, match=says):
            load_trained(path, InputOptions())


def test_weights_that_are_not_numbers(converters: None, tmp_path: Path) -> None:
    model = brightness_model()
    model.layers[-1].set_weights([np.full((2, 7), np.nan, np.float32), np.zeros(7, np.float32)])
    save(model, tmp_path / "nan.keras")
    with pytest.raises(ModelError, match="not finite"):
        load_trained(tmp_path / "nan.keras", InputOptions())


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_code_inside_a_model_is_refused_before_it_runs(converters: None, tmp_path: Path, suffix: str) -> None:
    import keras

    trace = tmp_path / "ran"
    name = str(trace)  # Keras stores a text of the function's surroundings, not a Path
    code = keras.layers.Lambda(lambda x: (open(name, "w").close(), x)[1])  # noqa: PTH123
    layers = [keras.Input((8, 8, 1)), code, keras.layers.Flatten(), keras.layers.Dense(7)]
    path = save(keras.Sequential(layers), tmp_path / f"lambda{suffix}")
    trace.unlink(missing_ok=True)  # building the model ran it once
    with pytest.raises(ModelError, match="Lambda"):
        load_trained(path, InputOptions())
    assert not trace.exists()


def test_other_class_counts_need_labels(converters: None, tmp_path: Path) -> None:
    save(brightness_model(classes=5), tmp_path / "five.keras")
    with pytest.raises(ConfigError, match="name them in their order with --labels"):
        load_trained(tmp_path / "five.keras", InputOptions())


def test_a_model_that_scales_by_itself_gets_raw_pixels(converters: None, tmp_path: Path) -> None:
    import keras

    layers = [keras.Input((8, 8, 1)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(7)]
    save(keras.Sequential(layers), tmp_path / "scaling.keras")
    assert load_trained(tmp_path / "scaling.keras", InputOptions()).manifest.input.std == (1.0,)


def test_multiply_adds_of_depthwise_and_nested_layers(converters: None) -> None:
    import keras

    inner = keras.Sequential([keras.Input((8, 8, 4)), keras.layers.DepthwiseConv2D(3, padding="same")])
    model = keras.Sequential([keras.Input((8, 8, 4)), inner, keras.layers.Conv2D(6, 1, strides=2)])
    assert multiply_adds(model) == 8 * 8 * 9 * 4 + 4 * 4 * 4 * 6


def test_accuracy_is_measured_where_data_is_given(converted: Converted, tmp_path: Path) -> None:
    images, labels = pictures(35)
    # The data names its classes in another order: they are matched by name.
    names = tuple(reversed(FER_LABELS))
    faces = LabelledFaces(images, 6 - labels, names)
    result = convert(
        converted.trained,
        tmp_path,
        recipes=("fp32",),
        formats=("tflite",),
        calibration=calibration(),
        check=CheckSet(faces, "brightness", "test"),
    )
    [entry] = result.files[0].manifest.accuracy
    assert (entry.data_set, entry.split, entry.pictures) == ("brightness", "test", 35)
    assert entry.accuracy > 0.97
    assert result.trained.accuracy == (entry,)
    strange = CheckSet(LabelledFaces(images, labels % 2, ("happy", "bored")), "x", "test")
    with pytest.raises(ConfigError, match="bored"):
        convert(converted.trained, tmp_path / "b", calibration=calibration(), check=strange)
    assert not (tmp_path / "b").exists()


def test_nothing_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to make"):
        convert(tmp_path / "x.keras", recipes=())


def test_a_folder_that_cannot_be_written(converted: Converted, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write to"):
        convert(converted.trained, tmp_path / "file" / "out", calibration=calibration())


def test_files_name_no_folder_of_the_machine_that_made_them(converted: Converted) -> None:
    for file in converted.result.files:
        assert str(converted.out).encode() not in file.path.read_bytes()
        assert str(converted.out) not in manifest_path(file.path).read_text()
