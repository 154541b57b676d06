from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

from edge_fer.sinks.health import BUCKET_SECONDS, Board, CameraHealth, HealthMonitor, SinkHealth
from edge_fer.types import Box, Observation, SourceInfo, Timings
from tests.fakes import FakeClock, observation, scored_face

INFO = SourceInfo("camera 0", True, 640, 480, 30.0)


class Counts:
    name, written, dropped, failures, lost, connected = "mqtt", 7, 2, 1, 3, True


def monitor(clock: FakeClock, **settings: object) -> HealthMonitor:
    return HealthMonitor(lambda: INFO, clock, engine="litert", model="small fp32", **settings)  # type: ignore[arg-type]


def took(seq: int, detect_ms: float, classify_ms: float) -> Observation:
    return replace(observation(seq=seq), timings=Timings(detect_ms, classify_ms, detect_ms + classify_ms))


def test_before_the_first_frame_the_camera_is_down_and_nothing_is_counted() -> None:
    clock = FakeClock()
    made = monitor(clock)
    clock.now += 3.0
    health = made.snapshot()
    assert health.camera == CameraHealth("camera 0", live=True, up=False, since_seconds=3.0, tried=False)
    assert (health.frames, health.fps, health.last_frame_seconds, health.timings) == (0, 0.0, None, None)
    assert health.stages["total"].mean_ms is None
    assert health.uptime_seconds == 3.0


def test_frames_faces_gaps_and_rate_are_counted() -> None:
    clock = FakeClock()
    made = monitor(clock)
    for seq in (0, 1, 5):
        clock.now += 0.1
        made.note(observation(scored_face(Box(0, 0, 9, 9)), seq=seq))
    health = made.snapshot()
    assert (health.frames, health.frames_skipped, health.faces) == (3, 3, 1)
    assert health.fps == pytest.approx(10.0)
    assert health.dropped == {"camera": 3}
    assert health.timings == Timings(10.0, 0.5, 10.5)


def test_each_duration_falls_into_one_bucket() -> None:
    made = monitor(FakeClock())
    made.note(took(0, 10.0, 0.1))
    made.note(took(1, 10.1, 5_000.0))
    stages = made.snapshot().stages
    assert stages["detect"].buckets[BUCKET_SECONDS.index(0.01)] == 1  # a bound belongs to its own bucket
    assert stages["detect"].buckets[BUCKET_SECONDS.index(0.025)] == 1
    assert stages["classify"].buckets[0] == 1
    assert stages["classify"].buckets[-1] == 1
    assert stages["detect"].sum_seconds == pytest.approx(0.0201)
    assert stages["detect"].mean_ms == pytest.approx(10.05)
    assert all(sum(stage.buckets) == stage.count == 2 for stage in stages.values())


def test_a_camera_that_falls_silent_is_down_and_comes_up_again() -> None:
    clock = FakeClock()
    made = monitor(clock)
    made.note(observation(seq=0))
    clock.now += 4.0
    made.note(observation(seq=1))
    assert made.snapshot().camera.since_seconds == 4.0
    clock.now += 60.0
    silent = made.snapshot()
    assert (silent.camera.up, silent.camera.since_seconds, silent.fps) == (False, 60.0, 0.0)
    made.note(observation(seq=2))
    clock.now += 1.0
    assert (made.snapshot().camera.up, made.snapshot().camera.since_seconds) == (True, 1.0)


def test_a_source_that_knows_its_state_is_believed() -> None:
    state = CameraHealth("usb", live=True, up=False, since_seconds=9.0, reopened=3, problem="unplugged")
    made = monitor(FakeClock(), camera=lambda: state)
    made.note(observation(seq=0))
    assert made.snapshot().camera is state


def test_sinks_and_board_are_told() -> None:
    board = Board(61.5, ("under-voltage",), ())
    made = monitor(FakeClock(), board=lambda: board)
    made.watch([Counts()])
    health = made.snapshot()
    assert health.sinks == (SinkHealth("mqtt", 7, 2, 4, connected=True),)
    assert health.dropped == {"mqtt": 2}
    assert health.board is board


def test_the_record_is_json_without_buckets() -> None:
    made = monitor(FakeClock())
    made.watch([Counts()])
    made.note(observation(seq=0))
    record = json.loads(json.dumps(made.snapshot().as_record(), allow_nan=False))
    assert record["stages"] == {"detect": 10.0, "classify": 0.5, "total": 10.5}
    assert record["camera"]["up"] is True
    assert record["board"]["temperature_celsius"] is None
    assert record["dropped"] == {"mqtt": 2}


def test_snapshots_from_other_threads_are_whole() -> None:
    made = monitor(FakeClock())
    stop, torn = threading.Event(), list[object]()

    def look() -> None:
        while not stop.is_set():
            health = made.snapshot()
            if any(sum(stage.buckets) != health.frames for stage in health.stages.values()):
                torn.append(health)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for seq in range(3000):
        made.note(observation(seq=seq))
    stop.set()
    for thread in threads:
        thread.join()
    assert torn == []
    assert made.snapshot().frames == 3000
