"""Files read ahead: the next frames are decoded in a thread of their own while the last ones are worked on."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from edge_fer.background import BackgroundThread
from edge_fer.errors import SourceLost, SourceTimeout

if TYPE_CHECKING:
    from edge_fer.protocols import FrameSource
    from edge_fer.types import Frame, SourceInfo

FRAMES_AHEAD = 3
"""Frames that may wait; more would only hold memory."""

READ_SECONDS = 0.2
"""How long one read of the source may wait, and so how late it may notice that it is to be closed."""

CLOSE_SECONDS = 0.5
"""How long `close` waits for a read that is under way; with a stuck one, a run must still end within two seconds."""


class ReadAhead:
    """A `FrameSource` that reads another one in a thread: every frame comes, in order, and no error is lost."""

    def __init__(self, source: FrameSource, frames_ahead: int = FRAMES_AHEAD) -> None:
        """Prepare; the thread starts with the first read.

        Args:
            source: gives the frames; read and closed by the thread once that runs.
            frames_ahead: frames that may wait, at least 1.
        """
        self._source, self._frames_ahead = source, max(1, frames_ahead)
        self._waiting: deque[Frame] = deque()
        self._problem: Exception | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._thread: BackgroundThread | None = None

    @property
    def info(self) -> SourceInfo:
        """That of the source."""
        return self._source.info

    def read(self, timeout_seconds: float) -> Frame:
        """Return the next frame.

        Raises:
            SourceTimeout: none came in time.
            SourceLost: it was closed.
            Exception: whatever the source raised, once the frames before it are read.
        """
        with self._changed:
            if self._thread is None and not self._closing:
                self._thread = BackgroundThread(self._work, "read ahead")
                self._thread.start()
            self._changed.wait_for(lambda: self._waiting or self._problem or self._closing, timeout_seconds)
            if self._waiting:
                frame = self._waiting.popleft()
                self._changed.notify_all()
                return frame
            if self._problem is not None:
                raise self._problem
            if self._closing:
                raise SourceLost(f"{self._source.info.name} was closed")
        raise SourceTimeout(f"no frame from {self._source.info.name} within {timeout_seconds:g} s")

    def close(self) -> None:
        """Stop reading and close the source; may be called more than once."""
        with self._changed:
            self._closing = True
            self._waiting.clear()
            self._changed.notify_all()
        if self._thread is None:
            self._source.close()
        else:
            self._thread.join(CLOSE_SECONDS)

    def _work(self) -> None:
        try:
            while self._may_read():
                try:
                    frame = self._source.read(READ_SECONDS)
                except SourceTimeout:
                    continue
                with self._changed:
                    if not self._closing:
                        self._waiting.append(frame)
                    self._changed.notify_all()
        except Exception as exc:  # it is raised again where the frames are read
            with self._changed:
                self._problem = exc
                self._changed.notify_all()
        finally:
            # A capture must not be released while another thread reads it.
            self._source.close()

    def _may_read(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._closing or len(self._waiting) < self._frames_ahead)
            return not self._closing
