"""How much of a stretch of time faces showed each label, kept in few parts however many frames that was."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTS = 300
"""A stretch of time is kept as so many parts, and so known to a third of a percent."""
MICROSECONDS = 1_000_000


class ShareWindow:
    """The newest so many seconds; counts whole microseconds of faces, which add up exactly."""

    def __init__(self, seconds: float) -> None:
        """Begin without anything seen."""
        self._seconds = seconds
        self._part_seconds = seconds / PARTS
        self._parts: deque[tuple[float, Counter[str]]] = deque()
        self._sums: Counter[str] = Counter()
        self._total = 0
        self._began_at: float | None = None

    @property
    def parts(self) -> int:
        """In how many parts the time is kept."""
        return len(self._parts)

    def add(self, at: float, seconds: float, shown: Sequence[str]) -> None:
        """Take in a frame.

        Args:
            at: its time in seconds, not before the last one.
            seconds: how long what it shows has lasted; 0 for the first, and after a time without frames.
            shown: the label of each face in it.
        """
        if self._began_at is None:
            self._began_at = at
        if not self._parts or at - self._parts[-1][0] >= self._part_seconds:
            self._parts.append((at, Counter()))
        each = round(seconds * MICROSECONDS)
        newest = self._parts[-1][1]
        for label in shown:
            newest[label] += each
            self._sums[label] += each
            self._total += each
        while self._parts[0][0] <= at - self._seconds - self._part_seconds:
            _, gone = self._parts.popleft()
            self._sums -= gone
            self._total -= gone.total()

    def share(self, label: str, at: float) -> float | None:
        """The share of a label, 0.0 to 1.0; None before the whole time was seen, and where nobody was in sight."""
        if self._began_at is None or at - self._began_at < self._seconds - 1e-6 or self._total <= 0:
            return None
        return self._sums[label] / self._total
