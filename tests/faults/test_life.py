"""Too little memory, clocks that jump and rates from 0.2 to 240 a second."""

from __future__ import annotations

import json
import math
import threading
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge_fer.faces.tracking import EachFrame
from edge_fer.inference.smoothing import ScoreSmoother
from edge_fer.pipeline import Pipeline, RunLimits
from edge_fer.sinks.health import HealthMonitor
from edge_fer.sinks.jsonl import json_line
from edge_fer.sinks.runner import Filling, run_sink
from edge_fer.types import Frame, SourceInfo
from tests.fakes import Collector, EndlessSource, FakeClassifier, FakeClock, FakeDetector, picture, scores_for
from tests.picture_files import png
from tests.programs import run_python
from tests.scenes import Actor, Scene, still
from tests.tracking_rig import tracker

if TYPE_CHECKING:
    from pathlib import Path

    from edge_fer.types import Observation


# Memory.


PREDICT_WITH_150_MB = """if True:
    import resource, sys
    from pathlib import Path
    from edge_fer.analyzer import EdgeFer
    from edge_fer.cli.main import main

    arguments = sys.argv[1:]
    with EdgeFer(arguments[-1]) as fer:
        fer.analyze(arguments[1] + "/a.png")
    held = 1024 * int(Path("/proc/self/status").read_text().partition("VmSize:")[2].split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (held + 150_000_000, held + 150_000_000))
    main(arguments)
"""


def test_a_picture_that_memory_does_not_suffice_for_is_left_out(tmp_path: Path, tiny_model: Path) -> None:
    small = cv2.imencode(".png", np.zeros((60, 60, 3), np.uint8))[1].tobytes()
    (tmp_path / "a.png").write_bytes(small)
    (tmp_path / "z.png").write_bytes(small)
    # 300 MB of pixels in 300 kB.
    (tmp_path / "large.png").write_bytes(png(17_000, 17_000))
    arguments = ["predict", tmp_path, "--json", "--max-megapixels", "1000", "--model", tiny_model]
    done = run_python(PREDICT_WITH_150_MB, *arguments)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert [line for line in done.stderr.splitlines() if "large.png" in line and "memory" in line]
    assert [json.loads(line)["size"] for line in done.stdout.splitlines()] == [[60, 60], [60, 60]]


def test_too_little_memory_for_anything_ends_in_one_line() -> None:
    # The interpreter itself starts, and what it then asks for is refused.
    code = "import resource; from edge_fer.cli.main import cli, exit_code\n"
    code += "import click\n@click.command('eat')\ndef eat(): bytearray(10 ** 15)\n"
    code += "cli.add_command(eat); cli.entries['eat'] = None; cli.get_command = lambda context, name: eat\n"
    code += "raise SystemExit(exit_code(['eat']))"
    done = run_python(code)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "memory" in done.stderr


# Clocks and rates.


class JumpingClock(FakeClock):
    """Steady seconds, and a wall clock that is set back by an hour and forward by years again and again."""

    def wall_time(self) -> float:
        return 1_700_000_000.0 + (-3600.0, 0.0, 1e9)[int(self.now * 7) % 3]


def test_a_wall_clock_that_jumps_changes_times_in_lines_and_nothing_else() -> None:
    clock = JumpingClock(step_seconds=0.001)

    class Source(EndlessSource):
        def read(self, timeout_seconds: float) -> Frame:
            frame = super().read(timeout_seconds)
            clock.now += 0.05
            return Frame(frame.image, frame.seq, clock.now, clock.wall_time(), "fake")

    seen: list[Observation] = []
    monitor = HealthMonitor(lambda: source.info, clock)
    source, keep = Source(picture()), Collector()
    pipeline = Pipeline(
        source,
        EachFrame(FakeDetector()),
        FakeClassifier(),
        [run_sink("keep", keep, Filling.WAIT, clock)],
        clock,
        limits=RunLimits(duration_seconds=10.0),
        note=lambda observation: (seen.append(observation), monitor.note(observation))[0],
    )
    report = pipeline.run(threading.Event())
    assert report.ending == "limit"
    assert 9.0 < report.seconds < 11.0
    health = monitor.snapshot()
    assert health.camera.up
    assert 10 < health.fps < 20
    assert all(0 <= one.timings.total_ms < 100 for one in seen)
    assert len({json.loads(json_line(one))["time"][:4] for one in seen}) == 2


