"""Turns, faults, interruptions and whose work filled the cores: with workers and a machine that are fakes."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from edge_fer_bench.scenes import CROWDS, SCENES
from edge_fer_bench.session import BATCHES, measure
from edge_fer_bench.worker import Act, Call, Judge, Open, Peak, Watch

from tests.bench.results import COOL, EFFORT, FORMATS, FakeMachine, plan, silent

if TYPE_CHECKING:
    from edge_fer_bench.environment import Health
    from edge_fer_bench.result import Effort
    from edge_fer_bench.session import Plan, Record

NAMES = [one.path.name for one in FORMATS]


def measured(machine: FakeMachine, what: Plan | None = None) -> Record:
    return measure(what or plan(), machine.host(), silent, own_pid=1)


def in_rounds(machine: FakeMachine, threads: int = 1) -> list[tuple[str, Any]]:
    """The tasks after all formats were loaded and warmed up."""
    return machine.asked[-EFFORT.rounds * (len(FORMATS) * threads * (len(BATCHES) + 1) + len(SCENES)) :]


def test_formats_take_turns() -> None:
    machine = FakeMachine()
    measured(machine)
    turns = [(name, getattr(task, "batch", getattr(task, "scene", "film"))) for name, task in in_rounds(machine)]
    one_round: list[tuple[str, object]] = [(name, what) for what in (*BATCHES, "film") for name in NAMES]
    one_round += [(NAMES[0], scene) for scene in SCENES]
    assert turns == one_round * EFFORT.rounds


def test_no_format_has_two_turns_on_end_with_more_formats_and_threads() -> None:
    machine = FakeMachine()
    measured(machine, plan(threads=(1, 2)))
    turns = [(name, task.threads) for name, task in in_rounds(machine, 2) if not isinstance(task, Act)]
    assert {len(list(same)) for _, same in groupby(turns)} == {1}
    assert {threads for _, threads in turns} == {1, 2}


def test_every_format_gets_the_same_effort() -> None:
    machine = FakeMachine()
    record = measured(machine)
    for mine in record.samples:
        assert {batch: len(rounds) for batch, rounds in mine.calls.items()} == dict.fromkeys(BATCHES, EFFORT.rounds)
        assert [turn.frames for turn in mine.turns] == [EFFORT.frames] * EFFORT.rounds
        assert (mine.load_ms, mine.peak_memory_bytes, mine.problem) == (12.0, 90_000_000, None)
    assert record.complete
    assert all(worker.closed for worker in machine.workers)


def test_each_format_is_warmed_up_before_any_is_timed() -> None:
    machine = FakeMachine()
    measured(machine)
    before = machine.asked[: -len(in_rounds(machine))]
    kinds = [type(task) for name, task in before if name == NAMES[0]]
    assert kinds == [Open, *[Call] * len(BATCHES), Watch, Peak]
    assert all(task.calls == EFFORT.warm_up_calls for _, task in before if isinstance(task, Call))


@pytest.mark.parametrize("survives", [0, 3, 7])
def test_a_fault_in_one_format_is_its_own(survives: int) -> None:
    machine = FakeMachine({NAMES[0]: survives})
    broken, sound = measured(machine).samples
    assert broken.problem == "its process ended (exit -9)"
    assert sound.problem is None
    assert len(sound.turns) == EFFORT.rounds
    # Once it has failed it is asked nothing more.
    assert len([name for name, _ in machine.asked if name == NAMES[0]]) == survives + 1


def test_pictures_are_read_after_the_timing_and_once() -> None:
    machine = FakeMachine()
    pictures = tuple(np.zeros((3, 48, 48), np.uint8))
    record = measured(machine, replace(plan(threads=(1, 2)), pictures=pictures))
    judged = machine.tasks(Judge)
    assert [name for name, _ in judged] == NAMES
    assert machine.asked[-2:] == judged
    shapes = [None if one.probabilities is None else one.probabilities.shape for one in record.samples]
    assert shapes == [(3, 7), None, (3, 7), None]


@pytest.mark.parametrize("look", [1, 2, 3])
def test_ctrl_c_keeps_what_was_measured(look: int) -> None:
    def health(number: int) -> Health:
        if number == look + 1:  # the first look comes before the first round
            raise KeyboardInterrupt
        return COOL

    machine = FakeMachine(health=health)
    record = measured(machine)
    assert not record.complete
    assert [len(mine.turns) for mine in record.samples] == [look, look]
    assert all(worker.closed for worker in machine.workers)
    assert record.own_cores is not None


def test_the_work_of_others_is_told_from_its_own() -> None:
    alone, crowded = measured(FakeMachine()), measured(FakeMachine(others_busy=2.0))
    assert (alone.own_cores, alone.other_cores) == pytest.approx((1.5, 0.0))
    assert (crowded.own_cores, crowded.other_cores) == pytest.approx((1.5, 2.0))


@pytest.mark.parametrize("effort", [EFFORT])
def test_progress_goes_up_to_the_last_step(effort: Effort) -> None:
    told: list[tuple[int, int, str]] = []
    what = replace(plan(film="party.mp4"), effort=effort)
    measure(what, FakeMachine().host(), lambda *what: told.append(what), own_pid=1)
    done, steps = [one[0] for one in told], {one[1] for one in told}
    assert done == list(range(len(told)))
    assert steps == {done[-1]}
    assert any("round 2: brightness" in what for _, _, what in told)


def test_the_loop_is_run_with_the_format_asked_for_or_the_first_that_works() -> None:
    for faults, wanted, expected in (({}, 1, 1), ({}, None, 0), ({NAMES[1]: 0}, 1, 0), ({NAMES[0]: 0}, None, 1)):
        machine = FakeMachine(faults)
        record = measured(machine, plan(loop_with=None if wanted is None else FORMATS[wanted]))
        assert record.loop is not None
        assert record.loop.format == FORMATS[expected]
        assert {name for name, _ in machine.tasks(Act)} == {NAMES[expected]}
        assert {name: len(turns) for name, turns in record.loop.turns.items()} == dict.fromkeys(SCENES, EFFORT.rounds)


def test_the_crowd_has_frames_of_its_own_number() -> None:
    machine = FakeMachine()
    measured(machine, replace(plan(), effort=replace(EFFORT, crowd_frames=7)))
    frames = {task.scene: task.frames for _, task in machine.tasks(Act)}
    assert frames == dict.fromkeys(SCENES, EFFORT.scene_frames) | dict.fromkeys(CROWDS, 7)


def test_commands_are_started_with_that_format_and_no_settings_of_this_machine() -> None:
    machine = FakeMachine()
    record = measured(machine, plan(threads=(2,)))
    assert record.loop is not None
    assert {name: len(starts) for name, starts in record.loop.starts.items()} == dict.fromkeys(
        ("--help", "predict", "run"), EFFORT.starts
    )
    for line in machine.commands:
        assert line[0] == "--help" or {"--config", str(FORMATS[0].path), "--threads", "2"} <= set(line)


def test_a_fault_of_a_command_or_a_scene_is_the_loops_own() -> None:
    record = measured(FakeMachine({"predict": 0}))
    assert record.complete
    assert record.loop is not None
    assert record.loop.problem == "edge-fer predict ended with 3: no x.tflite"  # without the folder
    assert set(record.loop.starts) == {"--help"}
    tasks_before_the_first_scene = 11
    late = measured(FakeMachine({NAMES[0]: tasks_before_the_first_scene}))
    assert late.loop is not None
    assert late.loop.problem == "its process ended (exit -9)"
    assert len(late.samples[1].turns) == EFFORT.rounds


def test_without_a_format_that_works_there_is_no_loop() -> None:
    machine = FakeMachine(dict.fromkeys(NAMES, 0))
    assert measured(machine).loop is None
    assert machine.commands == []
