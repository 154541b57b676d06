"""What the page shows in numbers: the newest observation, the health of the run, and the last minutes."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_fer.protocols import Clock
    from edge_fer.types import Observation

TIMELINE_SECONDS = 300
"""How far back the timeline goes; it is kept in memory only."""


class RunState:
    """Keeps the newest observation and a mean a second of the largest face's probabilities."""

    def __init__(self, clock: Clock, health: Callable[[], Mapping[str, Any]]) -> None:
        """Begin with nothing seen.

        Args:
            clock: for the age of what is known.
            health: makes a snapshot of how the run fares, as plain data.
        """
        self._clock, self._health = clock, health
        self._lock = threading.Lock()
        self._newest: Observation | None = None
        self._newest_at = 0.0
        self._second = -1
        self._labels: tuple[str, ...] = ()
        self._sums: list[float] = []
        self._count = self._faces = 0
        self._timeline: deque[dict[str, Any]] = deque(maxlen=TIMELINE_SECONDS)

    def note(self, observation: Observation) -> None:
        """Take an observation; a few additions."""
        now = self._clock.monotonic()
        largest = max(observation.faces, key=lambda scored: scored.face.box.area, default=None)
        with self._lock:
            if int(now) != self._second:
                self._finish_second()
                self._second = int(now)
            self._newest, self._newest_at = observation, now
            self._faces = max(self._faces, len(observation.faces))
            if largest is None:
                return
            if largest.scores.labels != self._labels:
                self._labels, self._sums, self._count = largest.scores.labels, [0.0] * len(largest.scores.labels), 0
            self._sums = [total + value for total, value in zip(self._sums, largest.scores.values, strict=True)]
            self._count += 1

    def record(self, *, timeline: bool = True) -> dict[str, Any]:
        """All of it as plain data.

        Args:
            timeline: False gives the last full second only, under `latest`, as for events.
        """
        health = dict(self._health())
        with self._lock:
            now = self._clock.monotonic()
            if int(now) > self._second >= 0:
                self._finish_second()
            newest, age = self._newest, now - self._newest_at
            oldest = int(now) - TIMELINE_SECONDS
            points = [point for point in self._timeline if point["second"] >= oldest] if timeline else []
            latest = self._timeline[-1] if self._timeline else None
        record: dict[str, Any] = {
            "second": int(now),
            "observation": None if newest is None else newest.to_dict(),
            "age_seconds": None if newest is None else round(max(0.0, age), 2),
            "health": health,
        }
        return record | ({"timeline": points} if timeline else {"latest": latest})

    def _finish_second(self) -> None:
        if self._second < 0:
            return
        scores = None
        if self._count:
            means = (round(total / self._count, 3) for total in self._sums)
            scores = dict(zip(self._labels, means, strict=True))
        self._timeline.append({"second": self._second, "faces": self._faces, "scores": scores})
        self._sums, self._count, self._faces, self._second = [0.0] * len(self._labels), 0, 0, -1
