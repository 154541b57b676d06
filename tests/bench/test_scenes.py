"""Scenes and commands: known faces, only the step timed, and nothing of this machine's settings in it."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from edge_fer_bench.commands import command_lines, start
from edge_fer_bench.scenes import FALL_ASLEEP_FRAMES, SCENES, crowd, run_scene, scene

from edge_fer.build import RunSettings, Streams, build_pipeline
from edge_fer.camera.demo import DemoSource
from edge_fer.errors import EdgeFerError
from edge_fer.faces.tracking import EachFrame
from edge_fer.pipeline import Pipeline
from edge_fer.types import Box
from tests.fakes import FakeClassifier, FakeClock, FakeDetector, FakeSource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def pipeline(tiny_model: Path) -> Iterator[Pipeline]:
    streams = Streams(io.BytesIO(), io.StringIO())
    made = build_pipeline(RunSettings(source="demo", model=tiny_model), streams)
    made.source.close()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("name", "faces"), [("1 face", 1), ("3 faces", 3), ("8 faces", 8), ("1 of the 8 faces", 1), ("nobody", 0)]
)
def test_scenes_show_as_many_faces_as_they_say(name: str, faces: int, pipeline: Pipeline) -> None:
    turn, shown = run_scene(pipeline, scene(name), 30)
    assert [len(one.faces) for one in shown].count(faces) >= 27
    assert turn.frames == 30
    assert 27 * faces <= turn.faces <= 30 * faces


def test_an_empty_scene_costs_less_than_a_busy_one(tiny_model: Path, pipeline: Pipeline) -> None:
    idle, _ = run_scene(pipeline, scene("nobody"), 60)
    busy, _ = run_scene(pipeline, scene("1 face"), 60)
    assert idle.cpu_seconds < 0.5 * busy.cpu_seconds


def test_sizes() -> None:
    for name in SCENES:
        what = scene(name)
        assert what.picture(0).shape == ((1080, 1920, 3) if "1920x1080" in name else (480, 640, 3))
        assert what.untimed == (FALL_ASLEEP_FRAMES if name == "nobody" else 0)
        assert (what.picture(1) != what.picture(0)).any() == (name != "nobody")


def test_the_truth_of_a_scene_is_where_its_faces_are_drawn() -> None:
    empty, faces = crowd(0).picture(7).astype(int), crowd(8)
    drawn = np.abs(faces.picture(7) - empty).max(axis=2) > 8
    boxes = [face.box for face in faces.truth(7)]
    assert len(boxes) == 8
    for box in boxes:
        assert drawn[box.y : box.y + box.height, box.x : box.x + box.width].mean() > 0.5
        drawn[box.y : box.y + box.height, box.x : box.x + box.width] = False
    assert not drawn.any()
    assert [face.emotion for face in scene("3 faces").truth(5)] == [face.emotion for face in DemoSource().truth(205)]


def test_only_the_step_is_timed() -> None:
    clock = FakeClock(0.001)
    fake = Pipeline(FakeSource([]), EachFrame(FakeDetector(Box(9, 9, 50, 50))), FakeClassifier(), [], FakeClock())
    turn, _ = run_scene(fake, scene("nobody"), 40, clock.monotonic, clock.monotonic)
    # Each frame looks at both clocks twice: the one that runs inside the other sees one step, that one sees three.
    assert (turn.frames, turn.faces) == (40, 40)
    assert turn.wall_seconds == pytest.approx(0.04)
    assert turn.cpu_seconds == pytest.approx(0.12)


def test_commands_work_and_tell_what_they_took(tiny_model: Path, tmp_path: Path) -> None:
    lines = command_lines(tiny_model, 1, tmp_path)
    assert list(lines) == ["--help", "predict", "run"]
    found = {name: start(line) for name, line in lines.items()}
    for one in found.values():
        assert one.cpu_seconds > 0
        assert one.wall_seconds > 0
    memory = {name: one.peak_memory_bytes for name, one in found.items()}
    if None not in memory.values():
        assert (memory["--help"] or 0) < (memory["predict"] or 0)


def test_settings_of_this_machine_do_not_reach_the_commands(tiny_model: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "EDGE_FER_BACKEND": "nonsense", "EDGE_FER_MAX_FRAMES": "many"}
    start(command_lines(tiny_model, 1, tmp_path)["predict"], environment)


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(EdgeFerError, match=r"edge-fer predict ended with 3: .*none\.jpg"):
        start(["predict", str(tmp_path / "none.jpg")])
