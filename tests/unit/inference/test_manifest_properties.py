"""What holds for every manifest: it is read as it was written, and whatever is wrong with one is said in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_fer.errors import ModelError
from edge_fer.inference.manifest import (
    LEAST_TEMPERATURE,
    MOST_SIDE_PX,
    MOST_TEMPERATURE,
    AccuracyEntry,
    Calibration,
    Manifest,
    OutputKind,
    Recipe,
    manifest_json,
    parse_manifest,
    read_manifest,
    write_manifest,
)
from edge_fer.types import InputSpec

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12).filter(lambda text: text.strip())
COUNTS = st.integers(0, 2**53)
SHARES = st.floats(0.0, 1.0)
NUMBERS = st.floats(-1e6, 1e6)
POSITIVE = st.floats(1e-6, 1e6)


@st.composite
def input_specs(draw: st.DrawFn) -> InputSpec:
    colour = draw(st.sampled_from(("grey", "rgb", "bgr")))
    channels = 1 if colour == "grey" else 3
    sizes = st.sampled_from(sorted({1, channels}))
    mean, std = draw(sizes), draw(sizes)
    return InputSpec(
        width=draw(st.integers(1, MOST_SIDE_PX)),
        height=draw(st.integers(1, MOST_SIDE_PX)),
        colour=colour,
        mean=tuple(draw(st.lists(NUMBERS, min_size=mean, max_size=mean))),
        std=tuple(draw(st.lists(POSITIVE, min_size=std, max_size=std))),
        layout=draw(st.sampled_from(("NHWC", "NCHW"))),
        crop_margin=draw(st.floats(-0.4, 2.0)),
    )


MANIFESTS = st.builds(
    Manifest,
    name=TEXTS,
    format=st.sampled_from(["onnx", "tflite", "keras", "hef", "tflite-8"]),
    recipe=st.sampled_from(get_args(Recipe)),
    labels=st.lists(TEXTS, min_size=2, max_size=10, unique=True).map(tuple),
    input=input_specs(),
    output_kind=st.sampled_from(get_args(OutputKind)),
    temperature=st.floats(LEAST_TEMPERATURE, MOST_TEMPERATURE),
    preferred=st.booleans(),
    sha256=st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
    licence=st.none() | TEXTS,
    parameters=st.none() | COUNTS,
    multiply_adds=st.none() | COUNTS,
    calibration=st.none()
    | st.builds(Calibration, TEXTS, TEXTS, st.integers(1, 10_000), COUNTS, st.sampled_from(("min-max", "entropy"))),
    accuracy=st.lists(
        st.builds(AccuracyEntry, TEXTS, TEXTS, SHARES, st.integers(1, 10**6), st.none() | SHARES), max_size=3
    ).map(tuple),
    produced_by=st.dictionaries(TEXTS, TEXTS, max_size=3),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def complaint(text: str) -> str | None:
    """What is said against a manifest; None where it passes. Anything but a ModelError fails the test."""
    try:
        parse_manifest(text, "model.json")
    except ModelError as error:
        said = str(error)
        assert "\n" not in said
        assert said.startswith("model.json")
        return said
    return None


@settings(deadline=None)
@given(MANIFESTS)
def test_what_is_written_is_read(manifest: Manifest) -> None:
    assert parse_manifest(manifest_json(manifest), "model.json") == manifest


@settings(max_examples=30, deadline=None)
@given(MANIFESTS, st.binary(min_size=1, max_size=50), st.binary(min_size=1, max_size=5))
def test_a_manifest_belongs_to_its_file_alone(manifest: Manifest, data: bytes, more: bytes) -> None:
    with TemporaryDirectory() as folder:
        model = Path(folder, "face.tflite")
        model.write_bytes(b"\x08" + data)
        write_manifest(model, manifest)
        found = read_manifest(model)
        assert replace(found, sha256=manifest.sha256) == manifest
        model.write_bytes(b"\x08" + data + more)
        with pytest.raises(ModelError, match="is of another file"):
            read_manifest(model)


@settings(deadline=None)
@given(MANIFESTS, st.data())
def test_a_key_of_another_kind_is_refused_or_means_the_same(manifest: Manifest, data: st.DataObject) -> None:
    document: dict[str, Any] = json.loads(manifest_json(manifest))
    place = data.draw(st.sampled_from(sorted(document)))
    inner = document[place]
    if isinstance(inner, dict) and inner and data.draw(st.booleans()):
        document[place] = {**inner, data.draw(st.sampled_from(sorted(inner))): data.draw(ANYTHING)}
    else:
        document[place] = data.draw(ANYTHING)
    text = json.dumps(document)
    if complaint(text) is None:
        # What passes is a manifest like any other.
        found = parse_manifest(text, "model.json")
        assert parse_manifest(manifest_json(found), "model.json") == found


@settings(deadline=None)
@given(MANIFESTS, st.text(min_size=1, max_size=8), ANYTHING)
def test_an_unknown_key_is_named(manifest: Manifest, key: str, value: Any) -> None:
    document = json.loads(manifest_json(manifest))
    if key not in document:
        said = complaint(json.dumps({**document, key: value}))
        assert said is not None
        assert "is not a known key" in said


@settings(deadline=None)
@given(MANIFESTS, st.data())
def test_a_manifest_cut_short_is_refused(manifest: Manifest, data: st.DataObject) -> None:
    text = manifest_json(manifest).rstrip()
    end = data.draw(st.integers(0, len(text) - 1))
    assert complaint(text[:end]) is not None


@settings(deadline=None)
@given(st.text(max_size=60) | ANYTHING.map(json.dumps))
def test_any_text_that_is_no_manifest_is_refused(text: str) -> None:
    assert complaint(text) is not None
