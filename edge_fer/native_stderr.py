"""What native libraries write to file descriptor 2 by themselves, kept off the terminal and out of the log.

libpng and libjpeg report what they dislike in a picture there, whatever they are asked; a hostile file makes them do
so 200,000 times. The descriptor belongs to the whole process, so that other threads may write real lines to it
meanwhile: while it is held, all goes into memory, and what no decoder wrote is passed on when the decoding is over.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STDERR = 2
MOST_BYTES = 4_000_000
"""Of what was written during one decoding, so much is looked through for lines of others."""
DECODERS = re.compile(
    rb"libpng (?:warning|error): |Corrupt JPEG data: |Premature end of JPEG file|Warning: unknown JFIF revision number"
    rb"|Inconsistent progression sequence|Invalid SOS parameters for sequential JPEG|Unknown Adobe color transform code"
    rb"|Application transferred too (?:many|few) scanlines|Invalid color quantization mode change"
    rb"|(?:TIFF|_TIFF|Fax|LZW|ZIP|JPEG|PixarLog|Deflate)\w*: |\w+: Warning, "
)
"""How the lines of the decoders in OpenCV, libheif and libavif begin."""


class _Held:
    """Descriptor 2 while at least one thread holds it: one for the process, as the descriptor is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = self._dropping = 0
        self._memory: int | None = None
        self._real: int | None = None
        self._read = 0

    def hold(self, *, drop_all: bool) -> None:
        """Send the descriptor into memory; does nothing where it is closed."""
        with self._lock:
            self._depth += 1
            self._dropping += drop_all
            if self._real is not None:
                return
            with contextlib.suppress(OSError):
                if self._memory is None:
                    self._memory = _memory_file()
                self._real = os.dup(_STDERR)
                if self._read > MOST_BYTES:
                    self._pass_on(self._real, whole=True)
                    os.ftruncate(self._memory, 0)
                    self._read = 0
                os.dup2(self._memory, _STDERR)

    def release(self, *, drop_all: bool) -> None:
        """Pass on what is no decoder's; the last one gives the descriptor back."""
        with self._lock:
            self._depth -= 1
            self._give(whole=self._depth == 0)
            self._dropping -= drop_all

    def release_all(self) -> None:
        """Give the descriptor back whatever holds it, as the process ends."""
        with self._lock:
            self._give(whole=True)
            with contextlib.suppress(OSError):
                self._pass_on(_STDERR, whole=True)

    def _give(self, *, whole: bool) -> None:
        real = self._real
        if real is None:
            return
        with contextlib.suppress(OSError):
            if whole:
                os.dup2(real, _STDERR)
                self._real = None
            self._pass_on(real, whole=whole)
        if whole:
            os.close(real)

    def _pass_on(self, real: int, *, whole: bool) -> None:
        """Read on where the last reading ended: a write that was under way then may have come after it."""
        memory = self._memory
        if memory is None:
            return
        size = os.fstat(memory).st_size
        if size <= self._read:
            return
        begin = max(self._read, size - MOST_BYTES)
        data = os.pread(memory, size - begin, begin)
        end = len(data) if whole else data.rfind(b"\n") + 1
        self._read = begin + end
        _write(real, b"" if self._dropping else _of_others(data[:end]))


_HELD = _Held()


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Drop what picture decoders write to descriptor 2 inside; lines of others come through, a little later.

    Any number of threads may be inside at a time.
    """
    _HELD.hold(drop_all=False)
    try:
        yield
    finally:
        _HELD.release(drop_all=False)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Drop all that is written to descriptor 2 inside, by whichever thread: keep what is inside short, or alone."""
    _flush()
    _HELD.hold(drop_all=True)
    try:
        yield
    finally:
        _flush()
        _HELD.release(drop_all=True)


def restore() -> None:
    """Give descriptor 2 back and pass on what waits, before the process ends with a decoder still at work."""
    _flush()
    _HELD.release_all()


def _memory_file() -> int:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("stderr", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile(buffering=0) as file:
            descriptor = os.dup(file.fileno())
    import fcntl

    # Each write goes to the end, wherever that is after the memory was emptied.
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_APPEND)
    return descriptor


def _of_others(data: bytes) -> bytes:
    return b"".join(line for line in data.splitlines(keepends=True) if DECODERS.match(line) is None)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _flush() -> None:
    if sys.stderr is not None:  # it was closed when Python started
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
