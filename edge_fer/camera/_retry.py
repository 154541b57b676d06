"""When to open a camera again: with growing pauses, and at once when its device file comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FIRST_SECONDS, LONGEST_SECONDS = 1.0, 30.0
"""Time from one attempt to the next at first and at most; it doubles in between."""

Signature: TypeAlias = tuple[int, ...]
"""Distinguishes one device file from another one of the same name, and from itself with other permissions."""


class Retry:
    """Paces attempts. It has no clock: the time is given, in seconds that never jump."""

    def __init__(self, device: Callable[[], Path] | None = None) -> None:
        """Pace the attempts to open a camera.

        Args:
            device: the device file, or the link to it, whose return is worth an attempt at once; None for other
                sources.
        """
        self._device = device
        self._seen = self._began_with = self._signature()
        self._seconds = FIRST_SECONDS
        self._began_at = float("-inf")
        self._due_at = float("-inf")

    @property
    def seconds(self) -> float:
        """Time from the last attempt to the next."""
        return self._seconds

    def begin(self, now: float) -> None:
        """An attempt begins, or a source that gave frames is lost: what comes next is counted from here."""
        self._began_at = now
        self._seen = self._began_with = self._signature()

    @property
    def replaced(self) -> bool:
        """Whether there is another device file now than when the last attempt began, or the last loss was noticed."""
        now = self._signature()
        return now is not None and now != self._began_with

    def failed(self, now: float) -> None:
        """The attempt failed: the next is due when the pause from its beginning is over."""
        self._due_at = max(now, self._began_at + self._seconds)
        self._seconds = min(LONGEST_SECONDS, self._seconds * 2)

    def calm(self) -> None:
        """All is well: the next loss begins with the shortest pause."""
        self._seconds = FIRST_SECONDS

    def due(self, now: float) -> bool:
        """Whether to try now. Asked often while waiting: it is what notices the device file."""
        before, self._seen = self._seen, self._signature()
        if self._seen is not None and self._seen != before:
            self._seconds = FIRST_SECONDS
            return True
        return now >= self._due_at

    def _signature(self) -> Signature | None:
        return None if self._device is None else signature(self._device())


def signature(device: Path) -> Signature | None:
    """What a device file is at the moment; None where there is none."""
    try:
        found = device.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_rdev, found.st_mode, found.st_uid, found.st_gid)
