"""The progress of a long command, and the folder that it will need, made before the work."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, TextIO

from edge_fer.cli.logs import shows_progress
from edge_fer.cli.streams import on_terminal
from edge_fer.errors import EdgeFerError
from edge_fer.escaping import for_terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def make_folder(folder: Path) -> None:
    """Make the folder for results before anything is measured, and see that files can be written there.

    Raises:
        EdgeFerError: it cannot be made or written to.
    """
    import tempfile

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise EdgeFerError(f"cannot write to {folder}: {error.strerror}; choose another folder with --out") from None


class ProgressLine:
    """One line on a terminal that is drawn again and again; nothing elsewhere."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Choose where it is drawn: on standard error where messages are for people, or on a stream that is given."""
        self._stream = stream or sys.stderr
        self._shown = on_terminal(self._stream) if stream else shows_progress()
        self._clock = clock
        self._began_at = clock()

    def __call__(self, done: int, steps: int, what: str) -> None:
        """Show how far it is; done equal to steps clears the line."""
        if not self._shown:
            return
        from edge_fer.sinks.progress import progress_bar

        line = "" if done >= steps else f"{progress_bar(done, steps)}  {self._clock() - self._began_at:.0f} s  {what}"
        self._stream.write(f"\r\x1b[K{for_terminal(line)[:118]}")
        self._stream.flush()
