"""Two million frames through the loop, with all that a device does for months: memory, threads and handles stay flat.

    script/soak                          two million frames, about an hour
    python benchmarks/soak.py --frames 20000

The frames are the demo's, made small and kept, so that the time goes into the loop. The source is lost and opened
again and again; beside sinks that work, one fails at every write and one is too slow. A clock that takes a
thirtieth of a second per frame stands for the months.

What is held is measured at even distances. It counts as flat where the second half holds no more than the end of the
first quarter, give or take what the allocator keeps.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import logging
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
from soak_parts import FailingSink, FastClock, FlappingSource, Nowhere, SlowSink, small_pictures

from edge_fer.camera.supervisor import SupervisedSource
from edge_fer.detectors import FaceSettings, build_tracker
from edge_fer.faces.detector_settings import DetectorSettings
from edge_fer.inference.open_model import open_classifier
from edge_fer.inference.smoothing import ScoreSmoother
from edge_fer.pipeline import Pipeline, RunLimits
from edge_fer.sinks.csv import CsvSink
from edge_fer.sinks.health import HealthMonitor
from edge_fer.sinks.jsonl import JsonLinesSink
from edge_fer.sinks.runner import Filling, run_sink, run_view_sink
from edge_fer.sinks.status import StatusLine
from edge_fer.types import SourceInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.types import Observation

MEASUREMENTS = 200
ALLOWED_BYTES = 3_000_000
"""What the allocator may keep beside what is held."""


class Kept(logging.Handler):
    """Keeps what is logged."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__()
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one message."""
        self._messages.append(record.getMessage())


@dataclass(frozen=True, slots=True)
class Held:
    """What the process holds after so many frames."""

    frames: int
    memory_bytes: int
    threads: int
    handles: int
    objects: int
    """Containers that Python's collector tracks."""


def held(frames: int) -> Held:
    """Measure this process."""
    gc.collect()
    memory = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    handles = sum(1 for _ in Path("/proc/self/fd").iterdir())
    return Held(frames, memory, threading.active_count(), handles, len(gc.get_objects()))


def soak(frames: int, lost_every: int = 20_000, model: Path | None = None) -> tuple[list[Held], dict[str, object]]:
    """Run the loop and return what was held at even distances, and how the run went.

    Args:
        frames: how many, at least 8,000.
        lost_every: the source is lost after so many frames.
        model: a model file; None for the smallest bundled one.
    """
    cv2.setNumThreads(1)
    clock, pictures, messages = FastClock(), small_pictures(), list[str]()
    logging.getLogger("edge_fer").addHandler(Kept(messages))
    source = SupervisedSource(
        lambda: FlappingSource(pictures, lost_every, clock),
        SourceInfo("pattern", live=True, width=None, height=None, fps=None),
        stall_seconds=60.0,
        patience_seconds=60.0,
        clock=clock,
    )
    classifier = open_classifier(model or Path("nano"))
    health = HealthMonitor(lambda: source.info, clock)
    measured: list[Held] = []
    every = max(200, frames // MEASUREMENTS)
    seen = 0

    def note(observation: Observation) -> None:
        nonlocal seen
        health.note(observation)
        seen += 1
        if seen % every == 0:
            json.dumps(health.snapshot().as_record())
            measured.append(held(seen))

    nowhere, drop = Nowhere(), Filling.DROP_OLDEST
    terminal = io.TextIOWrapper(nowhere, write_through=True)
    sinks = [
        run_sink("json", JsonLinesSink(nowhere), drop, clock),
        run_sink("csv", CsvSink(nowhere, classifier.labels), drop, clock),
        run_sink("status", StatusLine(terminal, clock), Filling.NEWEST, clock),
        run_sink("failing", FailingSink(), drop, clock),
    ]
    slow = run_view_sink("slow", SlowSink(), drop, clock)
    health.watch([*sinks, slow])
    pipeline = Pipeline(
        source,
        build_tracker(FaceSettings("auto", DetectorSettings(min_face_px=24))),
        classifier,
        sinks,
        clock,
        view_sinks=[slow],
        limits=RunLimits(max_frames=frames, stall_seconds=None),
        smoother=ScoreSmoother(0.3),
        note=note,
    )
    began = time.monotonic()
    report = pipeline.run(threading.Event())
    pipeline.close()
    how: dict[str, object] = {
        "frames": report.tally.frames,
        "faces": report.tally.faces,
        "seconds": round(time.monotonic() - began, 1),
        "reopened": source.state.reopened,
        "dropped": report.dropped,
        "failures": report.failures,
        "messages": len(messages),
    }
    return measured, how


def growth(measured: Sequence[Held]) -> dict[str, int]:
    """By how much the most that the second half held is above the most of the first quarter after its warm-up."""
    quarter, half = len(measured) // 4, len(measured) // 2
    early, late = measured[quarter // 2 : quarter], measured[half:]
    names = ("memory_bytes", "threads", "handles", "objects")
    return {name: max(getattr(one, name) for one in late) - max(getattr(one, name) for one in early) for name in names}


def is_flat(grown: dict[str, int]) -> bool:
    """Whether nothing grew that grows without end in months."""
    return grown["memory_bytes"] <= ALLOWED_BYTES and grown["threads"] <= 1 and grown["handles"] <= 1


def main() -> None:
    """Run, print what was held, and end with 1 where something grew."""
    parser = argparse.ArgumentParser(description="Many frames through the loop; memory, threads and handles stay flat.")
    parser.add_argument("--frames", type=int, default=2_000_000)
    parser.add_argument("--lost-every", type=int, default=20_000, help="frames after which the source is lost")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--output", type=Path, help="write the measurements as JSON")
    given = parser.parse_args()
    measured, how = soak(given.frames, given.lost_every, given.model)
    grown = growth(measured)
    document = {"run": how, "growth": grown, "flat": is_flat(grown), "held": [asdict(one) for one in measured]}
    if given.output:
        given.output.write_text(json.dumps(document) + "\n")
    for one in measured[:: max(1, len(measured) // 20)]:
        print(f"{one.frames:>9} frames: {one.memory_bytes / 1e6:.1f} MB, {one.threads} threads, {one.handles} handles")
    print(json.dumps({"run": how, "growth": grown, "flat": is_flat(grown)}))
    sys.exit(not is_flat(grown))


if __name__ == "__main__":
    main()
