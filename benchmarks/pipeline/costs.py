"""What the frame loop costs beside OpenCV and the engine, how late results are, and whether memory grows.

python benchmarks/pipeline/costs.py [--frames 100000]
"""

from __future__ import annotations

import argparse
import resource
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import films
from compare import following

from edge_fer.camera.pattern import FPS, DemoSource
from edge_fer.faces.haar import HaarFaceDetector, HaarSettings
from edge_fer.faces.looking import FaceLooker
from edge_fer.faces.tracking import FaceTracker
from edge_fer.pipeline import Pipeline
from edge_fer.scores.loading import open_classifier
from edge_fer.scores.smoothing import ScoreSmoother
from edge_fer.sinks.runner import Filling, SystemClock, run_sink

if TYPE_CHECKING:
    from edge_fer.types import Batch, Classifier, Observation, Scores


class TimedClassifier:
    """Adds up the time spent in the engine."""

    def __init__(self, inner: Classifier) -> None:
        self._inner, self.seconds = inner, 0.0
        self.labels, self.input_spec = inner.labels, inner.input_spec

    def classify(self, crops: Batch) -> list[Scores]:
        began = time.thread_time()
        scores = self._inner.classify(crops)
        self.seconds += time.thread_time() - began
        return scores

    def close(self) -> None:
        self._inner.close()


class OpencvTime:
    """Adds up the time spent in OpenCV's functions, from the interpreter's own events for C calls."""

    def __init__(self) -> None:
        self.seconds, self._began = 0.0, 0.0

    def __call__(self, frame: Any, event: str, function: Any) -> None:
        if event not in ("c_call", "c_return", "c_exception"):
            return
        owner = getattr(function, "__self__", None)
        if type(owner).__module__ != "cv2" and getattr(owner, "__name__", "") != "cv2":
            return
        if event == "c_call":
            self._began = time.thread_time()
        else:
            self.seconds += time.thread_time() - self._began


def own_cost(film: films.Film, classifier: Classifier) -> tuple[float, float]:
    """Median and 95th percentile of the CPU milliseconds a frame outside OpenCV and the engine.

    The film is worked on twice, and the work is the same both times: once undisturbed for the whole time, once with
    the calls counted, for the time in OpenCV and in the engine alone.
    """
    plain, outside = following(classifier, "balanced"), []
    timed, opencv = TimedClassifier(classifier), OpencvTime()
    counted = following(timed, "balanced")
    for frame in film.frames:
        began = time.thread_time()
        plain(frame)
        total = time.thread_time() - began
        opencv.seconds = timed.seconds = 0.0
        sys.setprofile(opencv)
        counted(frame)
        sys.setprofile(None)
        outside.append((total - opencv.seconds - timed.seconds) * 1e3)
    return float(np.median(outside)), float(np.quantile(outside, 0.95))


def lateness(classifier: Classifier, seconds: float) -> tuple[float, float]:
    """Median and 95th percentile of the milliseconds from when a frame was due to when a sink has its result."""
    source, clock, late = DemoSource(repeat=True, realtime=True), SystemClock(), []
    began: list[float] = []

    class Sink:
        def write(self, observation: Observation) -> None:
            now = time.monotonic()
            if not began:
                began.append(now - observation.seq / FPS - observation.timings.total_ms / 1e3)
            late.append((now - began[0] - observation.seq / FPS) * 1e3)

        def close(self) -> None:
            pass

    tracker = FaceTracker(HaarFaceDetector(HaarSettings(min_neighbors=2)), FaceLooker(), min_face_px=48)
    runner = run_sink("late", Sink(), Filling.DROP_OLDEST, clock, print)
    pipeline = Pipeline(
        source, HaarFaceDetector(), classifier, [runner], clock, follower=tracker, smoother=ScoreSmoother(0.3)
    )
    stop = threading.Event()
    threading.Timer(seconds, stop.set).start()
    pipeline.run(stop)
    return float(np.median(late)), float(np.quantile(late, 0.95))


def growth(film: films.Film, classifier: Classifier, frames: int) -> list[tuple[int, int]]:
    """Frames worked on and highest memory so far in KiB, at ten points; the film runs to and fro."""
    from dataclasses import replace

    look, order = following(classifier, "fast"), [*film.frames, *reversed(film.frames)]
    points = []
    for number in range(frames):
        look(replace(order[number % len(order)], seq=number, captured_at=number / FPS))
        if (number + 1) % max(1, frames // 10) == 0:
            points.append((number + 1, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
    return points


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=20_000, help="for the memory test")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    classifier = open_classifier(None, "auto", 1)
    for film in (films.demo(1), films.demo(3)):
        middle, most = own_cost(film, classifier)
        print(f"{film.name}: {middle:.3f} ms a frame outside OpenCV and the engine (p95 {most:.3f})", flush=True)
    middle, most = lateness(classifier, 20.0)
    print(f"demo at 30 FPS: results {middle:.1f} ms after the frame (p95 {most:.1f})", flush=True)
    for frames, kib in growth(films.demo(1), classifier, arguments.frames):
        print(f"after {frames} frames: {kib / 1024:.1f} MiB at most", flush=True)


if __name__ == "__main__":
    main()
