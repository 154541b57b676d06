"""Silence for native libraries that write to stderr whatever they are told."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STDERR = 2


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send what this process writes to file descriptor 2 nowhere; exceptions pass as ever.

    It holds for all threads, so keep what is inside short, or alone.
    """
    _flush()
    try:
        kept = os.dup(_STDERR)
    except OSError:  # closed: nothing to silence
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STDERR)
        os.close(nowhere)
        yield
    finally:
        _flush()
        os.dup2(kept, _STDERR)
        os.close(kept)


def _flush() -> None:
    if sys.stderr is not None:  # it was closed when Python started
        sys.stderr.flush()