def test_pictures_that_come_every_5_seconds_are_each_for_itself() -> None:
    # A face that nobody saw for longer than --forget-seconds may be another one.
    scene = Scene((Actor("happy", still(320, 240, 160)),), 6)
    follower, ids = tracker(), []
    for number in range(6):
        followed = follower.follow(Frame(scene.frame(number).image, number, number / 0.2, 0.0, "scene"))
        ids += [face.track_id for face in followed.faces]
    assert len(ids) == len(set(ids)) == 6


@pytest.mark.parametrize("fps", [1.0, 7.0, 30.0, 60.0, 240.0])
def test_a_face_keeps_its_id_at_any_rate(fps: float) -> None:
    scene = Scene((Actor("happy", still(320, 240, 160)),), 30)
    follower = tracker()
    smoother, ids = ScoreSmoother(0.3), []
    for number in range(30):
        made = scene.frame(number)
        followed = follower.follow(Frame(made.image, number, number / fps, 0.0, "scene"))
        for face in followed.faces:
            ids.append(face.track_id)
            shown = smoother.steady(face.track_id, scores_for("happy"), number / fps)
            assert sum(shown.scores.values) == pytest.approx(1.0)
    assert len(ids) >= 25
    assert len(set(ids)) == 1


@pytest.mark.parametrize("times", [[0, 1, 2, 1, 0, 1], [0, 0, 0, 0], [0, 1e9, 1, 2e9], [5, -1e6, 5.1, 5.2]], ids=str)
def test_frames_whose_times_jump_do_no_harm(times: list[float]) -> None:
    scene = Scene((Actor("happy", still(320, 240, 160)),), len(times))
    follower, smoother = tracker(), ScoreSmoother(0.3)
    found = 0
    for number, at in enumerate(times):
        followed = follower.follow(Frame(scene.frame(number).image, number, at, 0.0, "scene"))
        for face in followed.faces:
            found += 1
            shown = smoother.steady(face.track_id, scores_for("sad"), at)
            assert all(math.isfinite(value) for value in shown.scores.values)
            assert sum(shown.scores.values) == pytest.approx(1.0)
    assert found >= len(times) - 2


@pytest.mark.parametrize("fps", [0.2, 240.0])
def test_rates_of_a_camera_are_told_as_they_are(fps: float) -> None:
    clock = FakeClock()
    monitor = HealthMonitor(lambda: SourceInfo("fake", live=True, width=64, height=48, fps=fps), clock)
    from tests.fakes import observation

    for number in range(1000):
        clock.now += 1 / fps
        monitor.note(observation(seq=number))
    assert monitor.snapshot().fps == pytest.approx(fps, rel=0.02)


@pytest.mark.parametrize("seconds", [10.0])
def test_a_model_that_takes_10_s_a_call_loses_frames_and_no_count(seconds: float) -> None:
    clock = FakeClock()

    class Slow(FakeClassifier):
        def classify(self, crops):  # type: ignore[no-untyped-def]
            clock.now += seconds
            return super().classify(crops)

    from edge_fer.types import Box

    numbers = iter(range(0, 10_000, 300))

    class Camera(EndlessSource):
        def read(self, timeout_seconds: float) -> Frame:
            # At 30 frames per second, 300 came and went while the model was at work.
            return Frame(picture(), next(numbers), clock.now, 0.0, "fake")

    camera = Camera(picture())
    monitor = HealthMonitor(lambda: camera.info, clock)
    pipeline = Pipeline(
        camera,
        EachFrame(FakeDetector(Box(0, 0, 20, 20))),
        Slow(),
        [],
        clock,
        limits=RunLimits(max_frames=6),
        note=monitor.note,
    )
    report = pipeline.run(threading.Event())
    health = monitor.snapshot()
    assert (health.frames, health.frames_skipped) == (6, 5 * 299)
    assert report.tally.skipped == 5 * 299
    assert health.timings is not None
    assert health.timings.classify_ms == pytest.approx(1e4)
    assert health.stages["classify"].mean_ms == pytest.approx(1e4)
    # A loop that is at work is no camera that is down, until it is silent for longer than a call may take.
    clock.now += 60.0
    assert not monitor.snapshot().camera.up
