"""How late results are at the pace of a camera, and whether memory grows over many frames."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from loops import pipeline_of

from edge_fer.camera.demo import FPS, DemoSource
from edge_fer.sinks.runner import Filling, SystemClock, run_sink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loops import Look

    from edge_fer.protocols import Classifier
    from edge_fer.types import Frame, Observation

POINTS = 10
"""How often the memory is looked at."""


class _PaceClock:
    """The clock that paces the demo; its first frame is due when it first looks."""

    def __init__(self) -> None:
        self.began = 0.0

    def __call__(self) -> float:
        now = time.monotonic()
        self.began = self.began or now
        return now


class _LateSink:
    """Notes how long after a frame was due its result comes, until so many seconds of frames were seen."""

    def __init__(self, pace: _PaceClock, seconds: float, stop: threading.Event) -> None:
        self.late_ms: list[float] = []
        self._pace, self._seconds, self._stop = pace, seconds, stop

    def write(self, observation: Observation) -> None:
        due = observation.seq / FPS
        self.late_ms.append((time.monotonic() - self._pace.began - due) * 1e3)
        if due >= self._seconds:
            self._stop.set()

    def close(self) -> None:
        pass


def lateness_ms(classifier: Classifier, seconds: float) -> tuple[float, float]:
    """Median and 95th percentile of the milliseconds from when a frame was due to when a sink has its result.

    The demo is run at 30 frames a second, in real time; drawing a frame takes a part of it.
    """
    pace, stop = _PaceClock(), threading.Event()
    sink = _LateSink(pace, seconds, stop)
    runner = run_sink("late", sink, Filling.DROP_OLDEST, SystemClock())
    pipeline_of(DemoSource(repeat=True, realtime=True, monotonic=pace), classifier, runner).run(stop)
    return float(np.median(sink.late_ms)), float(np.quantile(sink.late_ms, 0.95))


def growth(frames: Sequence[Frame], look: Look, count: int) -> list[tuple[int, int]]:
    """Frames worked on and bytes of memory held, at ten points; the film runs to and fro.

    Empty where the system does not tell what a process holds.
    """
    order = [*frames, *reversed(frames)]
    points = []
    for number in range(count):
        look(replace(order[number % len(order)], seq=number, captured_at=number / FPS))
        held = held_bytes() if (number + 1) % max(1, count // POINTS) == 0 else None
        if held is not None:
            points.append((number + 1, held))
    return points


def held_bytes() -> int | None:
    """Memory that this process holds now; the most that it ever held would hide a slow leak behind earlier films."""
    if not sys.platform.startswith("linux"):
        return None
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), None)
