"""Counting who may do how much: rates for each client; places are in `gate`."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENTS_KEPT = 1024
"""Client addresses whose rate is remembered; the longest unseen is forgotten first."""


class RateLimiter:
    """A bucket of permits for each client, which fills up again over time."""

    def __init__(self, per_minute: int, at_once: int, monotonic: Callable[[], float]) -> None:
        self._per_second, self._at_once, self._monotonic = per_minute / 60.0, at_once, monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def left(self, client: str) -> bool:
        """Whether there is a permit, which is not taken."""
        permits, seen_at = self._buckets.get(client, (float(self._at_once), 0.0))
        return permits + (self._monotonic() - seen_at) * self._per_second >= 1.0

    def wait_seconds(self, client: str) -> float:
        """Take a permit and return 0, or return the seconds until there will be one."""
        now = self._monotonic()
        permits, seen_at = self._buckets.pop(client, (float(self._at_once), now))
        permits = min(float(self._at_once), permits + (now - seen_at) * self._per_second)
        allowed = permits >= 1.0
        self._buckets[client] = (permits - 1.0 if allowed else permits, now)
        while len(self._buckets) > CLIENTS_KEPT:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1.0 - permits) / self._per_second
