"""Signals as wishes: Ctrl-C and SIGTERM to stop, so that camera and files are finished; SIGHUP to begin again."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class StopSignals:
    """Turns the first signal during a run into an event; before the run, and at the second, it ends at once."""

    def __init__(self, *, detached: bool = False) -> None:
        """Nothing was received yet.

        Args:
            detached: no terminal can be closed on us, so SIGHUP is the wish to read the settings again, as of daemons.
        """
        self.stop = threading.Event()
        """Set when the run is to end; another one after `begin_again`."""
        self.received: int | None = None
        self.running = False
        """Set while someone looks at `stop`."""
        self.again = False
        """Whether the run is to end only to begin again."""
        self._detached = detached

    def begin_again(self) -> bool:
        """Whether the run ended only to begin again; then nobody has asked to stop since."""
        if not self.again or self.received is not None:
            return False
        self.again = self.running = False
        self.stop = threading.Event()
        # A signal may have come in between and have set the old event.
        return self.received is None

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Take a signal.

        Raises:
            KeyboardInterrupt: Ctrl-C with nobody looking at `stop`, or again.
            SystemExit: the same for SIGTERM and for the end of the terminal; exit code 0, as a service manager expects.
        """
        if number == signal.SIGHUP and self._detached:
            self.again = True
            self.stop.set()
            return
        repeated = self.received is not None
        self.received = number
        self.stop.set()
        if repeated or not self.running:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(0)

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self.received == signal.SIGINT


@contextmanager
def stop_signals(*, may_begin_anew: bool = False) -> Iterator[StopSignals]:
    """Handle SIGINT, SIGTERM and SIGHUP inside the block; outside the main thread, where Python forbids it, nothing.

    SIGHUP ends the run like SIGTERM where a terminal was closed, or where the run may not begin again; where it is
    ignored, as under nohup, that stays so.
    """
    signals = StopSignals(detached=may_begin_anew and not has_terminal())
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    hangup = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    before = {number: signal.signal(number, signals.handle) for number in (signal.SIGINT, signal.SIGTERM, *hangup)}
    try:
        yield signals
    except Exception as error:
        if signals.received is None or signals.running:
            raise
        # Raised within an extension that was just being loaded, the wish to end came out as its failed import.
        raise (KeyboardInterrupt() if signals.interrupted else SystemExit(0)) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ending_as_ctrl_c_does() -> Iterator[None]:
    """SIGTERM, and the end of a terminal, raise KeyboardInterrupt inside the block, for work that must be cleaned up.

    The first one does; those after it leave the cleaning up alone, as service managers and terminals send both. What is
    ignored stays so, as under nohup; outside the main thread, where Python forbids it, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            raise KeyboardInterrupt

    wished = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is not signal.SIG_IGN]
    before = {one: signal.signal(one, interrupt) for one in wished}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def has_terminal() -> bool:
    """Whether this process has a controlling terminal, whose end sends SIGHUP."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
