"""A call that may block for ever, made where it holds nobody up."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from edge_fer.background import BackgroundThread

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

LOOK_SECONDS = 0.2
"""How often, at least, a wait is interrupted to look for signals."""


class InThread(Generic[Result]):
    """Runs one call in a thread of its own, a daemon: a call that never returns does not hold up the exit."""

    def __init__(self, call: Callable[[], Result], name: str, when_done: Callable[[], None]) -> None:
        """Start the call.

        Args:
            call: may block and may raise.
            name: of the thread.
            when_done: called in the thread afterwards, quick.
        """
        self._call, self._when_done = call, when_done
        self._lock = threading.Lock()
        self._done = False
        self._result: Result | None = None
        self._error: Exception | None = None
        self._dispose: Callable[[Result], None] | None = None
        BackgroundThread(self._work, name).start()

    @property
    def done(self) -> bool:
        """Whether the call has returned or raised."""
        return self._done

    def result(self) -> Result:
        """What the call returned, once it is done; raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]

    def abandon(self, dispose: Callable[[Result], None]) -> None:
        """Nobody wants the result any more: `dispose` takes it, now or in the thread when it comes."""
        with self._lock:
            if not self._done:
                self._dispose = dispose
                return
        if self._error is None:
            dispose(self.result())

    @classmethod
    def wait_for(cls, call: Callable[[], Result], name: str, dispose: Callable[[Result], None]) -> Result:
        """Make the call and wait for it in steps, so that Ctrl-C and SIGTERM need not wait for a driver.

        Args:
            call: as for the class.
            name: of the thread.
            dispose: takes the result where a signal ended the wait.

        Raises:
            Exception: what the call raised.
        """
        done = threading.Event()
        started = cls(call, name, done.set)
        try:
            while not done.wait(LOOK_SECONDS):
                pass
        except BaseException:
            started.abandon(dispose)
            raise
        return started.result()

    def _work(self) -> None:
        result: Result | None = None
        try:
            result = self._call()
        except Exception as error:  # it is raised again where the result is asked for
            self._error = error
        with self._lock:
            self._result = result
            self._done = True
            dispose = self._dispose
        if dispose is not None and self._error is None:
            dispose(self.result())
        self._when_done()
