"""The clock around the runtime's own code: what a worker does in one turn of one format."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_fer.errors import EndOfStream, SourceTimeout
from edge_fer.faces.crop import crop_faces

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_fer.evaluation.metrics import Floats
    from edge_fer.pipeline import Pipeline
    from edge_fer.protocols import Classifier
    from edge_fer.types import Box, Image

READ_SECONDS = 0.2
STALL_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn on a film: sums over its frames."""

    frames: int
    faces: int
    wall_seconds: float
    cpu_seconds: float
    read_seconds: float
    detect_seconds: float
    classify_seconds: float


@dataclass(frozen=True, slots=True)
class Faces:
    """Pictures with the boxes of the faces to read in them."""

    pictures: tuple[Image, ...]
    """Grey uint8 [height, width]."""
    boxes: tuple[tuple[Box, ...], ...]
    """At least one a picture."""


def demo_faces(every: int = 15) -> Faces:
    """Faces of the built-in demo where it says they are, in grey frames with three faces each."""
    import cv2

    from edge_fer.camera.demo import FRAMES, SCENE_FRAMES, DemoSource

    demo = DemoSource()
    numbers = range(2 * SCENE_FRAMES, FRAMES, every)
    pictures = tuple(np.asarray(cv2.cvtColor(demo.picture(one), cv2.COLOR_BGR2GRAY), np.uint8) for one in numbers)
    return Faces(pictures, tuple(tuple(face.box for face in demo.truth(one)) for one in numbers))


def time_calls(
    classifier: Classifier,
    faces: Faces,
    batch: int,
    calls: int,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> Floats:
    """Milliseconds of each call from boxes to scores: `calls` at least, and for `seconds` at least.

    A call reads `batch` faces of one picture, as the pipeline does; pictures take turns, so that no crop stays in
    the cache from call to call.
    """
    spec = classifier.input_spec
    chosen = [_so_many(boxes, batch) for boxes in faces.boxes]
    taken: list[float] = []
    began = clock()
    while len(taken) < calls or clock() - began < seconds:
        place = len(taken) % len(chosen)
        start = clock()
        classifier.classify(crop_faces(faces.pictures[place], chosen[place], spec))
        taken.append((clock() - start) * 1e3)
    return np.asarray(taken, np.float64)


def run_film(
    pipeline: Pipeline,
    most_frames: int,
    clock: Callable[[], float] = time.perf_counter,
    cpu_clock: Callable[[], float] = time.process_time,
) -> Turn:
    """Look at up to so many frames of the pipeline's source with its own step; stages as the pipeline times them.

    Raises:
        SourceTimeout: no frame came for `STALL_SECONDS`.
        SourceError: the source broke.
        ModelError: the engine failed.
    """
    frames = faces = 0
    read = detect = classify = 0.0
    began_cpu, began = cpu_clock(), clock()
    now = heard = began
    while frames < most_frames:
        try:
            frame = pipeline.source.read(READ_SECONDS)
        except SourceTimeout:
            if clock() - heard > STALL_SECONDS:
                raise
            continue
        except EndOfStream:
            break
        heard = clock()
        read += heard - now
        seen = pipeline.step(frame)
        detect += seen.timings.detect_ms
        classify += seen.timings.classify_ms
        faces += len(seen.faces)
        frames += 1
        now = clock()
    return Turn(frames, faces, now - began, cpu_clock() - began_cpu, read, detect / 1e3, classify / 1e3)


def _so_many(boxes: Sequence[Box], count: int) -> list[Box]:
    return [boxes[place % len(boxes)] for place in range(count)]
