"""What the camera loop should reach: each figure from its samples, its limit, and why one is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from edge_fer_bench.result import QUICK, BenchResult, Effort, PipelineFigure
from edge_fer_bench.result_file import parse_result, result_json
from edge_fer_bench.session import measure
from edge_fer_bench.summing_up import sum_up
from edge_fer_bench.table import result_table

from tests.bench.results import COOL, EFFORT, MACHINE, THOROUGH, FakeMachine, plan, silent


def summed(machine: FakeMachine, effort: Effort = THOROUGH, film: str = "demo") -> BenchResult:
    what = replace(plan(film=film), effort=effort)
    return sum_up(what, measure(what, machine.host(), silent, own_pid=1), MACHINE, quick=False, after=COOL)


def by_name(found: BenchResult) -> dict[str, PipelineFigure]:
    return {one.name: one for one in found.pipeline}


def test_every_figure_is_computed_from_its_samples() -> None:
    found = by_name(summed(FakeMachine(), film="folder/party.mp4"))
    expected = {
        "plain_fps: 1 face": (10.0, True),
        "plain_cpu: 1 face": (12.0, True),
        "plain_fps: 3 faces": (10.0, True),
        "plain_cpu: 3 faces": (12.0, True),
        "plain_fps: party.mp4": (10.0, True),
        "plain_cpu: party.mp4": (12.0, True),
        "plain_found": (1.5, True),
        "plain_false": (2.0, True),  # one on each scene, and the plain loop has forty
        "label_changes": (0.5, True),  # one in 60 frames of one face
        "label_delay": (300.0, True),
        "own_cost: 1 face": (0.25, True),
        "own_cost: 3 faces": (0.25, True),
        "own_cost: 8 faces": (0.25, True),
        "eight_faces": (1.0, True),
        "large": (1.0, True),
        "idle": (0.08, True),
        "late": (60.0, False),  # 1.5 frames are 50 ms
        "memory": (0.09, True),
        "predict": (0.4, True),
        "help": (0.8, False),
        "run_memory": (80.000015, True),
    }
    assert {name: (pytest.approx(one.value), one.met) for name, one in found.items()} == expected
    assert found["plain_fps: party.mp4"].limit < found["plain_fps: 1 face"].limit
    assert all(one.left_out is None for one in found.values())
    spread = found["plain_fps: 1 face"].spread
    assert spread is not None
    assert spread.low <= 10.0 <= spread.high


def test_what_a_quick_run_leaves_out_says_why() -> None:
    effort = replace(EFFORT, rival_frames=QUICK.rival_frames, plain_frames=QUICK.plain_frames)
    found = summed(FakeMachine(), effort)
    left_out = {one.name for one in found.pipeline if one.value is None}
    assert left_out == {"own_cost: 1 face", "own_cost: 3 faces", "own_cost: 8 faces", "late", "memory"}
    assert all("left out of a quick run: " in (one.left_out or "") for one in found.pipeline if one.value is None)
    table = result_table(found)
    assert "not measured (left out of a quick run: takes thousands of frames)" in " ".join(table.split())
    assert max(map(len, table.partition("What the camera loop should reach:")[2].splitlines())) <= 120


def test_a_fault_of_the_loop_is_the_reason() -> None:
    found = by_name(summed(FakeMachine({"brightness-tiny-48x48-fp32.onnx": 30})))
    assert found["late"].left_out == "its process ended (exit -9)"
    assert found["late"].met is None
    assert (
        by_name(summed(FakeMachine({"predict": 0})))["predict"].left_out == "edge-fer predict ended with 3: no x.tflite"
    )


def test_an_interrupted_run_says_so() -> None:
    def health(number: int) -> object:
        if number == 3:
            raise KeyboardInterrupt
        return COOL

    found = by_name(summed(FakeMachine(health=health)))  # type: ignore[arg-type]
    assert found["plain_fps: 1 face"].value == pytest.approx(10.0)
    assert found["memory"].left_out == "interrupted"


def test_the_figures_stand_in_the_file_and_in_the_table() -> None:
    found = summed(FakeMachine())
    text = result_json(found)
    again = parse_result(text, "x")
    assert result_json(again) == text
    assert by_name(again).keys() == by_name(found).keys()
    assert by_name(again)["late"] == by_name(found)["late"]
    table = result_table(found)
    assert "What the camera loop should reach:" in table
    [late] = [line for line in table.splitlines() if line.startswith("at 30 frames a second")]
    assert late.split()[-7:] == ["60", "ms", "-", "at", "most", "50", "NO"]
