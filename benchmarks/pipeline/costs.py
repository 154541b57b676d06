"""What the frame loop costs beside OpenCV and the engine, how late results are, and whether memory grows.

python benchmarks/pipeline/costs.py [--frames 100000] [--out FILE.json]
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from pathlib import Path
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import films
from compare import following

from edge_fer.camera.pattern import FPS, DemoSource
from edge_fer.errors import EndOfStream
from edge_fer.faces.haar import HaarFaceDetector, HaarSettings
from edge_fer.faces.looking import FaceLooker
from edge_fer.faces.tracking import FaceTracker
from edge_fer.pipeline import Pipeline
from edge_fer.scores.loading import open_classifier
from edge_fer.scores.smoothing import ScoreSmoother
from edge_fer.sinks.runner import Filling, SystemClock, run_sink
from edge_fer.types import SourceInfo

if TYPE_CHECKING:
    from edge_fer.protocols import Classifier, FrameSource
    from edge_fer.sinks.runner import SinkRunner
    from edge_fer.types import Frame, Observation


class NativeTime:
    """Adds up the time spent in OpenCV's and the engine's own functions, from the interpreter's events for C calls."""

    def __init__(self) -> None:
        self.seconds, self._began = 0.0, 0.0
        # OpenCV's functions do not say where they come from.
        self._opencv = {id(one) for one in vars(cv2).values() if isinstance(one, BuiltinFunctionType)}

    def __call__(self, frame: Any, event: str, function: Any) -> None:
        if event not in ("c_call", "c_return", "c_exception"):
            return
        # Methods are told by the class of their object, functions made with pybind11 by their module.
        owner = type(getattr(function, "__self__", None)).__module__
        packages = {owner.partition(".")[0], (getattr(function, "__module__", None) or "").partition(".")[0]}
        if packages.isdisjoint(("cv2", "ai_edge_litert", "onnxruntime")) and id(function) not in self._opencv:
            return
        if event == "c_call":
            self._began = time.thread_time()
        else:
            self.seconds += time.thread_time() - self._began


class FilmSource:
    """Gives the frames of a film, and notes the thread's CPU seconds whenever the loop comes for one."""

    def __init__(self, film: films.Film, native: NativeTime | None) -> None:
        self._film, self._native, self._next = film, native, 0
        height, width = film.frames[0].image.shape[:2]
        self.info = SourceInfo(film.name, live=False, width=width, height=height, fps=FPS)
        self.seconds: list[float] = []
        self.native_seconds: list[float] = []
        self._began: float | None = None

    def read(self, timeout_seconds: float) -> Frame:
        sys.setprofile(None)
        if self._began is not None:
            self.seconds.append(time.thread_time() - self._began)
            self.native_seconds.append(self._native.seconds if self._native else 0.0)
        if self._next == len(self._film.frames):
            raise EndOfStream("the film is over")
        frame = self._film.frames[self._next]
        self._next += 1
        frame.image.max()  # as a camera's frame, it is in the processor's cache
        if self._native is not None:
            self._native.seconds = 0.0
            sys.setprofile(self._native)
        self._began = time.thread_time()
        return frame

    def close(self) -> None:
        pass


class LastSink:
    """Takes observations and keeps the last."""

    def write(self, observation: Observation) -> None:
        self.last = observation

    def close(self) -> None:
        pass


def own_cost(film: films.Film, classifier: Classifier, rounds: int = 12) -> tuple[float, float]:
    """Median and 95th percentile of the CPU milliseconds a frame of the loop's thread outside OpenCV and the engine.

    The film is run twice a round, and the work is the same every time: once undisturbed for the whole time, once with
    the calls counted, for the time in OpenCV and in the engine alone. Of both each frame's least time over the rounds
    counts: what other work on the machine slows in one run and not in the other would look like the loop's own.
    From a frame's return to the next one's wanting: faces, crops, scores, tally, and handing over to a sink.
    """
    whole: list[list[float]] = []
    native: list[list[float]] = []
    for _ in range(rounds):
        undisturbed, counted = FilmSource(film, None), FilmSource(film, NativeTime())
        for source in (undisturbed, counted):
            runner = run_sink("last", LastSink(), Filling.DROP_OLDEST, SystemClock(), print)
            pipeline(source, classifier, runner).run(threading.Event())
        whole.append(undisturbed.seconds)
        native.append(counted.native_seconds)
    outside = (np.min(whole, axis=0) - np.min(native, axis=0)) * 1e3
    return float(np.median(outside)), float(np.quantile(outside, 0.95))


