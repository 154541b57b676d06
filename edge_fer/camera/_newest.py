"""Newest frame wins: what cameras and streams have in common (filling DROP_OLDEST, reading EAGER)."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from edge_fer.background import BackgroundThread
from edge_fer.camera._opencv import Capture, read_picture_from
from edge_fer.errors import SourceError, SourceLost, SourceTimeout
from edge_fer.types import Frame, SourceInfo

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.types import Image

FAILURES_UNTIL_LOST = 5
"""Reads in a row that may give nothing before the source counts as lost; a frame damaged on the wire is one."""
PAUSE_AFTER_FAILURE_SECONDS = 0.02
CLOSE_SECONDS = 0.5
"""How long `close` waits for a read that is under way; with a stuck one, a run must still end within two seconds."""


class NewestFrameReader:
    """A `FrameSource` that reads a capture in a thread of its own and keeps the newest frame only.

    The thread opens, reads and releases the capture, for OpenCV lets no second thread touch it meanwhile; a call into
    the driver that never returns holds up that thread alone. `Frame.seq` counts captured frames: gaps are drops.
    """

    def __init__(
        self,
        open_capture: Callable[[], Capture],
        describe: Callable[[Capture], SourceInfo],
        hint: str,
        name: str,
        open_timeout_seconds: float | None,
        interrupt: Callable[[], None] = lambda: None,
        *,
        silence_seconds: float = 0.0,
    ) -> None:
        """Open the capture and wait for its first frame.

        Args:
            open_capture: makes the capture; runs in the reader's thread; may raise SourceError.
            describe: asks the opened capture what it gives.
            hint: what a user can do when no frame comes.
            name: of the source, without passwords.
            open_timeout_seconds: time allowed until the first frame is there; None does not wait, and `read` reports
                what came of it.
            interrupt: called by `close`, makes a read that is under way return; nothing where that is not possible.
            silence_seconds: how long nothing may come from such a source though all is well; see the attribute.

        Raises:
            SourceError: it could not be opened, or gave no frame in time.
        """
        self._open_capture, self._describe = open_capture, describe
        self._name, self._hint, self._interrupt = name, hint, interrupt
        self.silence_seconds = silence_seconds
        """How long nothing may come though all is well, where that is longer than of a camera: the frames of some
        streams come in lumps."""
        self._info = SourceInfo(name, live=True, width=None, height=None, fps=None)
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._captured = 0
        self._ended: SourceError | None = None
        self._closing = False
        self.dropped = 0
        """Frames that were replaced by a newer one before anybody read them."""
        self._thread = BackgroundThread(self._capture_frames, f"reader of {name}")
        self._thread.start()
        if open_timeout_seconds is None:
            return
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._ended is not None, open_timeout_seconds)
            problem = self._ended
            if self._newest is None and problem is None:
                problem = SourceError(f"no frame came from {name} within {open_timeout_seconds:g} s; {hint}")
        if self._captured == 0 and problem is not None:
            self.close()
            raise problem

    @property
    def info(self) -> SourceInfo:
        """What was asked for and what was obtained."""
        return self._info

    @property
    def released(self) -> bool:
        """Whether the thread has ended, so that the device is free; False while a read or an opening hangs."""
        return not self._thread.is_alive()

    def read(self, timeout_seconds: float) -> Frame:
        """Return the newest frame that was not read yet, waiting for one at most this long.

        Raises:
            SourceTimeout: none came in time.
            SourceLost: the source broke or was closed.
            SourceError: it could not be opened.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._ended is not None, timeout_seconds)
            if self._newest is not None:
                frame, self._newest = self._newest, None
                return frame
            if self._ended is not None:
                raise self._ended
        raise SourceTimeout(f"no frame from {self._name} within {timeout_seconds:g} s")

    def close(self) -> None:
        """Stop reading and release the capture; waits for half a second at most, and once.

        A driver call that is stuck ends with the process.
        """
        with self._changed:
            closed_before, self._closing = self._closing, True
            self._newest = None
            self._ended = self._ended or SourceLost(f"{self._name} was closed")
            self._changed.notify_all()
        if closed_before:
            return
        self._interrupt()
        if threading.current_thread() is not self._thread:
            self._thread.join(CLOSE_SECONDS)

    def _capture_frames(self) -> None:
        """Body of the thread: open, keep the newest frame, release."""
        try:
            capture = self._open_capture()
        except SourceError as error:
            self._end(error)
            return
        try:
            self._read_until_end(capture)
        except SourceError as error:
            self._end(error)
        except Exception as error:  # a fault in a driver's binding must reach the reader, not die with this thread
            self._end(SourceLost(f"reading {self._name} failed: {type(error).__name__}"))
        finally:
            capture.release()

    def _read_until_end(self, capture: Capture) -> None:
        failures = 0
        while not self._closing:
            image = read_picture_from(capture)
            if image is not None:
                failures = 0
                self._keep(image, capture)
                continue
            failures += 1
            if failures >= FAILURES_UNTIL_LOST:
                mute = SourceError(f"{self._name} was opened but gives no frames; {self._hint}")
                broken = SourceLost(f"{self._name} gives no more frames; check that it is connected")
                self._end(broken if self._captured else mute)
                return
            time.sleep(PAUSE_AFTER_FAILURE_SECONDS)

    def _keep(self, image: Image, capture: Capture) -> None:
        now = time.monotonic()
        if self._captured == 0:
            self._info = replace(self._describe(capture), width=int(image.shape[1]), height=int(image.shape[0]))
        frame = Frame(image, self._captured, now, time.time(), self._name)
        with self._changed:
            if self._closing:
                return
            self._captured += 1
            if self._newest is not None:
                self.dropped += 1
            self._newest = frame
            self._changed.notify_all()

    def _end(self, error: SourceError) -> None:
        with self._changed:
            self._ended = self._ended or error
            self._changed.notify_all()
