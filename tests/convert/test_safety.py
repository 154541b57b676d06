"""Files that would do more than hold a model, each made here: refused in one line, and nothing is left behind."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from edge_fer_convert import InputOptions
from edge_fer_convert.conversion import convert
from edge_fer_convert.load import load_trained
from edge_fer_convert.safety import check_hdf5, read_keras_archive

from edge_fer.errors import ModelError
from tests.convert.hostile_files import archive, calling, layer, linked_twice, weights, whole_hdf5
from tests.make_models import MODELS, NAME, save

if TYPE_CHECKING:
    from pathlib import Path

    from tests.convert.conftest import Converted


BAD_CONFIGS: dict[str, tuple[object, str]] = {
    "Lambda": (layer("Lambda", function={"class_name": "__lambda__"}), "'odd_one' is a Lambda"),
    "custom": (layer("Attention9", "my_project.layers"), "'odd_one' is of the class Attention9"),
    "saved": (layer("TFSMLayer", filepath="/tmp/x"), "is a TFSMLayer"),
    "url": (layer("Dense", name2="x", where="https://example.org/x"), "names the address"),
    "file": (layer("Dense", vocabulary="/etc/passwd"), "reads another file"),
    "class name": (layer(["Dense"]), "class name that is no text"),  # type: ignore[arg-type]
    "deep": ('{"class_name": "Sequential", "config": ' + "[" * 200_000 + "]" * 200_000 + "}", "nested too deep"),
}


@pytest.mark.parametrize("form", ["archive", "hdf5", "architecture", "folder", "hdf5 named .keras"])
@pytest.mark.parametrize("name", BAD_CONFIGS)
def test_configurations_with_code_or_addresses(converters: None, tmp_path: Path, name: str, form: str) -> None:
    config, says = BAD_CONFIGS[name]
    options = None
    if form == "archive":
        path = archive(tmp_path / "model.keras", config)
    elif form == "folder":
        path = tmp_path / "model"
        with zipfile.ZipFile(archive(tmp_path / "model.keras", config)) as file:
            file.extractall(path)
        (tmp_path / "model.keras").unlink()
    elif form == "architecture":
        (tmp_path / "model.json").write_text(config if isinstance(config, str) else json.dumps(config))
        path, options = tmp_path / "w.h5", InputOptions(architecture=tmp_path / "model.json")
        path.write_bytes(weights(w=np.ones(3)))
    else:
        path = whole_hdf5(tmp_path / f"model{'.keras' if 'named' in form else '.h5'}", config)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ModelError, match=says) as caught:
        convert(path, tmp_path / "out", options=options)
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("form", ["h5", "json"])
def test_functions_that_act_are_not_called(converters: None, tmp_path: Path, form: str) -> None:
    trace, options = tmp_path / "ran", None
    inner = {"class_name": "Lambda", "config": {"name": "code", "function": ["x", None, None]}}
    text = json.dumps({"class_name": "Sequential", "config": {"layers": [inner]}})
    for config in (
        calling("io.write_file", str(trace), kind="SlicingOpLambda"),
        calling("io.write_file", str(trace)),
        calling("keras.models.model_from_json", text),
        calling("keras.utils.get_file", str(trace), origin=f" file://{tmp_path}/model.h5"),
    ):
        if form == "h5":
            path = whole_hdf5(tmp_path / "model.h5", config)
        else:
            (tmp_path / "model.json").write_text(json.dumps(config))
            path, options = tmp_path / "w.h5", InputOptions(architecture=tmp_path / "model.json")
            path.write_bytes(weights(w=np.ones(3)))
        with pytest.raises(ModelError, match="'odd_one' calls '"):
            load_trained(path, options or InputOptions())
        assert not trace.exists()


def test_entries_of_an_archive(converters: None, tmp_path: Path) -> None:
    plain = layer("Dense")
    for more, says in (
        ({"..__up.txt": b"x"}, "leave its folder"),
        ({"__etc__x": b"x"}, "leave its folder"),
        ({"model.pkl": b"x"}, "'model.pkl', which no Keras model needs"),
        ({"model.weights.npz": b"x"}, "which no Keras model needs"),
        ({"assets__zeros": bytes(200_000_000)}, "would unpack to 200 MB"),
        ({"config.json ": b"{}"}, "which no Keras model needs"),
    ):
        path = archive(tmp_path / "model.keras", plain, **more)
        with pytest.raises(ModelError, match=says):
            read_keras_archive(path, path.read_bytes())


def test_links_in_an_unpacked_archive(converters: None, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with zipfile.ZipFile(archive(tmp_path / "model.keras", layer("Dense"))) as file:
        file.extractall(folder)
    (folder / "model.weights.h5").rename(tmp_path / "elsewhere")
    (folder / "model.weights.h5").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="links to other files"):
        load_trained(folder, InputOptions())


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_with_two_configurations(converters: None, tmp_path: Path) -> None:
    path = archive(tmp_path / "model.keras", layer("Dense"))
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("config.json", json.dumps(layer("Lambda")))
    with pytest.raises(ModelError, match=r"'config\.json' twice"):
        read_keras_archive(path, path.read_bytes())


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


def test_hdf5_of_circles_references_and_filters(converters: None, tmp_path: Path) -> None:
    import h5py

    with pytest.raises(ModelError, match="second link to the same data"):
        check_hdf5(tmp_path / "doubling.h5", linked_twice())
    for name, value in (("reference", h5py.Reference), ("region", h5py.RegionReference)):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            file.attrs.create(
                name, file.ref if name == "reference" else np.empty(0), dtype=h5py.special_dtype(ref=value)
            )
        with pytest.raises(ModelError, match="neither a text nor a number"):
            check_hdf5(tmp_path / "attribute.h5", buffer.getvalue())
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["type"] = np.dtype("f4")
    with pytest.raises(ModelError, match="neither a group nor data"):
        check_hdf5(tmp_path / "type.h5", buffer.getvalue())
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("w", data=[[("x", 1)]], dtype=[("a", h5py.string_dtype()), ("b", "i4")])
    with pytest.raises(ModelError, match="holds no numbers"):
        check_hdf5(tmp_path / "table.h5", buffer.getvalue())


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
    "half.tflite": (
        (MODELS / f"{NAME}-48x48-fp32.tflite").read_bytes()[:200],
        "is not a TFLite model, or is truncated",
    ),
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


def test_folders_that_are_no_saved_model(converters: None, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"without saved_model\.pb"):
        load_trained(tmp_path / "empty", InputOptions())
    (tmp_path / "empty" / "saved_model.pb").write_bytes(b"\xff\xff\xff\xff")
    with pytest.raises(ModelError, match="is damaged"):
        load_trained(tmp_path / "empty", InputOptions())


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
    loaded = load_trained(path, InputOptions(trust_model=True))
    assert loaded.manifest.input.width == 8
    assert "loaded on trust: layer 'lambda' is a Lambda, which can hold code" in loaded.guesses


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
