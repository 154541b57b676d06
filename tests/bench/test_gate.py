"""The gate of the camera loop, with a real model: every measure gives figures of its kind."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from edge_fer.camera.demo import DemoSource
from edge_fer.inference.open_model import open_classifier
from tests.bench.conftest import PIPELINE
from tests.bench.results import TFLITE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_fer.protocols import Classifier


@pytest.fixture
def classifier() -> Iterator[Classifier]:
    made = open_classifier(TFLITE)
    yield made
    made.close()


def test_a_scene_is_judged_by_its_truth(script: Any) -> None:
    gate = script("gate")
    acted = gate.act(TFLITE, "3 faces", 14)
    assert acted.turn.frames == 14
    assert acted.judged.due == 42
    assert acted.judged.found >= 39
    assert acted.judged.false == 0
    assert gate.act(TFLITE, "nobody", 3).judged.due == 0


def test_both_loops_are_judged_on_the_frames_that_both_saw(script: Any, classifier: Classifier) -> None:
    gate = script("gate")
    effort = replace(gate.QUICK, rival_frames=13, plain_frames=2)
    found = gate.compete(classifier, "3 faces", effort)
    assert (found.following.frames, found.plain.frames) == (13, 3)
    assert found.judged.due == found.plain_judged.due == 9
    assert found.judged.found == found.plain_judged.found == 9


def test_a_video_has_no_truth(script: Any, classifier: Classifier, tmp_path: Path) -> None:
    gate, film, demo = script("gate"), tmp_path / "film.avi", DemoSource()
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 30.0, (640, 480))
    for number in range(6):
        writer.write(demo.picture(number))
    writer.release()
    found = gate.compete(classifier, str(film), replace(gate.QUICK, rival_frames=100, plain_frames=20))
    assert (found.following.frames, found.plain.frames) == (6, 2)
    assert found.judged.due == found.plain_judged.due == 0
    assert found.following.faces >= 5


def test_a_short_run_measures_everything(script: Any) -> None:
    gate, figures = script("gate"), script("gate_figures")
    effort = figures.GateEffort(
        rounds=1, scene_frames=3, crowd_frames=2, rival_frames=4, plain_frames=2, starts=1, own_cost_rounds=1,
        late_seconds=0.2, memory_frames=20,
    )  # fmt: skip
    told: list[str] = []
    found = gate.measured(TFLITE, effort, say=told.append)
    assert told[0] == "round 1: 1 face"
    assert told[-1] == "starting edge-fer run"
    values = {one.name: one.value for one in figures.gate_figures(found, effort)}
    missing = {name for name, value in values.items() if value is None}
    assert missing <= {"label_delay", "memory", "run_memory", "idle"}  # too short, or not known by this system
    assert values["late"] is not None
    assert values["late"] > 0


def test_a_model_that_cannot_be_used_is_one_line() -> None:
    script = PIPELINE / "gate.py"
    done = subprocess.run(
        [sys.executable, str(script), "--quick", "--model", "none.tflite"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("gate: ")
    assert "Traceback" not in done.stderr


def test_a_video_is_read_up_to_so_many_frames(script: Any, tmp_path: Path) -> None:
    gate = script("gate")
    film = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (64, 48))
    for grey in range(0, 120, 20):
        writer.write(np.full((48, 64, 3), grey, np.uint8))
    writer.release()
    assert len(gate.video_frames(str(film), 4)) == 4
    frames = gate.video_frames(str(film), 100)
    assert [round(frame.captured_at * 25) for frame in frames] == list(range(6))
