"""Each sink behind its own thread and a bounded mailbox, so that a slow or broken one never holds up the frames."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from edge_fer.background import BackgroundThread
from edge_fer.errors import SinkError
from edge_fer.sinks.outages import Outages

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.protocols import Clock, Sink, ViewSink
    from edge_fer.types import Observation, View

Item = TypeVar("Item")

IDLE_SECONDS = 0.05
"""How often a sink that has nothing to write is given a turn; a window answers its keys within this time."""

NEWEST_SECONDS = 0.02
"""How often a sink that publishes a state looks for a newer one."""

BACKOFF_SECONDS = (0.5, 30.0)
"""First and longest pause after a failed write where items may be dropped; it doubles in between."""


class Filling(Enum):
    """What happens to an item that meets a full mailbox."""

    WAIT = "wait"
    """The frames wait: files, where nothing may be lost."""
    DROP_OLDEST = "drop_oldest"
    """The oldest item goes and is counted: cameras, where the newest matters."""
    NEWEST = "newest"
    """The item that waits is replaced, and that is no loss: sinks that publish a state and not each frame."""


class Connection(Protocol):
    """What a sink that sends to another program says of it."""

    @property
    def sent(self) -> int:
        """Results that were sent."""

    @property
    def lost(self) -> int:
        """Results that could not be sent."""

    @property
    def connected(self) -> bool:
        """Whether the other side is there now."""


class SinkFinished(SinkError):  # noqa: N818 - like EndOfStream it names an event, not a fault
    """The sink takes nothing more, and that is no fault: the reader has gone, or the user closed the window."""

    def __init__(self, message: str, ends_run: bool) -> None:
        super().__init__(message)
        self.ends_run = ends_run
        """True where the run was only for this sink, or the user asked for the end."""


class SystemClock:
    """The host's clocks."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
        return time.monotonic()

    def wall_time(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return time.time()


class SinkRunner(Generic[Item]):
    """Feeds one sink from a mailbox in a thread of its own; create it, `start`, `offer` items, `finish`."""

    def __init__(
        self,
        name: str,
        write: Callable[[Item], None],
        close: Callable[[], None],
        *,
        filling: Filling,
        clock: Clock,
        capacity: int = 4,
        idle: Callable[[], None] | None = None,
        connection: Connection | None = None,
        pauses: bool = True,
        wakes_at_once: bool = False,
    ) -> None:
        """Make a runner; nothing runs before `start`.

        Args:
            name: the sink as shown to people.
            write: takes one item; called in the runner's thread only.
            close: finishes what was begun; called once, in the same thread.
            filling: what to do when the mailbox is full.
            clock: for pauses after failures.
            capacity: items that the mailbox holds, at least 1; always 1 with `Filling.NEWEST`.
            idle: called in the thread, at most every `IDLE_SECONDS`, while no item waits.
            connection: what the sink says of its connection, where it has one; its counts go before the runner's own.
            pauses: whether items are dropped for a while after a failed write; False where each is worth an attempt.
            wakes_at_once: whether the thread is woken for each item; else for several where that costs less.
        """
        self.name = name
        self._written = 0
        self.dropped = 0
        """Items that did not get through in time; what comes after the sink has finished does not count."""
        self.failures = 0
        self.finished: SinkFinished | None = None
        self._write, self._close, self._idle, self._connection = write, close, idle, connection
        self._filling, self._clock = filling, clock
        self._capacity = 1 if filling is Filling.NEWEST else max(1, capacity)
        wakes_late = not wakes_at_once
        self._wake_at, self._look_seconds = _waking(filling, self._capacity if wakes_late else 1, idle is not None)
        self._pauses = pauses and filling is not Filling.WAIT
        self._mailbox: deque[Item] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._log = logging.getLogger(f"edge_fer.sinks.{name}")
        self._outages = Outages(self._log, clock.monotonic)
        self._pause_seconds = 0.0
        self._paused_until = float("-inf")
        self._thread = BackgroundThread(self._work, f"sink-{name}")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def written(self) -> int:
        """Items that were written, or for a sink with a connection: results that were sent."""
        return self._written if self._connection is None else self._connection.sent

    @property
    def lost(self) -> int:
        """Results that could not be sent, because the connection was away; not counted as failures of the run."""
        return 0 if self._connection is None else self._connection.lost

    @property
    def connected(self) -> bool | None:
        """Whether the other side is there; None for a sink without a connection."""
        return None if self._connection is None else self._connection.connected

    @property
    def done(self) -> bool:
        """True when the thread has ended: everything is written or given up, and the sink is closed."""
        return not self._thread.is_alive()

    def offer(self, item: Item, give_up: Callable[[], bool] = lambda: False) -> None:
        """Put an item into the mailbox.

        With `Filling.WAIT` this waits while the mailbox is full, until `give_up()` is true or the sink has finished.
        """
        with self._changed:
            if self._filling is Filling.NEWEST:
                self._mailbox.clear()
            elif self._filling is Filling.DROP_OLDEST:
                while len(self._mailbox) >= self._capacity:
                    self._mailbox.popleft()
                    self.dropped += 1
            else:
                while len(self._mailbox) >= self._capacity and self.finished is None and not give_up():
                    self._changed.wait(IDLE_SECONDS)
            if self.finished is not None:
                return
            if len(self._mailbox) < self._capacity:
                self._mailbox.append(item)
                if len(self._mailbox) >= self._wake_at:
                    self._changed.notify_all()
            else:
                self.dropped += 1

    def ask_to_finish(self) -> None:
        """Let the sink write what waits, then close it; returns at once."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for the end of the thread after `ask_to_finish`; True when it has ended."""
        self._thread.join(timeout_seconds)
        return self.done

    def give_up(self) -> None:
        """Throw away what waits and close the sink as soon as it returns from what it is writing."""
        with self._changed:
            self._closing = True
            self._lose(len(self._mailbox))
            self._mailbox.clear()
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._mailbox and not self._closing:
                    self._changed.wait(self._look_seconds)
                if self._mailbox:
                    item = self._mailbox.popleft()
                    self._changed.notify_all()
                elif self._closing:
                    break
                else:
                    item = None
            if item is not None:
                self._handle(item)
            elif self._idle is not None and self.finished is None:
                self._guarded(self._idle)
        self._guarded(self._close)

    def _handle(self, item: Item) -> None:
        if self.finished is not None:
            return
        if self._clock.monotonic() < self._paused_until:
            self._lose(1)
            return
        if self._guarded(lambda: self._write(item)):
            self._written += 1
            self._outages.works(f"{self.name}: works again")
            self._pause_seconds = 0.0
        elif self._pauses:
            first, longest = BACKOFF_SECONDS
            self._pause_seconds = min(longest, self._pause_seconds * 2 or first)
            self._paused_until = self._clock.monotonic() + self._pause_seconds

    def _lose(self, count: int) -> None:
        if self._filling is not Filling.NEWEST:
            self.dropped += count

    def _guarded(self, call: Callable[[], None]) -> bool:
        try:
            call()
        except SinkFinished as exc:
            self.finished = exc
            if str(exc):
                self._log.info("%s", exc)
            return False
        except Exception as exc:  # a sink's fault, whatever it is, must not end the run
            self.failures += 1
            kind = "" if isinstance(exc, SinkError) else f"{type(exc).__name__}: "
            self._outages.failed(f"{self.name}: {kind}{exc}")
            return False
        return True


def _waking(filling: Filling, capacity: int, has_idle: bool) -> tuple[int, float | None]:
    """With how many waiting items the thread is woken, and how long it sleeps otherwise; None for ever.

    Waking a thread costs the loop more than what most sinks then write. So where frames come as fast as they are taken
    it is woken for many of them at once, and where the newest is enough it looks by itself.
    """
    if filling is Filling.NEWEST:
        return capacity + 1, NEWEST_SECONDS
    if filling is Filling.WAIT and capacity > 1:
        return capacity // 2, IDLE_SECONDS
    return 1, IDLE_SECONDS if has_idle else None


def run_sink(name: str, sink: Sink, filling: Filling, clock: Clock) -> SinkRunner[Observation]:
    """A runner for a sink that takes observations, which hold no pixels; it is given turns where it has `idle`."""
    idle = getattr(sink, "idle", None)
    # Observations are small: a long mailbox lets a slow terminal catch up.
    connection = getattr(sink, "connection", None)
    return SinkRunner(
        name, sink.write, sink.close, filling=filling, clock=clock, capacity=64, idle=idle, connection=connection
    )


def run_view_sink(name: str, sink: ViewSink, filling: Filling, clock: Clock) -> SinkRunner[View]:
    """A runner for a sink that takes pictures; few wait, because each holds a frame."""
    idle = getattr(sink, "idle", None)
    return SinkRunner(name, sink.write_view, sink.close, filling=filling, clock=clock, capacity=2, idle=idle)
