"""From samples to a result: what makes it invalid, and what makes it loud."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from edge_fer_bench.measuring import Turn
from edge_fer_bench.session import measure
from edge_fer_bench.summing_up import sum_up
from edge_fer_bench.table import result_table

from edge_fer.evaluation.labelled import LabelledFaces
from edge_fer.types import FER_LABELS
from tests.bench.results import COOL, EFFORT, MACHINE, FakeMachine, plan, result, row, silent

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer_bench.environment import Health
    from edge_fer_bench.result import BenchResult, Effort
    from edge_fer_bench.session import Plan


def summed(
    machine: FakeMachine, what: Plan | None = None, after: Health = COOL, turn: Turn | None = None, **more: Any
) -> BenchResult:
    what = what or plan()
    record = measure(what, machine.host(), silent, own_pid=1)
    for mine in record.samples if turn else ():
        mine.turns = [turn] * len(mine.turns)
    return sum_up(what, record, MACHINE, quick=False, after=after, **more)


def hot(at: int, **changes: Any) -> Callable[[int], Health]:
    """Cool at first, and changed from that look on."""
    return lambda number: replace(COOL, **changes) if number >= at else COOL


def test_a_quiet_run_is_valid() -> None:
    found = summed(FakeMachine())
    assert (found.invalid, found.complete) == ((), True)
    assert "INVALID" not in result_table(found)
    first = found.rows[0]
    assert first.film is not None
    assert (first.film.fps.value, first.film.frame_ms, first.film.cpu_ms) == pytest.approx((50.0, 20.0, 22.0))
    assert first.film.explained == pytest.approx(0.99)
    assert [one.p50.value for one in first.latency] == pytest.approx([0.1, 0.4])


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"throttled": 0x4}, "throttled"),
        ({"throttled": 0x1}, "under-voltage"),
        ({"throttled": 0x20000}, "frequency capped"),
        ({"throttle_count": 3}, "slowed for its heat"),
    ],
)
def test_a_throttled_run_is_invalid(changes: dict[str, int], word: str) -> None:
    after = replace(COOL, **changes)
    [reason] = summed(FakeMachine(health=hot(3, **changes)), after=after).invalid
    assert reason.startswith("throttled: ")
    assert word in reason
    assert "cool the board" in reason


def test_a_throttling_that_came_and_went_counts() -> None:
    health = lambda number: replace(COOL, throttled=0x4) if number == 3 else COOL  # noqa: E731
    assert summed(FakeMachine(health=health)).invalid


def test_what_held_the_board_back_before_the_run_does_not_count() -> None:
    earlier = replace(COOL, throttled=0x50000, throttle_count=9)
    found = summed(FakeMachine(health=lambda number: earlier), after=earlier)
    assert found.invalid == ()


@pytest.mark.parametrize(("others", "valid"), [(0.2, True), (0.39, True), (0.5, False)])
def test_a_busy_machine_is_invalid(others: float, valid: bool) -> None:
    invalid = summed(FakeMachine(others_busy=others)).invalid
    assert (invalid == ()) is valid
    assert valid or invalid[0].startswith("busy: other work kept 0.5 of 4 cores busy")


@pytest.mark.parametrize("effort", [replace(EFFORT, rounds=2), replace(EFFORT, calls=14), replace(EFFORT, frames=20)])
def test_a_short_run_is_invalid(effort: Effort) -> None:
    [reason] = summed(FakeMachine(), replace(plan(), effort=effort)).invalid
    assert reason.startswith("too short: brightness-tiny-48x48-fp32.onnx and 1 more; give a longer film")


def test_a_frame_that_its_stages_do_not_explain_is_invalid() -> None:
    lost = Turn(frames=50, faces=9, wall_seconds=1.0, cpu_seconds=1.0, read_seconds=0.1, detect_seconds=0.7,
                classify_seconds=0.1)  # fmt: skip
    [reason] = summed(FakeMachine(), turn=lost).invalid
    assert reason.startswith("unexplained: stages make up less than 95% of a frame")


def test_an_interrupted_run_is_marked() -> None:
    def health(number: int) -> Health:
        if number == 3:
            raise KeyboardInterrupt
        return COOL

    found = summed(FakeMachine(health=health))
    assert not found.complete
    assert found.invalid == ("interrupted: not every format had all of its turns",)
    assert result_table(found).count("INVALID: interrupted") == 2  # above the table and below it


def test_a_format_that_failed_is_a_row_that_says_so() -> None:
    found = summed(FakeMachine({"brightness-tiny-48x48-fp32.onnx": 0}))
    assert found.invalid == ()
    assert "fp32.onnx: not measured: its process ended (exit -9)" in result_table(found)
    late = summed(FakeMachine({"brightness-tiny-48x48-fp32.onnx": 12}))
    assert "fp32.onnx: not to the end: its process ended (exit -9)" in result_table(late)


def test_nothing_measured_at_all_is_no_empty_table() -> None:
    nothing = result(row(latency=(), film=None), complete=False)
    assert "Nothing was measured." in result_table(nothing)


def test_accuracy_and_the_loss_against_fp32() -> None:
    pictures = np.zeros((8, 48, 48), np.uint8)
    faces = LabelledFaces(pictures, np.array([3, 3, 3, 3, 3, 3, 0, 1]), FER_LABELS, None, "test")
    what = replace(plan(), pictures=tuple(pictures))
    found = summed(FakeMachine(), what, faces=faces, data_set="faces (test)")
    figures = found.rows[0].accuracy
    assert figures is not None
    assert (figures.accuracy.value, figures.pictures) == (0.75, 8)
    assert sum(map(sum, figures.confusion)) == 8
    assert figures.loss is None  # it is the fp32 file
    table = result_table(found)
    assert "On 8 pictures of faces (test):" in table
    assert "75.00%" in table


def test_a_model_that_does_not_know_the_labels_has_a_problem() -> None:
    faces = LabelledFaces(np.zeros((2, 48, 48), np.uint8), np.array([0, 1]), ("calm", "sad"), None, "")
    found = summed(FakeMachine(), replace(plan(), pictures=tuple(faces.images)), faces=faces, data_set="moods")
    assert all("'calm'" in (one.problem or "") for one in found.rows)
    assert found.rows[0].film is not None


def test_the_loop_is_told_by_scene_and_by_command() -> None:
    found = summed(FakeMachine())
    assert found.loop is not None
    assert found.loop.file == "brightness-tiny-48x48-fp32.onnx"
    idle, busy = found.loop.scene("nobody"), found.loop.scene("1 face")
    assert idle is not None
    assert busy is not None
    assert (busy.cpu_ms, idle.cpu_ms) == pytest.approx((2.5, 0.2))
    assert busy.fps.value == pytest.approx(500.0)
    [helped, *_] = found.loop.starts
    assert (helped.name, helped.starts, helped.cpu_seconds) == ("--help", 5, 0.4)
    assert helped.wall_seconds == pytest.approx(0.8)  # the median of 0.6 to 1.0
    assert helped.peak_memory_bytes == 80_000_005
    table = result_table(found)
    assert re.search(r"nobody +500 +0\.20 +0\.08", table)
    assert "edge-fer predict 0.40 s of processor time" in table
    assert "edge-fer run" in table
    assert "not to the end: edge-fer run ended with 3" in result_table(summed(FakeMachine({"run": 0})))
