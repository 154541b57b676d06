"""What holds for every input, tried with made-up ones: manifests, settings, JSON lines, boxes, crops and scores.

The inputs are the same at every run; `script/fuzz` tries many more, and others each time.
"""

from __future__ import annotations

import json
import math
import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_fer.camera.picture_headers import looks_like_picture, read_header
from edge_fer.config.layers import read_settings
from edge_fer.errors import ConfigError, EdgeFerError, ModelError, one_line
from edge_fer.faces.crop import crop_faces
from edge_fer.inference.decoding import scores_from_outputs
from edge_fer.inference.manifest import Manifest, manifest_json, parse_manifest
from edge_fer.settings import keys
from edge_fer.sinks.csv import CsvSink
from edge_fer.sinks.jsonl import JsonLinesSink
from edge_fer.types import FER_LABELS, Box, Face, InputSpec, Observation, ScoredFace, Scores, Timings
from tests.make_models import MODELS

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
SOUND: dict[str, Any] = json.loads((MODELS / "brightness-tiny-48x48-fp32.tflite.json").read_text())
numbers = st.floats(allow_nan=False, allow_infinity=False)
boxes = st.builds(Box, *[st.integers(-3000, 3000)] * 2, *[st.integers(1, 3000)] * 2)
texts = st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=40)


def paths_in(value: Any, start: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """All places in a JSON value."""
    inner: list[tuple[str | int, ...]] = [start] if start else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        inner += paths_in(one, (*start, key))
    return inner


def check_line(error: Exception) -> None:
    """What is reported of it is one line."""
    assert str(error)
    assert "\n" not in str(error)


# Manifests.


@given(text=st.text(max_size=300) | any_json.map(json.dumps))
def test_any_text_is_a_manifest_or_one_line(text: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse_manifest(text, "x.json")
    assert "\n" not in str(caught.value)


@given(place=st.sampled_from(paths_in(SOUND)), value=any_json)
def test_a_manifest_with_any_value_anywhere_is_sound_or_one_line(place: tuple[str | int, ...], value: object) -> None:
    document = json.loads(json.dumps(SOUND))
    inner: Any = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    try:
        manifest = parse_manifest(json.dumps(document), "x.json")
    except ModelError as error:
        check_line(error)
        return
    assert parse_manifest(manifest_json(manifest), "x.json") == manifest
    # What passes can be used: a crop costs little, and scores are scores.
    crops = crop_faces(np.zeros((60, 80, 3), np.uint8), [Box(10, 10, 30, 30)], manifest.input)
    assert crops.nbytes < 400_000_000
    give_scores(manifest, np.linspace(0.1, 1.0, len(manifest.labels)))


def give_scores(manifest: Manifest, values: Any) -> None:
    try:
        [scores] = scores_from_outputs(np.asarray([values]), "x", manifest)
    except ModelError:
        return
    assert all(math.isfinite(value) and value >= 0 for value in scores.values)
    assert sum(scores.values) == pytest.approx(1.0)


@given(
    values=hnp.arrays(np.float32, 7, elements=st.floats(width=32)) | hnp.arrays(np.float64, 7, elements=st.floats()),
    kind=st.sampled_from(["logits", "probabilities"]),
    temperature=st.floats(min_value=0, exclude_min=True, allow_infinity=False),
)
def test_scores_are_probabilities_or_an_error(values: Any, kind: Any, temperature: float) -> None:
    from dataclasses import replace

    manifest = parse_manifest(json.dumps(SOUND), "x.json")
    give_scores(replace(manifest, output_kind=kind, temperature=temperature), values)


# Settings.

KEYS = keys()
NAMES = [key.name for key in KEYS]
toml_values = st.one_of(
    st.booleans().map(lambda value: str(value).lower()),
    st.integers(-(10**6), 10**6).map(str),
    numbers.map(repr),
    st.sampled_from(["nan", "inf", "-inf", "1e400", "2024-01-01", "[1, 2]", "{}", "'x'", "''", '"\\u0000"']),
    st.text(alphabet=string.printable, max_size=20),
)


@given(lines=st.lists(st.tuples(st.sampled_from(NAMES) | st.text(max_size=8), toml_values), max_size=4))
def test_any_configuration_is_taken_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.toml"
    path.write_text("".join(f"{name} = {value}\n" for name, value in lines), encoding="utf-8", errors="replace")
    try:
        settings = read_settings(KEYS, {}, path)
    except ConfigError as error:
        check_line(error)
        return
    assert set(settings) == {key.name for key in KEYS}


@given(name=st.sampled_from(NAMES), text=st.text(max_size=20))
def test_any_variable_is_taken_or_refused_in_one_line(name: str, text: str) -> None:
    try:
        settings = read_settings(KEYS, {f"EDGE_FER_{name.upper()}": text}, None, Path("/nonexistent"))
    except ConfigError as error:
        check_line(error)
        return
    assert set(settings) == {key.name for key in KEYS}


# Boxes and crops.


sides = st.integers(1, 10**5)


@given(box=st.builds(Box, *[st.integers(-(10**9), 10**9)] * 4), width=sides, height=sides)
def test_a_clipped_box_lies_inside(box: Box, width: int, height: int) -> None:
    inside = box.clipped(width, height)
    assert 0 <= inside.x <= inside.x + inside.width <= width
    assert 0 <= inside.y <= inside.y + inside.height <= height
    assert inside.clipped(width, height) == inside
    assert inside.area <= max(box.area, 0)


@given(one=boxes, other=boxes)
def test_overlap_is_a_share_and_the_same_both_ways(one: Box, other: Box) -> None:
    assert 0.0 <= one.overlap(other) <= 1.0
    assert one.overlap(other) == other.overlap(one)
    assert one.overlap(one) == 1.0


@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    grey=st.booleans(),
    found=st.lists(st.builds(Box, *[st.integers(-100, 100)] * 2, *[st.integers(0, 200)] * 2), max_size=3),
    spec=st.builds(
        InputSpec,
        st.integers(1, 64),
        st.integers(1, 64),
        st.sampled_from(["grey", "bgr", "rgb"]),
        st.just((127.5,)),
        st.just((64.0,)),
        crop_margin=st.floats(-0.49, 2.0),
    ),
)
def test_any_box_in_any_picture_gives_a_crop(
    height: int, width: int, grey: bool, found: list[Box], spec: InputSpec
) -> None:
    pixels = np.full((height, width) if grey else (height, width, 3), 200, np.uint8)
    batch = crop_faces(pixels, found, spec)
    assert batch.shape == (len(found), spec.height, spec.width, spec.channels)
    assert batch.dtype == np.float32
    # Of one colour, whatever lies beyond the edge.
    assert np.allclose(batch, (200 - 127.5) / 64.0)


# What is written.


def observation_of(source: str, values: list[float], box: Box, wall_time: float) -> Observation:
    scores = Scores(FER_LABELS, tuple(values))
    face = ScoredFace(Face(box, 3), scores, scores, scores.top)
    return Observation(1, 0.0, wall_time, source, 640, 480, (face,), Timings(1.0, 2.0, 3.0))


class Bytes:
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes, /) -> int:
        self.data += data
        return len(data)

    def flush(self) -> None:
        pass


