"""The manifest: what is written is read, and what is wrong is refused with the key named."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from edge_fer.errors import ModelError
from edge_fer.inference.manifest import (
    AccuracyEntry,
    Calibration,
    Manifest,
    manifest_json,
    manifest_path,
    parse_manifest,
    read_manifest,
    write_manifest,
)
from edge_fer.types import FER_LABELS, InputSpec
from tests.make_models import MODELS

if TYPE_CHECKING:
    from pathlib import Path

FULL = Manifest(
    name="face-cnn",
    format="tflite",
    recipe="static_wi8_ai8",
    labels=FER_LABELS,
    input=InputSpec(48, 48, "rgb", (1.0, 2.0, 3.0), (64.0,), "NCHW", 0.1),
    output_kind="logits",
    temperature=1.5,
    preferred=True,
    licence="Apache-2.0",
    parameters=1000,
    multiply_adds=20_000,
    calibration=Calibration("faces", "ab" * 32, 200, 7, "entropy"),
    accuracy=(AccuracyEntry("FER-2013", "PublicTest", 0.66, 3589, 0.61), AccuracyEntry("own", "test", 0.5, 10)),
    produced_by={"tensorflow": "2.21.0"},
)


def as_dict() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(manifest_json(FULL))
    return document


def test_what_is_written_is_read(tmp_path: Path) -> None:
    model = tmp_path / "face.tflite"
    model.write_bytes(b"weights")
    path = write_manifest(model, FULL)
    assert path == manifest_path(model) == tmp_path / "face.tflite.json"
    found = read_manifest(model)
    assert found.sha256 is not None
    assert found == replace(FULL, sha256=found.sha256)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["face.tflite", "face.tflite.json"]


def test_keys_with_a_default_may_be_left_out() -> None:
    document = as_dict()
    for key in ("temperature", "preferred", "licence", "calibration", "accuracy", "produced_by", "parameters"):
        del document[key]
    found = parse_manifest(json.dumps(document), "x.json")
    assert (found.temperature, found.preferred, found.calibration, found.accuracy) == (1.0, False, None, ())


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        (("labels",), ["a", "a"], "labels"),
        (("labels",), ["a"], "labels"),
        (("labels",), "abc", "labels"),
        (("labels",), ["a", ""], "labels"),
        (("labels",), ["a", 3], "labels"),
        (("input", "std"), [0.0], "std"),
        (("input", "std"), [-1.0], "std"),
        (("input", "std"), [], "std"),
        (("input", "std"), [1.0, 2.0], "std"),
        (("input", "mean"), [True], "mean"),
        (("input", "mean"), "0", "mean"),
        (("input", "width"), 0, "width"),
        (("input", "width"), 48.0, "width"),
        (("input", "width"), True, "width"),
        (("input", "colour"), "gray", "colour"),
        (("input", "layout"), ["NHWC"], "layout"),
        (("input", "crop_margin"), -0.5, "crop_margin"),
        (("input", "surprise"), 1, "surprise"),
        (("input",), None, "input"),
        (("engine",), "torch", "engine"),
        (("recipe",), "int8", "recipe"),
        (("output_kind",), "scores", "output_kind"),
        (("temperature",), 0, "temperature"),
        (("temperature",), 10**400, "temperature"),
        (("temperature",), "1", "temperature"),
        (("preferred",), 1, "preferred"),
        (("parameters",), -1, "parameters"),
        (("name",), " ", "name"),
        (("schema",), "edge-fer-model/2", "schema"),
        (("produced_by",), {"keras": 3}, "produced_by"),
        (("accuracy",), {}, "accuracy"),
        (("accuracy", 0, "accuracy"), 1.01, "accuracy"),
        (("accuracy", 0, "accuracy"), 66, "accuracy"),
        (("calibration", "pictures"), 0, "pictures"),
        (("calibration", "sha256"), None, "sha256"),
        (("recipy",), "fp32", "recipy"),
    ],
)
def test_a_wrong_value_is_refused_by_its_key(place: tuple[str | int, ...], value: object, named: str) -> None:
    document = as_dict()
    inner: Any = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(ModelError) as caught:
        parse_manifest(json.dumps(document), "x.json")
    message = str(caught.value)
    assert message.startswith("x.json")
    assert f"'{named}'" in message
    assert "\n" not in message


@pytest.mark.parametrize("key", ["schema", "name", "engine", "recipe", "labels", "input", "output_kind"])
def test_a_missing_key_is_named(key: str) -> None:
    document = as_dict()
    del document[key]
    with pytest.raises(ModelError, match=f"'{key}' is missing"):
        parse_manifest(json.dumps(document), "x.json")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not valid JSON"),
        ("hello", "not valid JSON"),
        ('{"a": 1,}', "not valid JSON"),
        ("[]", "must hold a JSON object"),
        ('{"temperature": NaN}', "NaN"),
        ('{"temperature": -Infinity}', "Infinity"),
        ('{"name": "a", "name": "b"}', "'name' occurs twice"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_text_that_is_no_manifest(text: str, says: str) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        parse_manifest(text, "x.json")
    assert "\n" not in str(caught.value)


def test_a_number_too_large_for_a_float_is_refused() -> None:
    text = json.dumps(as_dict()).replace('"temperature": 1.5', '"temperature": 1e999')
    with pytest.raises(ModelError, match="temperature"):
        parse_manifest(text, "x.json")


def test_a_changed_model_file_is_noticed(tmp_path: Path) -> None:
    model = tmp_path / "face.tflite"
    model.write_bytes(b"weights")
    write_manifest(model, FULL)
    model.write_bytes(b"weightz")
    with pytest.raises(ModelError, match="sha256"):
        read_manifest(model)


def test_a_manifest_without_hash_is_refused_beside_a_file(tmp_path: Path) -> None:
    model = tmp_path / "face.tflite"
    model.write_bytes(b"weights")
    manifest_path(model).write_text(manifest_json(FULL))
    with pytest.raises(ModelError, match="'sha256' is missing"):
        read_manifest(model)


def test_no_manifest_says_how_to_get_one(tmp_path: Path) -> None:
    model = tmp_path / "face.tflite"
    model.write_bytes(b"weights")
    with pytest.raises(ModelError, match=r"no manifest \(face\.tflite\.json\): run `edge-fer convert"):
        read_manifest(model)


def test_a_manifest_that_is_not_text_or_too_large(tmp_path: Path) -> None:
    model = tmp_path / "face.tflite"
    model.write_bytes(b"weights")
    manifest_path(model).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="UTF-8"):
        read_manifest(model)
    manifest_path(model).write_bytes(b" " * 1_000_001)
    with pytest.raises(ModelError, match="larger than"):
        read_manifest(model)


def test_an_onnx_file_carries_its_own_manifest(tmp_path: Path) -> None:
    original = MODELS / "brightness-tiny-48x48-fp32.onnx"
    copy = tmp_path / "renamed.onnx"
    shutil.copy(original, copy)
    beside, inside = read_manifest(original), read_manifest(copy)
    assert inside.sha256 is None
    assert replace(inside, sha256=beside.sha256) == beside


def test_an_unusable_manifest_is_not_written(tmp_path: Path) -> None:
    model = tmp_path / "face.tflite"
    model.write_bytes(b"weights")
    with pytest.raises(ModelError, match="labels"):
        write_manifest(model, replace(FULL, labels=("a", "a")))
    assert [entry.name for entry in tmp_path.iterdir()] == ["face.tflite"]


def test_what_came_later_stands_in_a_manifest_only_where_it_says_something(tmp_path: Path) -> None:
    plain = read_manifest(MODELS / "brightness-tiny-48x48-fp32.tflite")
    facts = json.loads(manifest_json(plain))
    assert not {"assumed", "warnings"} & set(facts)
    assert "standardise" not in facts["input"]
    full = replace(
        plain,
        input=replace(plain.input, standardise=True),
        assumed=("labels", "scale"),
        warnings=("the data contradicts it",),
        output_kind="sigmoids",
        recipe="static_wi8_ai16",
    )
    assert parse_manifest(manifest_json(full), "m") == full
    bad = json.loads(manifest_json(full))
    bad["assumed"] = ["all"]
    with pytest.raises(ModelError, match="'assumed' must be a list of labels, scale"):
        parse_manifest(json.dumps(bad), "m")
