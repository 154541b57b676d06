"""Two results side by side, and the gate both ways."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from edge_fer_bench.cli import command
from edge_fer_bench.compare import compare, comparison_table, over_limit
from edge_fer_bench.result import Estimate, Loop, SceneFigures
from edge_fer_bench.result_file import write_result

from edge_fer.errors import ConfigError, SourceError
from tests.bench.results import ACCURACY, MACHINE, latency, result, row

if TYPE_CHECKING:
    from pathlib import Path

    from edge_fer_bench.result import BenchResult


def invoke(folder: Path, first: BenchResult, second: BenchResult, *options: str) -> Result:
    for name, one in (("a", first), ("b", second)):
        write_result(folder / f"{name}.json", one)
    return CliRunner().invoke(command, ["compare", str(folder / "a.json"), str(folder / "b.json"), *options])


def test_a_result_is_one_time_itself() -> None:
    [found] = compare(result(), result()).rows
    assert {name: one.value for name, one in found.ratios.items()} == dict.fromkeys(
        ("1 face", "4 faces", "frame", "CPU", "load", "memory"), 1.0
    )
    assert not found.changed


def test_ratios_are_the_second_over_the_first() -> None:
    slower = row(milliseconds=0.3, frame_ms=8.0, load_ms=10.0, peak_memory_bytes=180_000_000, sha256="1" * 64)
    [found] = compare(result(row()), result(slower)).rows
    values = {name: one.value for name, one in found.ratios.items()}
    expected = {"1 face": 1.5, "4 faces": 1.5, "frame": 2.0, "CPU": 2.0, "load": 0.5, "memory": 2.0}
    assert values == pytest.approx(expected, rel=0.02)
    assert found.ratios["1 face"].low < 1.5 < found.ratios["1 face"].high
    assert found.changed
    assert "a.tflite (changed)" in comparison_table(compare(result(row()), result(slower)))


def test_accuracy_is_compared_on_the_same_data_alone() -> None:
    better = replace(ACCURACY, accuracy=replace(ACCURACY.accuracy, value=0.52))
    pair = result(row(accuracy=ACCURACY), data_set="x"), result(row(accuracy=better), data_set="x")
    assert compare(*pair).rows[0].accuracy_points == pytest.approx(2.0)
    assert "+2.00 points" in comparison_table(compare(*pair))
    assert compare(pair[0], replace(pair[1], data_set="y")).rows[0].accuracy_points is None


def test_rows_are_matched_by_file_and_threads() -> None:
    first = result(row("a.tflite"), row("a.tflite", threads=4), row("b.onnx"))
    second = result(row("b.onnx"), row("a.tflite", threads=4), row("c.onnx"))
    found = compare(first, second)
    assert [(one.file, one.threads) for one in found.rows] == [("a.tflite", 4), ("b.onnx", 1)]
    assert found.missing == ("a.tflite with 1 threads",)
    assert "a.tflite, 4 threads" in comparison_table(found)


def test_results_without_a_common_format() -> None:
    failed = row(problem="no engine", latency=(), film=None)
    for other in (row("b.onnx"), failed):
        with pytest.raises(ConfigError, match="no measured format in common"):
            compare(result(row()), result(other))


def test_notes_tell_what_keeps_two_results_apart() -> None:
    machine = replace(MACHINE, board="Raspberry Pi 4", processor="Cortex-A72", packages={"numpy": "2.4"})
    other = result(film="party.mp4", environment=machine, invalid=("throttled: x",))
    found = compare(result(), other)
    notes = " | ".join(found.notes)
    for word in ("second is invalid: throttled: x", "Raspberry Pi 4 (Cortex-A72)", "party.mp4", "numpy 2.3 and 2.4"):
        assert word in notes
    assert "frame" not in found.rows[0].ratios
    assert "Note: " in comparison_table(found)


def test_figures_of_nothing_are_left_out() -> None:
    odd = replace(latency(), round_p50=())
    zero = replace(latency(4), round_p50=(0.0, 0.0))
    found = compare(result(), result(row(latency=(odd, zero), film=None)))
    assert set(found.rows[0].ratios) == {"load", "memory"}


@pytest.mark.parametrize(("milliseconds", "frame_ms"), [(0.22, 4.0), (0.1, 2.0)])
def test_the_gate_lets_through_what_is_within_it(tmp_path: Path, milliseconds: float, frame_ms: float) -> None:
    second = result(row(milliseconds=milliseconds, frame_ms=frame_ms, load_ms=900.0, peak_memory_bytes=10**9))
    done = invoke(tmp_path, result(), second, "--fail-over", "1.2")
    assert done.exit_code == 0, done.output
    assert done.stderr == ""


@pytest.mark.parametrize(("milliseconds", "frame_ms", "figure"), [(0.26, 4.0, "1 face"), (0.2, 5.2, "frame")])
def test_the_gate_stops_what_is_over_it(tmp_path: Path, milliseconds: float, frame_ms: float, figure: str) -> None:
    second = result(row(milliseconds=milliseconds, frame_ms=frame_ms))
    done = invoke(tmp_path, result(), second, "--fail-over", "1.2")
    assert done.exit_code == 1
    assert f"over 1.2: a.tflite, {figure}: 1.3 times" in done.stderr
    assert invoke(tmp_path, result(), second).exit_code == 0  # without the option it only reports


def test_the_gate_stops_what_was_not_measured_any_more(tmp_path: Path) -> None:
    first = result(row(), row("b.onnx"))
    second = result(row(), row("b.onnx", problem="its process ended", latency=(), film=None))
    done = invoke(tmp_path, first, second, "--fail-over", "1.2")
    assert done.exit_code == 1
    assert "b.onnx with 1 threads: not measured any more" in done.stderr
    lost = compare(result(row()), result(row(film=None)))
    assert over_limit(lost, 9.0) == ["the film with a.tflite: not measured any more"]


def test_ratios_as_json(tmp_path: Path) -> None:
    done = invoke(tmp_path, result(), result(row(milliseconds=0.4)), "--json")
    found = json.loads(done.stdout)
    assert found["rows"][0]["ratios"]["1 face"]["value"] == pytest.approx(2.0, rel=0.02)


def loop(one_face_ms: float, **more: Any) -> Loop:
    """A loop of two scenes."""
    scenes = [
        SceneFigures(name, 400, 400, Estimate(300.0, 290.0, 310.0), cpu_ms, (cpu_ms, 1.01 * cpu_ms, 0.99 * cpu_ms))
        for name, cpu_ms in (("1 face", one_face_ms), ("nobody", 0.1))
    ]
    return replace(Loop("a.tflite", 1, tuple(scenes)), **more)


def test_scenes_of_the_loop_are_compared_and_gated(tmp_path: Path) -> None:
    first, second = result(loop=loop(2.0)), result(loop=loop(3.0))
    found = {one.file: one.ratios for one in compare(first, second).rows}
    assert found["scene: 1 face"]["CPU"].value == pytest.approx(1.5)
    assert found["scene: nobody"]["CPU"].value == pytest.approx(1.0)
    done = invoke(tmp_path, first, second, "--fail-over", "1.2")
    assert (done.exit_code, done.stderr) == (1, "over 1.2: scene: 1 face, CPU: 1.5 times\n")
    assert invoke(tmp_path, second, first, "--fail-over", "1.2").exit_code == 0


def test_scenes_that_are_missing_or_of_another_format() -> None:
    first = result(loop=loop(2.0))
    assert compare(first, result(loop=loop(2.0, scenes=()))).missing == ("scene: 1 face", "scene: nobody")
    for other in (result(loop=loop(9.0, file="b.onnx")), result()):
        found = compare(first, other)
        assert [one.file for one in found.rows] == ["a.tflite"]
        assert found.missing == ()


def test_a_file_that_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    done = CliRunner().invoke(command, ["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")])
    assert isinstance(done.exception, SourceError)