@given(
    source=texts,
    values=st.lists(st.floats(0, 1), min_size=7, max_size=7),
    box=boxes,
    wall_time=st.floats(0, 4e9),
)
def test_any_observation_is_one_line_of_json_and_one_row(
    source: str, values: list[float], box: Box, wall_time: float
) -> None:
    seen = observation_of(source, values, box, wall_time)
    stream = Bytes()
    JsonLinesSink(stream).write(seen)
    assert stream.data.count(b"\n") == 1
    record = json.loads(stream.data)
    assert record["faces"][0]["box"] == [box.x, box.y, box.width, box.height]
    if source.isascii():
        assert record["source"] == source
    import csv
    import io

    table = Bytes()
    sink = CsvSink(table, FER_LABELS)
    sink.write(seen)
    rows = list(csv.reader(io.StringIO(table.data.decode(), newline="")))
    assert [len(row) for row in rows] == [len(rows[0])] * 2


@given(
    values=st.builds(
        lambda values, place, bad: [*values[:place], bad, *values[place:]],
        st.lists(st.floats(0, 1), min_size=6, max_size=6),
        st.integers(0, 6),
        st.sampled_from([math.nan, math.inf, -math.inf]),
    )
)
def test_a_line_never_holds_a_number_that_is_none(values: list[float]) -> None:
    stream = Bytes()
    with pytest.raises(ValueError, match=r"."):
        JsonLinesSink(stream).write(observation_of("x", values, Box(0, 0, 1, 1), 0.0))
    assert stream.data == b""


@given(text=texts)
def test_a_message_is_one_line_that_can_be_printed(text: str) -> None:
    line = str(EdgeFerError(text))
    assert line.isprintable()
    line.encode()
    assert one_line(line) == line


# Readers.

STARTS = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF....WEBPVP8X", b"BM", b"II*\0", b"P6 ", b""]


@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=200))
def test_any_header_is_a_size_or_one_line(start: bytes, rest: bytes) -> None:
    data = start + rest
    looks_like_picture(data[:32])
    try:
        header = read_header(data)
    except ValueError as error:
        check_line(error)
        return
    assert header.width >= 1
    assert header.height >= 1
