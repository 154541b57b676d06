"""Configurations are taken by lists of what is allowed: each kind of trick is refused in one line with its layer."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from edge_fer_convert import known_layers as known
from edge_fer_convert.config_check import checked_config, complaints_of, parse_config

from edge_fer.errors import ModelError
from tests.convert.hostile_files import calling, layer, one

MODEL = Path("model.keras")
LAMBDA = {"class_name": "Lambda", "config": {"name": "inner", "function": ["code", None, None]}}
NODE = {"name": "w", "op": "WriteFile", "input": ["face"], "attr": {}}


def refusal(config: dict[str, Any]) -> str:
    said = []
    for road in ("keras", "tf_keras"):
        with pytest.raises(ModelError, match="--trust-model") as caught:
            checked_config(MODEL, config, road)  # type: ignore[arg-type]
        said.append(str(caught.value))
        assert "\n" not in said[-1]
    return said[-1]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "lambda": (layer("Lambda", function={"class_name": "__lambda__"}), "'odd_one' is a Lambda, which can hold code"),
    "saved": (layer("TFSMLayer", filepath="/tmp/x"), "is a TFSMLayer"),
    "torch": (layer("TorchModuleWrapper"), "is a TorchModuleWrapper"),
    "class method": (layer("ClassMethod", None, cls_symbol="io.TFRecordWriter"), "is a ClassMethod"),
    "instance method": (layer("InstanceMethod", None, attr_name="numpy"), "is a InstanceMethod"),
    "instance property": (layer("InstanceProperty", None, attr_name="graph"), "is a InstanceProperty"),
    "custom": (layer("Attention9", "my_project.layers"), "class Attention9 of my_project.layers"),
    "custom with a name of Keras": (layer("Dense", "my_project.layers"), "class Dense of my_project.layers"),
    "registered": (
        {"class_name": "Sequential", "config": {"layers": [{**one("Dense", None, {}), "registered_name": "a>Dense"}]}},
        "which Keras does not have",
    ),
    "module with a trick": (layer("Dense", "keras.layers/../os"), "which Keras does not have"),
    "module that begins like Keras": (layer("Dense", "keras_evil.layers"), "which Keras does not have"),
    "no text for a class": (layer(["Dense"]), "class name that is no text"),  # type: ignore[arg-type]
    "no text for a module": (layer("Dense", ["keras"]), "module that is no text"),  # type: ignore[arg-type]
    "function": (
        layer("Dense", activation={"class_name": "function", "module": "keras.utils", "config": "get_file"}),
        "'get_file'",
    ),
    "function by its name": (layer("Dense", activation="deserialize"), "activation 'deserialize'"),
    "initialiser": (layer("Dense", kernel_initializer="get"), "initialiser 'get'"),
    "initialiser class": (layer("Dense", kernel_initializer={"class_name": "Pickled", "config": {}}), "class Pickled"),
    "regulariser": (layer("Dense", kernel_regularizer="deserialize"), "regulariser 'deserialize'"),
    "constraint": (layer("Dense", kernel_constraint="serialize"), "constraint 'serialize'"),
    "type": (layer("Dense", dtype="__import__"), "type of numbers '__import__'"),
    "url": (layer("Dense", name2="x", where=" https://example.org/x"), "names the address"),
    "file": (layer("StringLookup", vocabulary="/etc/passwd"), "class StringLookup"),
    "file of a listed layer": (layer("Dense", vocabulary="/etc/passwd"), "reads another file"),
    "call": (calling("io.write_file", "/tmp/x"), "calls 'io.write_file'"),
    "call of the deserialiser": (calling("keras.models.model_from_json", "{}"), "'keras.models.model_from_json'"),
    "call that fetches": (calling("keras.utils.get_file", " https://example.org/x"), "'keras.utils.get_file'"),
    "call that loads": (calling("saved_model.load", "/tmp/x"), "'saved_model.load'"),
    "slice": (calling("io.write_file", "/tmp/x", kind="SlicingOpLambda"), "in place of a slice"),
    "text for a pure function": (calling("math.add", "/tmp/x"), "called with the text '/tmp/x'"),
    "named text": (calling("math.add", y="/tmp/x"), "called with the text '/tmp/x'"),
    "node": (layer("TensorFlowOpLayer", None, node_def=NODE), "does 'WriteFile'"),
    "packed node": (layer("TensorFlowOpLayer", None, node_def="\\n\\u0001w"), "does 'None'"),
    "node with a function": (
        layer("TensorFlowOpLayer", None, node_def={"name": "x", "op": "Add", "attr": {"f": {"func": {"name": "g"}}}}),
        "names a function of a graph",
    ),
    "wrapped": (layer("TimeDistributed", layer=LAMBDA), "'inner' is a Lambda"),
    "wrapped twice": (layer("Bidirectional", layer={"class_name": "RNN", "config": {"cell": LAMBDA}}), "is a Lambda"),
    "in a cell": (layer("StackedRNNCells", cells=[LAMBDA]), "is a Lambda"),
    "model in a model": (
        {"class_name": "Functional", "config": {"layers": [layer("Dense"), layer("Lambda")]}}, "is a Lambda"
    ),
    "in a list of lists": (layer("Dense", odd=[[[{"key": LAMBDA}]]]), "'inner' is a Lambda"),
    "type of a tensor": (layer("Dense", spec={"class_name": "TypeSpec", "type_spec": "x"}), "TypeSpec"),
    "packed tensors": (layer("Dense", spec={"class_name": "CompositeTensor", "spec": "x"}), "CompositeTensor"),
    "bytes": (layer("Dense", odd={"class_name": "__bytes__", "config": {"value": "x"}}), "__bytes__"),
    "type spec": (layer("Dense", odd={"class_name": "__typespec__", "spec_name": "x", "config": []}), "__typespec__"),
    "texts as numbers": (
        layer("Dense", odd={"class_name": "__numpy__", "config": {"value": ["x"], "dtype": "float32"}}),
        "text 'x' where numbers must be",
    ),
    "shape of texts": (
        {"class_name": "Sequential", "config": {"layers": [{**one("Dense", None, {}), "build_config": {"a": "/x"}}]}},
        "text '/x' where numbers must be",
    ),
    "operation that takes a function": (layer("VectorizedMap", "keras.src.ops.core"), "class VectorizedMap"),
    "loop": (layer("WhileLoop", "keras.src.ops.core"), "class WhileLoop"),
    "no model": (one("Dense", "keras.layers", {}), "is a Dense and no model"),
    "tensor of nobody": (
        {
            "class_name": "Functional",
            "config": {
                "layers": [
                    {
                        **one("Dense", None, {}),
                        "inbound_nodes": [
                            {"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": ["/x", 0, 0]}}]}
                        ],
                    }
                ]
            },
        },
        "a layer that the model does not have",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_on_the_lists_is_refused(name: str) -> None:
    config, says = BAD[name]
    if name == "no model":
        with pytest.raises(ModelError, match=says):
            checked_config(MODEL, config, "keras")
        return
    assert says in refusal(config)
    found = complaints_of(config, "tf_keras")
    assert any(says in sentence for sentence in found)


def test_what_is_passed_on_is_made_here() -> None:
    config = layer("Dense", "keras.src.layers.core.dense", units=3, activation={"class_name": "function", "module": "builtins", "config": "relu"})  # noqa: E501  # fmt: skip
    config["compile_config"] = {"loss": {"class_name": "Evil", "module": "mine", "config": {}}}
    config["config"]["layers"][0] |= {"compile_config": {"loss": LAMBDA}, "registered_name": "Dense", "odd": LAMBDA}
    made = checked_config(MODEL, config, "keras")
    [dense] = made["config"]["layers"]
    assert dense == {
        "module": "keras.layers",
        "class_name": "Dense",
        "registered_name": None,
        "config": {"name": "odd_one", "units": 3, "activation": "relu"},
    }
    assert "compile_config" not in made


def test_a_number_of_numpy_is_a_number() -> None:
    most = {"class_name": "__numpy__", "config": {"value": 6.0, "dtype": "float32"}}
    made = checked_config(MODEL, layer("ReLU", max_value=most), "tf_keras")
    assert made["config"]["layers"][0]["config"]["max_value"] == 6.0


def test_ordinary_configurations_pass() -> None:
    checked_config(MODEL, layer("Dense", "keras.src.layers.core.dense"), "keras")
    checked_config(MODEL, calling("math.multiply", y=2.0), "tf_keras")
    checked_config(MODEL, calling("image.resize", size=[4, 4], method="bilinear", name="smaller"), "tf_keras")
    for kind in ("keras.src.engine.functional", "keras.engine.functional", "keras.src.models.functional"):
        checked_config(MODEL, {"class_name": "Functional", "module": kind, "config": {"layers": []}}, "keras")
    node = {"name": "a", "op": "AddV2", "input": ["face", "a/y"], "attr": {"T": {"type": "DT_FLOAT"}}}
    checked_config(MODEL, layer("TensorFlowOpLayer", None, node_def=node, constants={"1": 2.0}), "tf_keras")


@pytest.mark.parametrize("depth", [101, 5_000, 200_000])
def test_a_configuration_nested_far_too_deep(depth: int) -> None:
    for begin, end in (('{"a":', "}"), ("[", "]")):
        text = '{"class_name": "Sequential", "config": ' + begin * depth + "1" + end * depth + "}"
        with pytest.raises(ModelError, match="nested too deep"):
            parse_config(MODEL, text)


def test_a_configuration_that_is_none() -> None:
    for text, says in (
        (b"[]", "no model architecture"),
        (b"{", "damaged"),
        (b"\xff", "damaged"),
        (b"3", "no model"),
    ):
        with pytest.raises(ModelError, match=says):
            parse_config(MODEL, text)
    with pytest.raises(ModelError, match="more than a model needs"):
        parse_config(MODEL, b" " * 20_000_001)
    with pytest.raises(ModelError, match="values"):
        parse_config(MODEL, json.dumps({"a": [0] * 2_000_001}))


def test_the_lists_hold_no_layer_with_code() -> None:
    doubtful = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "StringLookup", "TextVectorization"}
    assert not doubtful & (known.LAYERS | known.MODELS)
    homes = (
        "io.",
        "keras.utils",
        "keras.models",
        "keras.saving",
        "py_",
        "numpy_function",
        "raw",
        "saved_model",
        "data.",
    )
    assert not {name for name in known.TF_FUNCTIONS if name.startswith(homes)}


def test_each_listed_layer_is_one_of_keras(converters: None) -> None:
    tf_keras = pytest.importorskip("tf_keras", exc_type=ImportError)
    import keras

    gone = {"BatchNormalizationV1", "BatchNormalizationV2", "Deconvolution2D", "CuDNNLSTM", "CuDNNGRU"}
    gone |= {"ConvLSTM2DCell", "SyncBatchNormalization", "GroupedQueryAttention"}
    here = [*dir(keras.layers), *dir(tf_keras.layers)]
    assert known.LAYERS - gone - {*here} == set()
    for package in ("keras", "tf_keras"):
        for name, module in known.APPLICATION_LAYERS.items():
            assert hasattr(importlib.import_module(f"{package}.src.applications.{module}"), name)
