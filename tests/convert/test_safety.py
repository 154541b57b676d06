"""Files that would do more than hold a model, each made here: refused in one line, and nothing is left behind."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from edge_fer_convert import InputOptions, convert
from edge_fer_convert.load import load_trained
from edge_fer_convert.safety import check_config, check_hdf5, check_keras_archive, check_saved_model

from edge_fer.errors import ModelError
from tests.make_models import MODELS, NAME, save

if TYPE_CHECKING:
    from pathlib import Path

    from tests.convert.conftest import Converted


def weights(**datasets: Any) -> bytes:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, value in datasets.items():
            if isinstance(value, (h5py.ExternalLink, h5py.SoftLink)):
                file[name] = value
            else:
                file.create_dataset(name, data=value, compression="gzip" if np.ndim(value) else None)
    return buffer.getvalue()


def archive(path: Path, config: object, data: bytes | None = None, **more: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", json.dumps(config))
        file.writestr("metadata.json", "{}")
        file.writestr("model.weights.h5", weights(w=np.ones(3)) if data is None else data)
        for name, content in more.items():
            file.writestr(name.replace("__", "/"), content)
    return path


def layer(class_name: str, module: str = "keras.layers", **config: object) -> dict[str, object]:
    return {"class_name": "Sequential", "config": {"layers": [_one(class_name, module, config)]}}


def _one(class_name: str, module: str, config: dict[str, object]) -> dict[str, object]:
    return {"module": module, "class_name": class_name, "config": {"name": "odd_one", **config}}


BAD_CONFIGS = {
    "Lambda": (layer("Lambda", function={"class_name": "__lambda__"}), "'odd_one' is a Lambda"),
    "custom": (layer("Attention9", "my_project.layers"), "'odd_one' is of the class Attention9"),
    "saved": (layer("TFSMLayer", filepath="/tmp/x"), "is a TFSMLayer"),
    "torch": (layer("TorchModuleWrapper"), "is a TorchModuleWrapper"),
    "function": (
        layer("Dense", activation={"module": "keras.utils", "class_name": "function", "config": "get_file"}),
        "class function, which Keras does not have",
    ),
    "url": (layer("Dense", name2="x", where="https://example.org/x"), "names the address"),
    "file": (layer("StringLookup", vocabulary="/etc/passwd"), "reads another file"),
    "call": (layer("TFOpLambda", "keras.layers", function="io.write_file"), "calls 'io.write_file'"),
}


@pytest.mark.parametrize("name", BAD_CONFIGS)
def test_configurations_with_code_or_addresses(converters: None, tmp_path: Path, name: str) -> None:
    config, says = BAD_CONFIGS[name]
    path = archive(tmp_path / "model.keras", config)
    with pytest.raises(ModelError, match=says) as caught:
        convert(path, tmp_path / "out")
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)
    assert [item.name for item in tmp_path.iterdir()] == ["model.keras"]


def test_ordinary_configurations_pass(tmp_path: Path) -> None:
    check_config(tmp_path, layer("Dense", "keras.src.layers.core.dense"))
    check_config(tmp_path, layer("TFOpLambda", function="math.multiply"))
    check_config(
        tmp_path, {"class_name": "Sequential", "compile_config": {"loss": {"module": "mine", "class_name": "L"}}}
    )


def test_entries_of_an_archive(converters: None, tmp_path: Path) -> None:
    plain = layer("Dense")
    for more, says in (
        ({"..__up.txt": b"x"}, "leave its folder"),
        ({"__etc__x": b"x"}, "leave its folder"),
        ({"model.pkl": b"x"}, "'model.pkl', which no Keras model needs"),
        ({"model.weights.npz": b"x"}, "which no Keras model needs"),
        ({"assets__zeros": bytes(200_000_000)}, "would unpack to 200 MB"),
    ):
        path = archive(tmp_path / "model.keras", plain, **more)
        with pytest.raises(ModelError, match=says):
            check_keras_archive(path, path.read_bytes())


def test_hdf5_that_reaches_for_other_files(converters: None, tmp_path: Path) -> None:
    import h5py

    secret = tmp_path / "secret.h5"
    secret.write_bytes(weights(w=np.ones(3)))
    with pytest.raises(ModelError, match="link to data elsewhere"):
        check_hdf5(tmp_path / "a.h5", weights(stolen=h5py.ExternalLink(str(secret), "/w")))
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("w", (3,), "f4", external=[(str(secret), 0, 12)])
    with pytest.raises(ModelError, match="another file"):
        check_hdf5(tmp_path / "b.h5", (tmp_path / "b.h5").read_bytes())
    # The same inside a .keras archive.
    path = archive(tmp_path / "c.keras", layer("Dense"), weights(stolen=h5py.ExternalLink(str(secret), "/w")))
    with pytest.raises(ModelError, match="link to data elsewhere"):
        load_trained(path, InputOptions())


def test_hdf5_that_unpacks_to_far_too_much(converters: None, tmp_path: Path) -> None:
    data = weights(zeros=np.zeros(40_000_000, np.float32))
    assert len(data) < 1_000_000
    with pytest.raises(ModelError, match="would unpack to 160 MB"):
        check_hdf5(tmp_path / "bomb.h5", data)


def test_weights_that_are_not_numbers_are_named(converters: None, tmp_path: Path) -> None:
    import onnx

    model = onnx.load(MODELS / f"{NAME}-48x48-fp32.onnx")
    tensor = model.graph.initializer[0]
    values = onnx.numpy_helper.to_array(tensor).copy()
    values.flat[0] = np.nan
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    onnx.save(model, tmp_path / "nan.onnx")
    with pytest.raises(ModelError, match=f"weights '{tensor.name}' are not finite"):
        convert(tmp_path / "nan.onnx", tmp_path / "out")


READY = {
    "page.onnx": (b"<!DOCTYPE html><html>", "is a web page"),
    "page.tflite": (b"\n<html>", "is a web page"),
    "pointer.onnx": (b"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS"),
    "pointer.tflite": (b"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS"),
    "text.tflite": (b"hello, I am text", "not what its name says"),
    "text.onnx": (b"hello, I am text", "not an ONNX model"),
    "half.onnx": ((MODELS / f"{NAME}-48x48-fp32.onnx").read_bytes()[:-40], "truncated"),
    "half.tflite": ((MODELS / f"{NAME}-48x48-fp32.tflite").read_bytes()[:200], "LiteRT cannot load"),
}


@pytest.mark.parametrize("name", READY)
def test_ready_files_that_are_none(converters: None, tmp_path: Path, name: str) -> None:
    content, says = READY[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=says) as caught:
        convert(tmp_path / name, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert [item.name for item in tmp_path.iterdir()] == [name]


def test_onnx_with_data_in_other_files(converters: None, tmp_path: Path) -> None:
    import onnx

    model = onnx.load(MODELS / f"{NAME}-48x48-fp32.onnx")
    onnx.save(model, tmp_path / "parts.onnx", save_as_external_data=True, size_threshold=0)
    with pytest.raises(ModelError, match="in other files"):
        convert(tmp_path / "parts.onnx", tmp_path / "out")


def test_a_graph_that_writes_a_file(converters: None, tmp_path: Path) -> None:
    import tensorflow as tf

    trace = tmp_path / "ran"
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 1), tf.float32)])
    def infer(face: Any) -> Any:
        tf.io.write_file(str(trace), "x")
        return tf.zeros((1, 7)) + tf.reduce_mean(face)

    module.infer = infer
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=infer)
    with pytest.raises(ModelError, match="WriteFile"):
        convert(tmp_path / "saved", tmp_path / "out")
    assert not trace.exists()


def test_folders_that_are_no_saved_model(converters: None, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"without saved_model\.pb"):
        check_saved_model(tmp_path / "empty")
    (tmp_path / "empty" / "saved_model.pb").write_bytes(b"\xff\xff\xff\xff")
    with pytest.raises(ModelError, match="is damaged"):
        check_saved_model(tmp_path / "empty")


def test_a_model_of_ones_own_may_hold_code(converters: None, tmp_path: Path) -> None:
    import keras

    layers = [
        keras.Input((8, 8, 1)),
        keras.layers.Lambda(lambda x: x * 2, (8, 8, 1)),
        keras.layers.Flatten(),
        keras.layers.Dense(7),
    ]
    path = save(keras.Sequential(layers), tmp_path / "lambda.keras")
    with pytest.raises(ModelError, match="give --trust-model"):
        load_trained(path, InputOptions())
    assert load_trained(path, InputOptions(trust_model=True)).manifest.input.width == 8


def test_a_layer_that_a_converter_refuses_is_named(converters: None, tmp_path: Path) -> None:
    import keras

    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(7)]
    # The incomplete gamma function: neither format has it.
    gamma = keras.layers.Lambda(lambda x: __import__("tensorflow").math.igamma(x * x + 1, x * x), (7,), name="strange")
    model = keras.Sequential([*layers, gamma])
    save(model, tmp_path / "odd.keras")
    with pytest.raises(ModelError, match=r"layer 'strange' \(Lambda\)"):
        convert(tmp_path / "odd.keras", tmp_path / "out", recipes=("fp32",), options=InputOptions(trust_model=True))
    assert not (tmp_path / "out").exists()


def test_a_truncated_archive(converted: Converted, tmp_path: Path) -> None:
    (tmp_path / "half.keras").write_bytes(converted.trained.read_bytes()[:-900])
    with pytest.raises(ModelError, match="cannot load"):
        convert(tmp_path / "half.keras", tmp_path / "out")
