"""Events that wait for a receiver: in memory, or in a folder, where they outlive this program and a loss of power."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections import deque
from typing import TYPE_CHECKING, Protocol

from edge_fer.atomic_files import PRIVATE_MODE, write_atomically
from edge_fer.errors import SinkError

if TYPE_CHECKING:
    from pathlib import Path

MOST_IN_MEMORY = 1000
MOST_ON_DISK = 10_000
ENTRY = re.compile(r"([0-9]{12})\.json")
LEFT_OVER = re.compile(r"\.[0-9]{12}\.json\.[0-9a-f]{8}")
"""What a loss of power may leave of an entry that was being written."""
LOCK = ".lock"


class Queue(Protocol):
    """First in, first out; called from one thread at a time."""

    lost: int
    """Events that had to make room for newer ones."""
    stays: bool
    """Whether what waits outlives this program."""

    def __len__(self) -> int:
        """How many wait."""

    def put(self, body: bytes) -> None:
        """Add one; where the queue is full, the oldest goes.

        Raises:
            SinkError: it could not be kept.
        """

    def first(self) -> tuple[int, bytes] | None:
        """The number and the body of the oldest; None where none waits."""

    def remove(self, number: int) -> None:
        """Take out the oldest, where it still has this number: it may have made room in the meantime."""

    def close(self) -> None:
        """Release what is held; what waits on a disk stays there."""


class MemoryQueue:
    """A queue that ends with the program."""

    def __init__(self, capacity: int = MOST_IN_MEMORY) -> None:
        """Begin empty."""
        self.lost, self.stays = 0, False
        self._capacity = capacity
        self._bodies: deque[tuple[int, bytes]] = deque()
        self._next = 1

    def __len__(self) -> int:
        """How many wait."""
        return len(self._bodies)

    def put(self, body: bytes) -> None:
        """Add one; where the queue is full, the oldest goes."""
        if len(self._bodies) >= self._capacity:
            self._bodies.popleft()
            self.lost += 1
        self._bodies.append((self._next, body))
        self._next += 1

    def first(self) -> tuple[int, bytes] | None:
        """The number and the body of the oldest; None where none waits."""
        return self._bodies[0] if self._bodies else None

    def remove(self, number: int) -> None:
        """Take out the oldest, where it still has this number."""
        if self._bodies and self._bodies[0][0] == number:
            self._bodies.popleft()

    def close(self) -> None:
        """Forget what waits."""
        self._bodies.clear()


class DiskQueue:
    """A queue of small files in a folder, one for each event, numbered in the order of their coming."""

    def __init__(self, folder: Path, capacity: int = MOST_ON_DISK) -> None:
        """Open the folder, and go on with what waits there.

        Raises:
            SinkError: it cannot be made or used, or another program has it.
        """
        self.lost, self.stays = 0, True
        self._folder, self._capacity = folder, capacity
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE_MODE)
        except OSError as error:
            raise SinkError(f"cannot keep events in {folder}: {error.strerror or error}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            names = sorted(path.name for path in folder.iterdir())
        except OSError as error:
            os.close(self._lock)
            busy = isinstance(error, BlockingIOError)
            why = "another run uses it: give each its own folder" if busy else error.strerror or error
            raise SinkError(f"cannot keep events in {folder}: {why}") from None
        for name in names:
            if LEFT_OVER.fullmatch(name):
                with contextlib.suppress(OSError):
                    (folder / name).unlink()
        self._numbers = deque(int(found[1]) for name in names if (found := ENTRY.fullmatch(name)))
        self._next = self._numbers[-1] + 1 if self._numbers else 1
        self._read: tuple[int, bytes] | None = None

    def __len__(self) -> int:
        """How many wait."""
        return len(self._numbers)

    def put(self, body: bytes) -> None:
        """Add one; where the queue is full, the oldest goes.

        Raises:
            SinkError: it could not be written, for example to a full disk.
        """
        try:
            write_atomically(self._path(self._next), body, PRIVATE_MODE)
        except OSError as error:
            raise SinkError(f"cannot keep an event in {self._folder}: {error.strerror or error}") from None
        self._numbers.append(self._next)
        self._next += 1
        while len(self._numbers) > self._capacity:
            self.remove(self._numbers[0])
            self.lost += 1

    def first(self) -> tuple[int, bytes] | None:
        """The number and the body of the oldest; one that cannot be read, or was taken out, is passed over."""
        while self._numbers:
            number = self._numbers[0]
            if self._read is not None and self._read[0] == number:
                return self._read
            try:
                self._read = (number, self._path(number).read_bytes())
            except FileNotFoundError:
                self._numbers.popleft()
            except OSError:
                self._numbers.popleft()
                self.lost += 1
        return None

    def remove(self, number: int) -> None:
        """Take out the oldest, where it still has this number."""
        if self._numbers and self._numbers[0] == number:
            self._numbers.popleft()
            self._read = None
            with contextlib.suppress(OSError):
                self._path(number).unlink()

    def close(self) -> None:
        """Let another program have the folder; may be called more than once."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}.json"
