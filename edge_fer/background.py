"""Threads that may hang in a driver or in a write, and how a process ends in spite of them."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import TYPE_CHECKING, NoReturn

from edge_fer import native_stderr

if TYPE_CHECKING:
    from collections.abc import Callable


class BackgroundThread(threading.Thread):
    """A daemon thread: Python does not wait for its end."""

    def __init__(self, work: Callable[[], None], name: str) -> None:
        """Prepare a thread that does `work` once it is started."""
        super().__init__(target=work, name=name, daemon=True)


def leave(code: int) -> NoReturn:
    """End this process with an exit code.

    A thread that comes back from a driver while Python takes itself down is unwound through the driver's C++ code,
    which then aborts the process. With such a thread left, the process ends without that: all output is written first.
    """
    native_stderr.restore()
    if not any(isinstance(thread, BackgroundThread) for thread in threading.enumerate()):
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)
