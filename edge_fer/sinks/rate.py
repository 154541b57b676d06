"""How many frames a second pass, measured over the last of them."""

from __future__ import annotations

from collections import deque

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
