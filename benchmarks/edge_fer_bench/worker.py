"""One process a format: nothing of one engine disturbs the memory, the threads or the loading of another.

The parent tells the workers in turn what to do, one at a time, so that formats are interleaved on one machine.
"""

from __future__ import annotations

import contextlib
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from edge_fer.errors import EdgeFerError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

    from edge_fer.build import Streams
    from edge_fer.inference.manifest import Manifest
    from edge_fer.pipeline import Pipeline
    from edge_fer.protocols import Classifier
    from edge_fer.types import Image
    from edge_fer_bench.measuring import Faces, Turn


@dataclass(frozen=True, slots=True)
class Open:
    """Load the model with one thread count; the first time the engine too. Answer: `Opened`."""

    threads: int


@dataclass(frozen=True, slots=True)
class Opened:
    """How a load went."""

    load_ms: float
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Call:
    """Time calls with so many faces. Answer: milliseconds, float [calls]."""

    threads: int
    batch: int
    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Watch:
    """Run a film through the pipeline, from its beginning. Answer: `measuring.Turn`."""

    threads: int
    film: str
    frames: int


@dataclass(frozen=True, slots=True)
class Act:
    """Run a scene of `scenes.SCENES` through the pipeline, from its beginning. Answer: `measuring.Turn`."""

    threads: int
    scene: str
    frames: int


@dataclass(frozen=True, slots=True)
class Peak:
    """Answer: the most memory this process has held in bytes, or None."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Read whole pictures as faces. Answer: probabilities, float [N, labels]."""

    pictures: list[Image]


Task: TypeAlias = Open | Call | Watch | Act | Peak | Judge


class WorkerState:
    """What a worker keeps between tasks."""

    def __init__(self, model: Path, engine: str) -> None:
        self._model, self._engine = model, engine
        self._classifiers: dict[int, Classifier] = {}
        self._faces: Faces | None = None

    def answer(self, task: Task) -> Any:
        """Do one task."""
        match task:
            case Open():
                return self._open(task.threads)
            case Call():
                return self._call(task)
            case Watch():
                return self._watch(task)
            case Act():
                return self._act(task)
            case Peak():
                from edge_fer_bench.environment import peak_memory_bytes

                return peak_memory_bytes()
            case Judge():
                return self._judge(task.pictures)

    def _open(self, threads: int) -> Opened:
        from edge_fer.inference.manifest import read_manifest
        from edge_fer.inference.open_model import open_classifier

        began = time.perf_counter()
        classifier = open_classifier(self._model, self._engine, threads)
        load_ms = (time.perf_counter() - began) * 1e3
        self._classifiers[threads] = classifier
        return Opened(load_ms, read_manifest(self._model))

    def _call(self, task: Call) -> Any:
        from edge_fer_bench.measuring import demo_faces, time_calls

        use_threads(task.threads)
        self._faces = self._faces or demo_faces()
        return time_calls(self._classifiers[task.threads], self._faces, task.batch, task.calls, task.seconds)

    def _watch(self, task: Watch) -> Any:
        from edge_fer_bench.measuring import run_film

        pipeline = self._pipeline(task.film, task.threads)
        try:
            return run_film(pipeline, task.frames)
        finally:
            pipeline.close()

    def _act(self, task: Act) -> Turn:
        from edge_fer_bench.scenes import run_scene, scene

        pipeline = self._pipeline("demo", task.threads)
        try:
            pipeline.source.close()  # it would draw ahead, and its work would count
            turn, _ = run_scene(pipeline, scene(task.scene), task.frames)
        finally:
            pipeline.close()
        return turn

    def _pipeline(self, film: str, threads: int) -> Pipeline:
        import io

        from edge_fer.build import RunSettings, Streams, build_pipeline

        streams: Streams = Streams(io.BytesIO(), io.StringIO())
        settings = RunSettings(source=film, model=self._model, engine=self._engine, threads=threads)
        return build_pipeline(settings, streams)

    def _judge(self, pictures: list[Image]) -> Any:
        from edge_fer.evaluation.predicting import probabilities_of

        return probabilities_of(next(iter(self._classifiers.values())), pictures)


def use_threads(threads: int) -> None:
    """As in a run: OpenCV and the engine may each use as many."""
    import cv2

    cv2.setNumThreads(threads)


def serve(connection: Connection, model: Path, engine: str) -> None:
    """Answer tasks until the parent closes its end."""
    # Ctrl-C goes to the whole group of processes; the parent decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    state = WorkerState(model, engine)
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        try:
            message: tuple[bool, Any] = (True, state.answer(task))
        except EdgeFerError as error:
            message = (False, str(error))
        except MemoryError:
            message = (False, "memory ran out")
        except Exception as error:  # a fault in one format must not end the others
            message = (False, f"{type(error).__name__}: {error}")
        with contextlib.suppress(OSError):  # the parent has gone
            connection.send(message)
