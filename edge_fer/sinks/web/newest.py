"""One value that many tasks wait for; a slow one finds the newest, never a queue."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Newest(Generic[Value]):
    """The newest of a row of values; used in one event loop only."""

    def __init__(self) -> None:
        self._value: Value | None = None
        self._version = 0
        self._changed = asyncio.Event()
        self.ended = False
        """True once nothing more will come."""

    def publish(self, value: Value) -> None:
        """Replace the value and wake all that wait."""
        self._value = value
        self._version += 1
        self._wake()

    def forget(self) -> None:
        """Drop the value, so that a later task waits for a new one."""
        self._value = None

    def end(self) -> None:
        """Let all that wait go; nothing more will come."""
        self.ended = True
        self._wake()

    async def after(self, version: int, timeout_seconds: float) -> tuple[int, Value] | None:
        """Wait for a value newer than that version; 0 takes any that is there.

        Returns:
            Its version and the value; None after the time-out or at the end.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                while not self.ended:
                    if self._value is not None and self._version > version:
                        return self._version, self._value
                    await self._changed.wait()
        except TimeoutError:
            pass
        return None

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
