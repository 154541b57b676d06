"""`result.json`: what is written is read again, also what an earlier version wrote, and nothing else is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from edge_fer_bench.result import SCHEMA, Estimate, Loop, SceneFigures, StartFigures
from edge_fer_bench.result_file import parse_result, read_result, result_json, write_result

from edge_fer.errors import EdgeFerError, SourceError
from tests.bench.results import ACCURACY, result, row

FIRST_VERSION = Path(__file__).parent / "result-1.json"
"""Written by the first version of the schema; it must be read for ever."""


def changed(**more: Any) -> str:
    return json.dumps({**json.loads(result_json(result())), **more})


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    broken = replace(row("b.onnx"), problem="no engine", film=None, latency=(), load_ms=None, peak_memory_bytes=None)
    written = result(row(accuracy=ACCURACY), broken, complete=False, invalid=("interrupted: x",), data_set="faces")
    write_result(tmp_path / "result.json", written)
    once = read_result(tmp_path / "result.json")
    assert once.rows[0].accuracy == ACCURACY
    assert once.rows[1] == broken
    assert (once.complete, once.invalid, once.environment) == (False, ("interrupted: x",), written.environment)
    assert once.rows[0].film is not None
    assert once.rows[0].film.fps.value == pytest.approx(written.rows[0].film.fps.value, rel=1e-5)
    assert result_json(once) == (tmp_path / "result.json").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_the_camera_loop_is_read_again(tmp_path: Path) -> None:
    scene = SceneFigures("1 face", 400, 390, Estimate(300.0, 290.0, 310.0), 2.5, (2.5, 2.25))
    start = StartFigures("predict", 5, 0.5, 0.25, 80_000_000)
    loop = Loop("a.tflite", 1, (scene,), (start, replace(start, name="--help", peak_memory_bytes=None)), "it broke")
    write_result(tmp_path / "result.json", result(loop=loop))
    assert read_result(tmp_path / "result.json").loop == loop


def test_the_first_version_is_read() -> None:
    found = read_result(FIRST_VERSION)
    assert [one.file for one in found.rows] == ["a.tflite", "b.onnx"]
    assert found.rows[0].film is not None
    assert found.rows[0].film.frames == 200
    assert found.rows[1].problem == "its process ended (exit -9)"


def test_what_a_later_version_added_is_left_out() -> None:
    value = json.loads(result_json(result()))
    value["rows"][0]["joules"] = 3.0
    assert parse_result(json.dumps({**value, "room": "cold"}), "x").rows[0].file == "a.tflite"


def test_an_earlier_schema_is_taken_step_by_step() -> None:
    steps = {
        "edge-fer-bench/before": lambda value: {**value, "schema": "edge-fer-bench/0"},
        "edge-fer-bench/0": lambda value: {**value, "schema": SCHEMA, "film": value["video"]},
    }
    old = json.loads(changed(schema="edge-fer-bench/before", video="party.mp4"))
    del old["film"]
    assert parse_result(json.dumps(old), "x", steps).film == "party.mp4"
    del old["video"]
    with pytest.raises(SourceError, match="measure again"):
        parse_result(json.dumps(old), "x", steps)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "no benchmark result"),
        ('{"schema": "edge-fer-model/1"}', "no benchmark result"),
        (changed(schema="edge-fer-bench/99"), "update edge-fer"),
        (changed(rows=3), "rows: must be tuple, not 3"),
        (changed(rows=[{"file": "a"}]), r"rows\[0\]: 'threads' is missing"),
        (changed(seconds="long"), 'seconds: must be float, not "long"'),
        (changed(complete=1), "complete: must be bool"),
        (changed(seconds=True), "seconds: must be float"),
        (changed(before=None), "before: must be an object"),
    ],
)
def test_what_is_not_as_it_should_be(text: str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        parse_result(text, "x.json")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_none(number: str) -> None:
    with pytest.raises(SourceError, match="seconds: must be float"):
        parse_result(changed(seconds=12345.5).replace("12345.5", number), "x")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        read_result(tmp_path / "none.json")
    with pytest.raises(SourceError, match="Is a directory"):
        read_result(tmp_path)
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SourceError, match="UTF-8"):
        read_result(tmp_path / "x")


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(EdgeFerError, match="choose another folder"):
        write_result(tmp_path / "gone" / "result.json", result())
