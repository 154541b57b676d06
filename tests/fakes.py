"""Parts that behave as asked, for tests that hand them to the code instead of patching it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from edge_fer.errors import EndOfStream, SourceTimeout
from edge_fer.types import (
    FER_LABELS,
    Batch,
    Box,
    Face,
    Frame,
    Image,
    InputSpec,
    Observation,
    ScoredFace,
    Scores,
    SourceInfo,
    Timings,
    View,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_fer.picture import Picture

GREY_48 = InputSpec(48, 48, "grey", (0.0,), (255.0,))


class FakeClock:
    """Time that moves on request, and by `step_seconds` whenever somebody looks."""

    def __init__(self, step_seconds: float = 0.0) -> None:
        self.now = 100.0
        self.step_seconds = step_seconds

    def monotonic(self) -> float:
        self.now += self.step_seconds
        return self.now

    def wall_time(self) -> float:
        return 1_700_000_000.0 + self.now


class FakeSource:
    """Gives the pictures it was made with; an exception among them is raised in its turn."""

    def __init__(self, items: Sequence[Image | Exception], *, live: bool = False, fps: float | None = 25.0) -> None:
        self._items, self._next = list(items), 0
        self.closed = 0
        self.info = SourceInfo("fake", live, 64, 48, fps, frame_count=None if live else len(items))

    def read(self, timeout_seconds: float) -> Frame:
        if self._next >= len(self._items):
            raise EndOfStream("the fake has no more")
        seq, self._next = self._next, self._next + 1
        item = self._items[seq]
        if isinstance(item, Exception):
            raise item
        return Frame(item, seq, seq / 25.0, 1_700_000_000.0 + seq, "fake")

    def close(self) -> None:
        self.closed += 1


class EndlessSource(FakeSource):
    """Gives the same picture for ever, and time-outs where it has none."""

    def __init__(self, image: Image | None, *, live: bool = True) -> None:
        super().__init__([], live=live)
        self._image = image

    def read(self, timeout_seconds: float) -> Frame:
        if self._image is None:
            raise SourceTimeout("nothing yet")
        seq, self._next = self._next, self._next + 1
        return Frame(self._image, seq, seq / 25.0, 1_700_000_000.0, "fake")


class FakeDetector:
    """Finds the boxes it was made with in every picture."""

    def __init__(self, *boxes: Box) -> None:
        self.boxes = boxes
        self.seen: list[tuple[int, ...]] = []

    def detect(self, picture: Picture) -> list[Face]:
        self.seen.append(picture.grey.shape)
        return [Face(box) for box in self.boxes]


class FakeClassifier:
    """Calls every face the same; keeps the batches that it was given."""

    def __init__(self, emotion: str = "happy", spec: InputSpec = GREY_48, error: Exception | None = None) -> None:
        self.labels, self.input_spec = FER_LABELS, spec
        self.batches: list[Batch] = []
        self.closed = 0
        self._scores, self._error = scores_for(emotion), error

    def classify(self, crops: Batch) -> list[Scores]:
        self.batches.append(crops)
        if self._error is not None:
            raise self._error
        return [self._scores] * len(crops)

    def close(self) -> None:
        self.closed += 1


class Collector:
    """A sink that keeps what it was given, and fails as asked."""

    def __init__(self, before: Callable[[int], None] = lambda number: None) -> None:
        self.items: list[Observation | View] = []
        self.closed = 0
        self.calls = 0
        self._before = before

    def write(self, item: Observation | View) -> None:
        self.calls += 1
        self._before(self.calls)
        self.items.append(item)

    def write_view(self, view: View) -> None:
        self.write(view)

    def close(self) -> None:
        self.closed += 1


class Gate:
    """Holds a sink in its write until it is opened."""

    def __init__(self) -> None:
        self.entered, self._open = threading.Event(), threading.Event()

    def __call__(self, number: int) -> None:
        self.entered.set()
        self._open.wait(10)

    def open(self) -> None:
        self._open.set()


def scores_for(emotion: str, score: float = 0.7) -> Scores:
    rest = (1.0 - score) / (len(FER_LABELS) - 1)
    return Scores(FER_LABELS, tuple(score if label == emotion else rest for label in FER_LABELS))


def scored_face(box: Box, emotion: str = "happy", score: float = 0.7, track_id: int | None = None) -> ScoredFace:
    scores = scores_for(emotion, score)
    return ScoredFace(Face(box, track_id=track_id), scores, scores, emotion)


def observation(*faces: ScoredFace, seq: int = 0, captured_at: float | None = None) -> Observation:
    at = seq / 25.0 if captured_at is None else captured_at
    return Observation(seq, at, 1_700_000_000.25, "fake", 640, 480, faces, Timings(10.0, 0.5, 10.5))


def picture(width: int = 64, height: int = 48, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
