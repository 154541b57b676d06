"""Every kind of file that a model may come in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from edge_fer_convert import InputOptions
from edge_fer_convert.conversion import convert
from edge_fer_convert.load import load_trained
from edge_fer_convert.ready import load_ready
from edge_fer_convert.tensorflow_log import quiet_tensorflow

from edge_fer.errors import ConfigError, ModelError, OutputClash
from edge_fer.faces.crop import whole_to_batch
from edge_fer.inference.manifest import manifest_path, read_manifest
from edge_fer.inference.open_model import open_classifier
from edge_fer.types import FER_LABELS, InputSpec
from tests.make_models import MODELS, NAME, SPEC, brightness_model, calibration, flat_picture, save

if TYPE_CHECKING:
    from pathlib import Path

    from tests.convert.conftest import Converted

PLAIN = InputOptions(scale="129,64")
BRIGHT = whole_to_batch([flat_picture(label) for label in range(7)], SPEC)


def says_the_labels(path: Path) -> bool:
    return [scores.top for scores in open_classifier(path).classify(BRIGHT)] == list(FER_LABELS)


def test_a_saved_model_folder(tiny_keras: Any, tmp_path: Path) -> None:
    tiny_keras.export(tmp_path / "saved", verbose=False)
    result = convert(
        tmp_path / "saved",
        tmp_path / "out",
        recipes=("fp32", "static_wi8_ai8"),
        options=PLAIN,
        calibration=calibration(),
    )
    assert result.files[0].path.name == "saved-48x48-fp32.onnx"
    assert all(says_the_labels(file.path) for file in result.files)
    assert all(file.agreement.max_difference < 1e-4 for file in result.files if file.manifest.recipe == "fp32")
    assert result.trained.parameters == tiny_keras.count_params()


def test_weights_with_their_architecture(tiny_keras: Any, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(tiny_keras.to_json())
    with quiet_tensorflow():
        tiny_keras.save_weights(tmp_path / "face.weights.h5")
    told = InputOptions(scale="129,64", architecture=tmp_path / "model.json")
    loaded = load_trained(tmp_path / "face.weights.h5", told)
    assert loaded.probabilities(BRIGHT).argmax(axis=1).tolist() == list(range(7))
    with pytest.raises(ModelError, match="--architecture"):
        load_trained(tmp_path / "face.weights.h5", PLAIN)
    (tmp_path / "model.json").write_text("[]")
    with pytest.raises(ModelError, match="no model architecture"):
        load_trained(tmp_path / "face.weights.h5", told)


def test_old_weights_with_their_architecture(tiny_keras: Any, tmp_path: Path) -> None:
    import h5py

    (tmp_path / "model.json").write_text(tiny_keras.to_json())
    whole = save(tiny_keras, tmp_path / "whole.h5")
    with h5py.File(whole) as source, h5py.File(tmp_path / "weights.hdf5", "w") as target:
        group = source["model_weights"]
        target.attrs.update(group.attrs)
        for name in group:
            source.copy(group[name], target)
    told = InputOptions(scale="129,64", architecture=tmp_path / "model.json")
    loaded = load_trained(tmp_path / "weights.hdf5", told)
    assert loaded.probabilities(BRIGHT).argmax(axis=1).tolist() == list(range(7))


def old_depthwise(folder: Path) -> Path:
    """A file as Keras 2 wrote it, with an argument that Keras 3 refuses."""
    import h5py
    import keras

    layers = [
        keras.Input((8, 8, 1)),
        keras.layers.DepthwiseConv2D(3),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(7),
    ]
    path = save(keras.Sequential(layers), folder / "old.h5")
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        old = []
        for layer in config["config"]["layers"]:
            inner = {
                key: value for key, value in layer["config"].items() if key not in ("dtype", "quantization_config")
            }
            for key, value in inner.items():
                if isinstance(value, dict) and "class_name" in value:
                    inner[key] = {"class_name": value["class_name"], "config": {}}
            if layer["class_name"] == "InputLayer":
                inner = {"batch_input_shape": [None, 8, 8, 1], "dtype": "float32", "name": inner["name"]}
            if layer["class_name"] == "DepthwiseConv2D":
                inner["groups"] = 1
            old.append({"class_name": layer["class_name"], "config": inner})
        model = {"class_name": "Sequential", "config": {"name": "old", "layers": old}}
        file.attrs["model_config"] = json.dumps(model)
        file.attrs["keras_version"] = file["model_weights"].attrs["keras_version"] = "2.9.0"
    return path


def test_a_file_of_keras_2_that_keras_3_refuses(converters: None, tmp_path: Path) -> None:
    pytest.importorskip("tf_keras", reason="tf_keras reads files of Keras 2", exc_type=ImportError)
    loaded = load_trained(old_depthwise(tmp_path), InputOptions())
    assert loaded.manifest.input.width == 8
    assert loaded.probabilities(np.zeros((1, 8, 8, 1), np.float32)).shape == (1, 7)


def test_a_file_that_no_keras_reads(converters: None, tmp_path: Path) -> None:
    import h5py

    path = old_depthwise(tmp_path)
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = file.attrs["model_config"].replace('"DepthwiseConv2D"', '"MyOwnLayer"')
    with pytest.raises(ModelError, match="MyOwnLayer") as caught:
        load_trained(path, InputOptions())
    assert "\n" not in str(caught.value)


def test_one_of_several_outputs(converters: None, tmp_path: Path) -> None:
    import keras

    face = keras.Input((16, 16, 1))
    pooled = keras.layers.Flatten()(face)
    heads = {"age": keras.layers.Dense(1, name="age"), "mood": keras.layers.Dense(7, name="mood")}
    path = save(keras.Model(face, [head(pooled) for head in heads.values()]), tmp_path / "two.keras")
    with pytest.raises(ConfigError, match="2 outputs: name one with --output"):
        load_trained(path, InputOptions())
    with pytest.raises(ConfigError, match="no output 'sex'"):
        load_trained(path, InputOptions(output="sex"))
    result = convert(path, tmp_path, recipes=("fp32",), options=InputOptions(output="mood"))
    assert [file.agreement.top_1 for file in result.files] == [1.0, 1.0]


@pytest.mark.parametrize(("side", "channels", "classes"), [(64, 1, 7), (96, 3, 8), (224, 3, 5)])
def test_other_sizes_and_classes(converters: None, tmp_path: Path, side: int, channels: int, classes: int) -> None:
    path = save(brightness_model(classes=classes, channels=channels, side=side), tmp_path / "other.keras")
    names = tuple("abcdefgh"[:classes])
    result = convert(path, tmp_path, options=InputOptions(names, "129,64"), calibration=calibration())
    for file in result.files:
        assert file.path.name.startswith(f"other-{side}x{side}-static")
        classifier = open_classifier(file.path)
        shown = [flat_picture(label, classes, side) for label in range(classes)]
        found = classifier.classify(whole_to_batch(shown, classifier.input_spec))
        assert tuple(scores.top for scores in found) == names


def bare(name: str, folder: Path) -> Path:
    """A converted file without its manifest, beside it or inside it."""
    path = folder / f"bare{(MODELS / name).suffix}"
    path.write_bytes((MODELS / name).read_bytes())
    if path.suffix == ".onnx":
        import onnx

        model = onnx.load(path)
        del model.metadata_props[:]
        onnx.save(model, path)
    return path


@pytest.mark.parametrize("recipe", ["fp32", "static_wi8_ai8"])
@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_a_ready_file_gets_its_manifest(converters: None, tmp_path: Path, recipe: str, suffix: str) -> None:
    path = bare(f"{NAME}-48x48-{recipe}.{suffix}", tmp_path)
    before = path.read_bytes()
    with pytest.raises(ModelError, match="edge-fer convert"):
        open_classifier(path)
    [file] = convert(path, tmp_path / "out", options=PLAIN, calibration=calibration()).files
    assert file.path.name == f"bare-48x48-{recipe}.{suffix}"
    assert file.manifest.recipe == recipe
    assert file.manifest.calibration is None
    assert file.agreement.top_1 > 0.99
    assert "tensorflow" not in file.manifest.produced_by
    assert says_the_labels(file.path)
    assert path.read_bytes() == before


def test_a_ready_onnx_file_is_quantised(converters: None, tmp_path: Path) -> None:
    path = bare(f"{NAME}-48x48-fp32.onnx", tmp_path)
    recipes = ("fp16", "dynamic_wi8_afp32", "static_wi8_ai8")
    result = convert(path, tmp_path / "out", recipes=recipes, options=PLAIN, calibration=calibration())
    assert tuple(file.manifest.recipe for file in result.files) == recipes
    assert all(says_the_labels(file.path) for file in result.files)
    for file in result.files:
        manifest_path(file.path).unlink()
        assert load_ready(file.path, PLAIN).manifest.recipe == file.manifest.recipe


def test_what_cannot_be_made_of_a_ready_file(converters: None, tmp_path: Path) -> None:
    lite, onnx_int8 = (bare(f"{NAME}-48x48-{rest}", tmp_path) for rest in ("fp32.tflite", "static_wi8_ai8.onnx"))
    for path, asked, says in (
        (lite, {"recipes": ("static_wi8_ai8",)}, "cannot become"),
        (lite, {"formats": ("onnx",)}, "cannot be made into a file for onnx"),
        (onnx_int8, {"recipes": ("fp32",)}, "is static_wi8_ai8 and cannot become fp32"),
    ):
        with pytest.raises(ConfigError, match=says):
            convert(path, tmp_path / "out", options=PLAIN, **asked)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_the_input_is_never_replaced(converters: None, tmp_path: Path) -> None:
    path = bare(f"{NAME}-48x48-fp32.tflite", tmp_path).rename(tmp_path / "mine-48x48-fp32.tflite")
    with pytest.raises(OutputClash, match="would be replaced"):
        convert(path, tmp_path, options=PLAIN, force=True)
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    # By another name, too.
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / path.name).hardlink_to(path)
    before = path.read_bytes()
    with pytest.raises(OutputClash, match="would be replaced"):
        convert(path, tmp_path / "out", options=PLAIN, force=True)
    assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes() == before


def test_a_ready_file_with_a_manifest_keeps_what_it_says(converted: Converted, tmp_path: Path) -> None:
    source = converted.out / f"{NAME}-48x48-static_wi8_ai8.onnx"
    [file] = convert(source, tmp_path, name="again").files
    assert file.manifest.labels == FER_LABELS
    assert file.manifest.calibration == read_manifest(source).calibration
    assert (file.manifest.input, file.manifest.licence) == (read_manifest(source).input, "Apache-2.0")


def test_colours_of_a_ready_file_with_channels_last(converters: None, tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    # The mean of each channel, times a matrix: the score of a class is the channel that it looks at.
    nodes = [
        helper.make_node("ReduceMean", ["face"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["scores"]),
    ]
    weights = onnx.numpy_helper.from_array(np.eye(3, dtype=np.float32) * 5, "weights")
    face = helper.make_tensor_value_info("face", TensorProto.FLOAT, [1, 32, 40, 3])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 3])
    graph = helper.make_graph(nodes, "g", [face], [scores], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "last.onnx")
    options = InputOptions(("red", "green", "blue"), "1/255")
    result = convert(tmp_path / "last.onnx", tmp_path / "out", options=options, recipes=("fp32", "static_wi8_ai8"))
    for file in result.files:
        classifier = open_classifier(file.path)
        assert classifier.input_spec == InputSpec(40, 32, "rgb", (0.0,), (255.0,))
        picture = np.zeros((32, 40, 3), np.uint8)
        picture[..., 0] = 255  # blue in BGR
        assert classifier.classify(whole_to_batch([picture], classifier.input_spec))[0].top == "blue"


def test_a_public_model_of_keras_2(converters: None, shared_data: Path, tmp_path: Path) -> None:
    from edge_fer_convert.contents import Maker

    loaded = load_trained(shared_data / "models" / "mini_xception_64.hdf5", InputOptions(scale="-1..1"))
    maker = Maker(loaded, lambda sentence: None)
    assert len(maker.make("fp32", "onnx")) > 100_000
    assert len(maker.make("fp32", "tflite")) > 100_000
