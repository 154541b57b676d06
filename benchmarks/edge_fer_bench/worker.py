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

    from edge_fer.assembly import Streams
    from edge_fer.inference.manifest import Manifest
    from edge_fer.pipeline import Pipeline
    from edge_fer.protocols import Classifier
    from edge_fer.types import Image
    from edge_fer_bench.judging import Judged
    from edge_fer_bench.measuring import Faces, Turn

ENDURED_FRAMES = 100
"""Frames in memory that are looked at over and over."""


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
    """Run a scene of `scenes.SCENES` through the pipeline, from its beginning. Answer: `Acted`."""

    threads: int
    scene: str
    frames: int


@dataclass(frozen=True, slots=True)
class Acted:
    """How a scene went."""

    turn: Turn
    judged: Judged
    """Nothing is due where the scene knows no truth."""
    delays_ms: tuple[float, ...]
    """From each face that has turned into another expression to its label."""


@dataclass(frozen=True, slots=True)
class Compete:
    """Run the loop and the plain one over a film in memory, in turns. Answer: `Competed`."""

    threads: int
    scene: str
    """One of `scenes.SCENES`, or the path of a video."""
    frames: int
    plain_every: int
    """The plain loop sees one of so many frames."""


@dataclass(frozen=True, slots=True)
class Competed:
    """How both fared; faces are counted on the frames that both saw."""

    following: Turn
    plain: Turn
    judged: Judged
    plain_judged: Judged


@dataclass(frozen=True, slots=True)
class OwnCost:
    """Measure what the loop costs beside OpenCV and the engine. Answer: p50 and p95 in milliseconds a frame."""

    threads: int
    scene: str
    frames: int
    rounds: int


@dataclass(frozen=True, slots=True)
class BeLate:
    """Run the demo at 30 frames a second. Answer: p50 and p95 of the milliseconds from frame to sink."""

    threads: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Endure:
    """Look at many frames. Answer: pairs of frames and bytes held."""

    threads: int
    frames: int


@dataclass(frozen=True, slots=True)
class Peak:
    """Answer: the most memory this process has held in bytes, or None."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Read whole pictures as faces. Answer: probabilities, float [N, labels]."""

    pictures: list[Image]


Task: TypeAlias = Open | Call | Watch | Act | Compete | OwnCost | BeLate | Endure | Peak | Judge


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
            case Compete():
                return self._compete(task)
            case OwnCost():
                return self._own_cost(task)
            case BeLate():
                from edge_fer_bench.endurance import lateness_ms

                use_threads(task.threads)
                return lateness_ms(self._classifiers[task.threads], task.seconds)
            case Endure():
                return self._endure(task)
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

    def _act(self, task: Act) -> Acted:
        from edge_fer_bench.judging import judged, label_delays_ms
        from edge_fer_bench.scenes import run_scene, scene

        pipeline, what = self._pipeline("demo", task.threads), scene(task.scene)
        try:
            pipeline.source.close()  # it would draw ahead, and its work would count
            turn, shown = run_scene(pipeline, what, task.frames)
        finally:
            pipeline.close()
        truth = [what.truth(what.untimed + number) for number in range(task.frames)]
        boxes = [[face.box for face in faces] for faces in truth]
        return Acted(turn, judged(boxes, shown), tuple(label_delays_ms(truth, shown)))

    def _compete(self, task: Compete) -> Competed:
        from edge_fer_bench.judging import judged
        from edge_fer_bench.loops import following, plain_loop, rivalry
        from edge_fer_bench.scenes import SCENES, no_faces, scene, video_frames

        use_threads(task.threads)
        classifier = self._classifiers[task.threads]
        what = scene(task.scene) if task.scene in SCENES else None
        frames = video_frames(task.scene, task.frames) if what is None else what.frames(task.frames)
        found = rivalry(following(classifier, "balanced"), plain_loop(classifier), frames, task.plain_every)
        both, truth = list(found.plain_shown), no_faces if what is None else what.truth
        boxes = [[face.box for face in truth(number)] for number in both]
        return Competed(
            found.following,
            found.plain,
            judged(boxes, [found.shown[number] for number in both]),
            judged(boxes, list(found.plain_shown.values())),
        )

    def _own_cost(self, task: OwnCost) -> tuple[float, float]:
        from edge_fer_bench.own_cost import own_cost_ms
        from edge_fer_bench.scenes import scene

        use_threads(task.threads)
        frames = [*scene(task.scene).frames(task.frames)]
        return own_cost_ms(frames, self._classifiers[task.threads], task.rounds)

    def _endure(self, task: Endure) -> list[tuple[int, int]]:
        from edge_fer_bench.endurance import growth
        from edge_fer_bench.loops import following
        from edge_fer_bench.scenes import ONE_FACE, scene

        use_threads(task.threads)
        frames = [*scene(ONE_FACE).frames(ENDURED_FRAMES)]
        return growth(frames, following(self._classifiers[task.threads], "balanced"), task.frames)

    def _pipeline(self, film: str, threads: int) -> Pipeline:
        import io

        from edge_fer.assembly import RunSettings, Streams, build_pipeline

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
