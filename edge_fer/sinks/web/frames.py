"""The live picture: the newest frame, encoded once however many look, and not at all where nobody does."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from edge_fer.background import BackgroundThread
from edge_fer.sinks.outages import Outages
from edge_fer.sinks.web.threads import lower_priority

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.protocols import Clock
    from edge_fer.types import View

log = logging.getLogger("edge_fer.web")


class PictureFeed:
    """Takes frames from the loop and gives encoded pictures to the server, in a thread of its own."""

    def __init__(
        self,
        encode: Callable[[View], bytes],
        publish: Callable[[bytes], None],
        clock: Clock,
        *,
        fps: float,
    ) -> None:
        """Start the thread, which sleeps until somebody looks.

        Args:
            encode: makes a picture of a frame; called in the feed's thread.
            publish: takes each picture; called in the feed's thread.
            clock: for the rate.
            fps: pictures per second at most.
        """
        self._encode, self._publish, self._clock = encode, publish, clock
        self._outages = Outages(log, clock.monotonic)
        self._pause_seconds = 1.0 / fps
        self._newest: View | None = None
        self._fresh = False
        self._viewers = 0
        self._closing = False
        self.encoded = 0
        """Pictures made so far."""
        self._changed = threading.Condition()
        self._thread = BackgroundThread(self._work, "web-pictures")
        self._thread.start()

    def put(self, view: View) -> None:
        """Keep this frame as the newest; a reference and a flag, nothing else."""
        with self._changed:
            self._newest, self._fresh = view, True
            if self._viewers:
                self._changed.notify()

    def viewers_changed(self, viewers: int) -> None:
        """Set how many look; the first to come gets the newest frame, however old it is."""
        with self._changed:
            self._fresh = self._newest is not None and (self._fresh or viewers > self._viewers)
            self._viewers = viewers
            self._changed.notify()

    def close(self, timeout_seconds: float = 0.5) -> None:
        """End the thread; may be called more than once."""
        with self._changed:
            self._closing, self._newest = True, None
            self._changed.notify()
        self._thread.join(timeout_seconds)

    def _work(self) -> None:
        lower_priority()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or (self._fresh and self._viewers > 0))
                if self._closing:
                    return
                view, self._fresh = self._newest, False
            began_at = self._clock.monotonic()
            if view is not None:
                self._make(view)
            # The next frame waits until its picture is due, so that the newest one is taken then.
            pause = self._pause_seconds - (self._clock.monotonic() - began_at)
            with self._changed:
                self._changed.wait_for(lambda: self._closing, max(0.0, pause))

    def _make(self, view: View) -> None:
        try:
            picture = self._encode(view)
            self.encoded += 1
            self._publish(picture)
            self._outages.works("page: frames can be shown again")
        except Exception as error:  # one bad frame must not end the live picture
            self._outages.failed(f"page: a frame cannot be shown: {type(error).__name__}: {error}")