def pipeline(source: FrameSource, classifier: Classifier, runner: SinkRunner[Observation]) -> Pipeline:
    """The parts of `edge-fer run` with one sink."""
    tracker = FaceTracker(HaarFaceDetector(HaarSettings(min_neighbors=2)), FaceLooker(), min_face_px=48)
    return Pipeline(
        source,
        HaarFaceDetector(),
        classifier,
        [runner],
        SystemClock(),
        follower=tracker,
        smoother=ScoreSmoother(0.3),
    )


def lateness(classifier: Classifier, seconds: float) -> tuple[float, float]:
    """Median and 95th percentile of the milliseconds from when a frame was due to when a sink has its result."""
    source, late = DemoSource(repeat=True, realtime=True), []
    began: list[float] = []

    class Sink:
        def write(self, observation: Observation) -> None:
            now = time.monotonic()
            if not began:
                began.append(now - observation.seq / FPS - observation.timings.total_ms / 1e3)
            late.append((now - began[0] - observation.seq / FPS) * 1e3)

        def close(self) -> None:
            pass

    runner = run_sink("late", Sink(), Filling.DROP_OLDEST, SystemClock(), print)
    stop = threading.Event()
    threading.Timer(seconds, stop.set).start()
    pipeline(source, classifier, runner).run(stop)
    return float(np.median(late)), float(np.quantile(late, 0.95))


def growth(film: films.Film, classifier: Classifier, frames: int) -> list[tuple[int, int]]:
    """Frames worked on and memory held in KiB, at ten points; the film runs to and fro."""
    from dataclasses import replace

    look, order = following(classifier, "fast"), [*film.frames, *reversed(film.frames)]
    points = []
    for number in range(frames):
        look(replace(order[number % len(order)], seq=number, captured_at=number / FPS))
        if (number + 1) % max(1, frames // 10) == 0:
            points.append((number + 1, held_kib()))
    return points


def held_kib() -> int:
    """Memory that this process holds now; the most that it ever held would hide a slow leak behind earlier films."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=20_000, help="for the memory test")
    parser.add_argument("--out", type=Path, help="file of figures whose entry `costs` is renewed")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    classifier = open_classifier(None, "auto", 1)
    costs: dict[str, Any] = {"script": f"benchmarks/pipeline/costs.py --frames {arguments.frames}", "own_cpu_ms": {}}
    for film in (films.demo(1), films.demo(3), films.crowd(8)):
        middle, most = own_cost(film, classifier)
        costs["own_cpu_ms"][film.name] = {"p50": round(middle, 3), "p95": round(most, 3)}
        print(f"{film.name}: {middle:.3f} ms a frame outside OpenCV and the engine (p95 {most:.3f})", flush=True)
    middle, most = lateness(classifier, 20.0)
    print(f"demo at 30 FPS: results {middle:.1f} ms after the frame (p95 {most:.1f})", flush=True)
    costs["late_ms_at_30_fps"] = {"p50": round(middle, 1), "p95": round(most, 1)}
    costs["memory_mib"] = {}
    for frames, kib in growth(films.demo(1), classifier, arguments.frames):
        costs["memory_mib"][str(frames)] = round(kib / 1024, 1)
        print(f"after {frames} frames: {kib / 1024:.1f} MiB", flush=True)
    if arguments.out:
        films.renew(arguments.out, {"costs": costs})


if __name__ == "__main__":
    main()
