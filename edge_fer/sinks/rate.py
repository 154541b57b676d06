"""How many frames per second pass, measured over the last of them, and how many were passed over."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_fer.types import Observation

WINDOW_SECONDS = 2.0
"""Long enough to be steady, short enough to show a change."""


class RateMeter:
    """Counts events a second over a sliding window."""

    def __init__(self, window_seconds: float = WINDOW_SECONDS) -> None:
        self._window_seconds = window_seconds
        self._times: deque[float] = deque()

    def tick(self, now_seconds: float) -> float | None:
        """Note an event at this time on a monotonic clock; return events a second, None before the second event."""
        self._times.append(now_seconds)
        while now_seconds - self._times[0] > self._window_seconds and len(self._times) > 2:
            self._times.popleft()
        span = now_seconds - self._times[0]
        return (len(self._times) - 1) / span if span > 0 else None


class SkippedFrames:
    """Counts the frames of a source that were replaced by newer ones; files that follow each other replace none."""

    def __init__(self) -> None:
        self._source = ""
        self._next_seq: int | None = None

    def before(self, observation: Observation) -> int:
        """How many frames of its source went missing right before this one."""
        goes_on = self._next_seq is not None and observation.source == self._source
        skipped = max(0, observation.seq - self._next_seq) if goes_on and self._next_seq is not None else 0
        self._source, self._next_seq = observation.source, observation.seq + 1
        return skipped
