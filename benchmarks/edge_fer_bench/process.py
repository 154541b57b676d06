"""The parent's end of a worker: ask, wait, and notice when it dies or hangs."""

from __future__ import annotations

import multiprocessing
import os
from typing import TYPE_CHECKING, Any, Protocol

from edge_fer.errors import EdgeFerError
from edge_fer_bench.worker import serve

if TYPE_CHECKING:
    from pathlib import Path

    from edge_fer_bench.worker import Task

ANSWER_SECONDS = 600.0
"""A worker that says nothing for so long is ended; the longest turn on the slowest board is a tenth of it."""


class WorkerError(EdgeFerError):
    """A worker could not do its task; the message says why, in one line."""


def without_folder(error: Exception, model: Path) -> str:
    """What went wrong with a model; a result is shown to others, and where the file lay is nobody's business."""
    return str(error).replace(f"{model.parent}{os.sep}", "")


class Worker(Protocol):
    """Measures one model file."""

    def ask(self, task: Task) -> Any:
        """Do a task and return its answer.

        Raises:
            WorkerError: it could not.
        """

    @property
    def pid(self) -> int | None:
        """Number of its process; None where it has none."""

    def close(self) -> None:
        """End it; may be called more than once."""


class WorkerProcess:
    """A worker in a process of its own."""

    def __init__(self, model: Path, engine: str) -> None:
        """Start the process; it loads nothing before it is asked to."""
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, model, engine), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int | None:
        """Number of its process."""
        return self._process.pid

    def ask(self, task: Task) -> Any:
        """Do a task and return its answer.

        Raises:
            WorkerError: it could not, or it died or hung.
        """
        try:
            self._connection.send(task)
            if not self._connection.poll(ANSWER_SECONDS):
                self.close()
                raise WorkerError(f"gave no answer for {ANSWER_SECONDS:.0f} s")
            done, content = self._connection.recv()
        except (EOFError, OSError):
            self._process.join(5.0)
            raise WorkerError(f"its process ended (exit {self._process.exitcode})") from None
        if not done:
            raise WorkerError(str(content))
        return content

    def close(self) -> None:
        """End it; a task that is under way is cut off."""
        self._connection.close()
        self._process.join(1.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
