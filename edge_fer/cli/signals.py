"""Ctrl-C and SIGTERM as a wish to stop, so that the camera is released and files are finished."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class StopSignals:
    """Turns the first signal during a run into an event; before the run, and at the second, it ends at once."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.received: int | None = None
        self.running = False
        """Set while someone looks at `stop`."""

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Take a signal.

        Raises:
            KeyboardInterrupt: Ctrl-C with nobody looking at `stop`, or again.
            SystemExit: SIGTERM with nobody looking at `stop`, or again; exit code 0, as a service manager expects.
        """
        again = self.received is not None
        self.received = number
        self.stop.set()
        if again or not self.running:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(0)

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self.received == signal.SIGINT


@contextmanager
def stop_signals() -> Iterator[StopSignals]:
    """Handle SIGINT and SIGTERM inside the block; outside the main thread, where Python forbids it, do nothing."""
    signals = StopSignals()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    before = {number: signal.signal(number, signals.handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
