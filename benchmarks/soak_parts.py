"""What the long run is made of: a clock and a source for months in an hour, and sinks that work, fail or are slow."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

import cv2

from edge_fer.camera.demo import DemoSource, background
from edge_fer.errors import SinkError, SourceLost
from edge_fer.sinks.draw import annotate
from edge_fer.types import Frame, SourceInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.types import Image, Observation, View

WIDTH, HEIGHT = 160, 120
FPS = 30.0


class FastClock:
    """Real time, and a thirtieth of a second for each frame on top of it."""

    def __init__(self) -> None:
        self.frames = 0

    def monotonic(self) -> float:
        """Seconds, as many as the frames would have taken, and more."""
        return time.monotonic() + self.frames / FPS

    def wall_time(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return time.time() + self.frames / FPS


class FlappingSource:
    """The demo's pictures, small, until it is lost."""

    def __init__(self, pictures: Sequence[Image], frames: int, clock: FastClock) -> None:
        self._pictures, self._frames, self._clock, self._next = pictures, frames, clock, 0
        self.info = SourceInfo("pattern", live=True, width=WIDTH, height=HEIGHT, fps=FPS)

    def read(self, timeout_seconds: float) -> Frame:
        """Return the next frame at once."""
        if self._next == self._frames:
            raise SourceLost("pulled out")
        seq, self._next = self._next, self._next + 1
        self._clock.frames += 1
        picture = self._pictures[seq % len(self._pictures)]
        return Frame(picture, seq, self._clock.monotonic(), self._clock.wall_time(), "pattern")

    def close(self) -> None:
        """Nothing is held."""


class Nowhere(io.RawIOBase):
    """Takes bytes and keeps none."""

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: object, /) -> int:
        """Say that all were written."""
        return len(data)  # type: ignore[arg-type]


class FailingSink:
    """Fails at every write."""

    def write(self, observation: Observation) -> None:
        """Fail, each time with other words."""
        raise SinkError(f"no room for frame {observation.seq}")

    def close(self) -> None:
        """Fail once more."""
        raise SinkError("no room")


class SlowSink:
    """Takes longer for a picture than the loop."""

    def write_view(self, view: View) -> None:
        """Draw the faces, and rest."""
        annotate(view.image, view.observation)
        time.sleep(0.02)

    def close(self) -> None:
        """Nothing is held."""


def small_pictures() -> list[Image]:
    """Ten seconds, 160x120: one face comes, then two more, and for most of the time there is nobody."""
    demo, size = DemoSource(), (WIDTH, HEIGHT)
    shown = [demo.picture(seq) for seq in (*range(80), *range(200, 220))]
    pictures = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in shown]
    wall = cv2.resize(background()[:480, :640], size, interpolation=cv2.INTER_AREA)
    return [*pictures, *[wall] * 200]  # type: ignore[list-item]
