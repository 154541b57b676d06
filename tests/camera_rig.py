"""A camera with a plug under supervision, and time that only a test lets pass."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from edge_fer.camera.supervisor import SupervisedSource
from edge_fer.errors import SourceError, SourceLost, SourceTimeout
from edge_fer.types import Frame, SourceInfo
from tests.camera_fakes import picture
from tests.fakes import FakeClock
from tests.logs import kept_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_fer.types import Image

LONG = 20.0
STALL, PATIENCE = 5.0, 10.0


class FakeCamera:
    """A camera with a plug: each opening gives a fresh source that counts from 0."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.plugged = True
        self.gives: Callable[[int], Image | Exception | None] = picture
        """The picture of a number, an error to raise, or None for no frame in time."""
        self.may_open = threading.Event()
        self.may_open.set()
        self.opened_at: list[float] = []
        self.sources: list[FakeOpened] = []
        self.given = 0

    def open(self) -> FakeOpened:
        self.opened_at.append(self.clock.now)
        assert self.may_open.wait(LONG)
        if not self.plugged:
            raise SourceError("no camera 7")
        self.sources.append(FakeOpened(self))
        return self.sources[-1]


class FakeOpened:
    """One opening of the camera."""

    def __init__(self, camera: FakeCamera) -> None:
        self.camera, self.count, self.closed = camera, 0, 0
        self.info = SourceInfo("camera 7", True, 64, 48, 15.0)
        self.released = True

    def read(self, timeout_seconds: float) -> Frame:
        if self.closed:
            raise SourceLost("camera 7 was closed")
        if not self.camera.plugged:
            raise SourceLost("camera 7 gives no more frames")
        image = self.camera.gives(self.camera.given)
        if image is None:
            raise SourceTimeout("nothing in time")
        if isinstance(image, Exception):
            raise image
        self.camera.given += 1
        self.count += 1
        return Frame(image, self.count - 1, self.camera.clock.now, 0.0, "camera 7")

    def close(self) -> None:
        self.closed += 1


class Rig:
    """A camera under supervision, and time."""

    def __init__(self, *, open_already: bool = True, device: Path | None = None) -> None:
        self.clock = FakeClock()
        self.camera = FakeCamera(self.clock)
        self.told: list[str] = []
        self.seqs: list[int] = []
        self.source = SupervisedSource(
            self.camera.open,
            SourceInfo("camera 7", True, None, None, None, 640, 480, 30.0),
            stall_seconds=STALL,
            patience_seconds=PATIENCE,
            clock=self.clock,
            log=kept_in(self.told),
            first=self.camera.open() if open_already else None,
            device=None if device is None else lambda: device,
        )

    def read(self) -> Frame | None:
        """One read; None where there was nothing."""
        try:
            frame = self.source.read(0.001)
        except SourceTimeout:
            return None
        self.seqs.append(frame.seq)
        return frame

    def settle(self) -> None:
        """Read without time passing until no thread is at work; what can be done at this moment is done."""
        for _ in range(3):
            self.read()
            for thread in threading.enumerate():
                if thread.name in ("open camera 7", "close camera 7") and self.camera.may_open.is_set():
                    thread.join(LONG)

    def spend(self, seconds: float, step: float = 0.5) -> None:
        """Let time pass and read all the while."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.clock.now += step
            self.settle()
