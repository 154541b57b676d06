"""A worker's tasks on the camera loop, with a real model: every one gives figures of its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import pytest
from edge_fer_bench.worker import Act, BeLate, Compete, Endure, Open, OwnCost, WorkerState

from edge_fer.camera.pattern import DemoSource
from tests.bench.results import TFLITE

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def state() -> WorkerState:
    made = WorkerState(TFLITE, "litert")
    made.answer(Open(1))
    return made


def test_a_scene_is_judged_by_its_truth(state: WorkerState) -> None:
    acted = state.answer(Act(1, "3 faces", 14))
    assert acted.turn.frames == 14
    assert acted.judged.due == 42
    assert acted.judged.found >= 39
    assert acted.judged.false == 0
    assert state.answer(Act(1, "nobody", 3)).judged.due == 0


def test_both_loops_are_judged_on_the_frames_that_both_saw(state: WorkerState) -> None:
    found = state.answer(Compete(1, "3 faces", 13, 6))
    assert (found.following.frames, found.plain.frames) == (13, 3)
    assert found.judged.due == found.plain_judged.due == 9
    assert found.judged.found == found.plain_judged.found == 9


def test_a_video_has_no_truth(state: WorkerState, tmp_path: Path) -> None:
    film, demo = tmp_path / "film.avi", DemoSource()
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 30.0, (640, 480))
    for number in range(6):
        writer.write(demo.picture(number))
    writer.release()
    found = state.answer(Compete(1, str(film), 100, 5))
    assert (found.following.frames, found.plain.frames) == (6, 2)
    assert found.judged.due == found.plain_judged.due == 0
    assert found.following.faces >= 5


def test_the_long_measures_give_their_figures(state: WorkerState) -> None:
    middle, most = state.answer(OwnCost(1, "8 faces", 4, 2))
    assert middle <= most
    middle, most = state.answer(BeLate(1, 0.3))
    assert 0.0 < middle <= most
    points = state.answer(Endure(1, 20))
    assert [number for number, _ in points] in ([], list(range(2, 21, 2)))
