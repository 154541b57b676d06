"""What a long command says on the way, and the folder that it will need, made before the work."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

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
    """One line on a terminal that is drawn anew; nothing elsewhere."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._shown, self._clock = stream, on_terminal(stream), clock
        self._began_at = clock()

    def __call__(self, done: int, steps: int, what: str) -> None:
        """Show how far it is; done equal to steps clears the line."""
        if not self._shown:
            return
        from edge_fer.sinks.progress import progress_bar

        line = "" if done >= steps else f"{progress_bar(done, steps)}  {self._clock() - self._began_at:.0f} s  {what}"
        self._stream.write(f"\r\x1b[K{for_terminal(line)[:118]}")
        self._stream.flush()
