"""Captures that behave as cameras and streams do, well or badly, without a device."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable


def picture(value: int = 0, width: int = 64, height: int = 48) -> np.ndarray:
    """A plain BGR picture."""
    return np.full((height, width, 3), value % 256, np.uint8)


class FakeCapture:
    """A capture that gives what `next_read` returns, once for every permit that the test hands out."""

    def __init__(
        self,
        next_read: Callable[[int], tuple[bool, Any]] = lambda index: (True, picture(index)),
        opened: bool = True,
        properties: dict[int, float] | None = None,
        permits: int | None = None,
    ) -> None:
        self.next_read = next_read
        self.opened = opened
        self.properties = properties or {}
        self.asked: dict[int, float] = {}
        self.reads = 0
        self.released = threading.Event()
        self.waiting = threading.Semaphore(0)
        """Released once each time `read` begins to wait."""
        self._free = permits is None
        self._permits = threading.Semaphore(permits or 0)

    def allow(self, count: int = 1) -> None:
        """Let so many more reads return."""
        for _ in range(count):
            self._permits.release()

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.opened

    def read(self) -> tuple[bool, Any]:
        self.waiting.release()
        if not self._free:
            self._permits.acquire()
        self.reads += 1
        return self.next_read(self.reads - 1)

    def get(self, propId: int) -> float:  # noqa: N803 - OpenCV's name
        return self.properties.get(propId, 0.0)

    def set(self, propId: int, value: float) -> bool:  # noqa: N803 - OpenCV's name
        self.asked[propId] = value
        return True

    def release(self) -> None:
        self.opened = False
        self.released.set()
