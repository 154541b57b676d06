"""What the frame loop costs beside OpenCV and the engine."""

from __future__ import annotations

import sys
import threading
import time
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from loops import pipeline_of

from edge_fer.camera.demo import FPS
from edge_fer.errors import EndOfStream
from edge_fer.sinks.runner import Filling, SystemClock, run_sink
from edge_fer.types import SourceInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.protocols import Classifier
    from edge_fer.types import Frame, Observation

ENGINES = ("cv2", "ai_edge_litert", "tflite_runtime", "onnxruntime")


class NativeTime:
    """Adds up the time spent in OpenCV's and the engine's own functions, from the interpreter's events for C calls."""

    def __init__(self) -> None:
        self.seconds, self._began = 0.0, 0.0
        # OpenCV's functions do not say where they come from.
        self._opencv = {id(one) for one in vars(cv2).values() if isinstance(one, BuiltinFunctionType)}

    def __call__(self, frame: Any, event: str, function: Any) -> None:
        """Take an event of `sys.setprofile`."""
        if event not in ("c_call", "c_return", "c_exception"):
            return
        # Methods are told by the class of their object, functions made with pybind11 by their module.
        owner = type(getattr(function, "__self__", None)).__module__
        packages = {owner.partition(".")[0], (getattr(function, "__module__", None) or "").partition(".")[0]}
        if packages.isdisjoint(ENGINES) and id(function) not in self._opencv:
            return
        if event == "c_call":
            self._began = time.thread_time()
        else:
            self.seconds += time.thread_time() - self._began


class FilmSource:
    """Gives frames from memory, and notes the thread's CPU seconds whenever the loop comes for one."""

    def __init__(self, frames: Sequence[Frame], native: NativeTime | None) -> None:
        self._frames, self._native, self._next = frames, native, 0
        self.info = SourceInfo("film", live=False, width=frames[0].width, height=frames[0].height, fps=FPS)
        self.seconds: list[float] = []
        self.native_seconds: list[float] = []
        self._began: float | None = None

    def read(self, timeout_seconds: float) -> Frame:
        """Return the next frame.

        Raises:
            EndOfStream: all frames were seen.
        """
        sys.setprofile(None)
        if self._began is not None:
            self.seconds.append(time.thread_time() - self._began)
            self.native_seconds.append(self._native.seconds if self._native else 0.0)
        if self._next == len(self._frames):
            raise EndOfStream("the film is over")
        frame = self._frames[self._next]
        self._next += 1
        frame.image.max()  # as a camera's frame, it is in the processor's cache
        if self._native is not None:
            self._native.seconds = 0.0
            sys.setprofile(self._native)
        self._began = time.thread_time()
        return frame

    def close(self) -> None:
        """Do nothing."""


class _LastSink:
    def write(self, observation: Observation) -> None:
        self.last = observation

    def close(self) -> None:
        pass


def own_cost_ms(frames: Sequence[Frame], classifier: Classifier, rounds: int) -> tuple[float, float]:
    """Median and 95th percentile of the CPU milliseconds a frame of the loop's thread outside OpenCV and the engine.

    The film is run twice a round, and the work is the same every time: once undisturbed for the whole time, once with
    the calls counted, for the time in OpenCV and in the engine alone. Of both each frame's least time over the rounds
    counts: what other work on the machine slows in one run and not in the other would look like the loop's own.
    From a frame's return to the next one's wanting: faces, crops, scores, tally, and handing over to a sink.

    Args:
        frames: the film, at least one frame.
        classifier: reads the faces; it stays open.
        rounds: 1 or more.
    """
    whole: list[list[float]] = []
    native: list[list[float]] = []
    for _ in range(rounds):
        undisturbed, counted = FilmSource(frames, None), FilmSource(frames, NativeTime())
        for source in (undisturbed, counted):
            runner = run_sink("last", _LastSink(), Filling.DROP_OLDEST, SystemClock())
            pipeline_of(source, classifier, runner).run(threading.Event())
        whole.append(undisturbed.seconds)
        native.append(counted.native_seconds)
    outside = (np.min(whole, axis=0) - np.min(native, axis=0)) * 1e3
    return float(np.median(outside)), float(np.quantile(outside, 0.95))
