"""The local engine: worker processes with a thread each, and a file per shard that is there whole or not at all.

What is done is what lies in the folder `rows`. A process may be killed at any moment, this one too: the next run does
the shards that are missing, each row once.
"""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from edge_fer.archive.manifest import rows_of, shards
from edge_fer.archive.worker import shard_name
from edge_fer.errors import EdgeFerError, SinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

FOLDER = "rows"
LOOK_SECONDS = 0.5
DEATHS_IN_A_ROW = 10
"""Workers that end without having done a row, one after the other, before the run gives up."""


class WorkerError(EdgeFerError):
    """A worker could not go on, for example because the disk is full; its message is the worker's."""

    code = 1
    """Exit code of the worker's error."""


@dataclass(slots=True)
class Progress:
    """How far an archive is."""

    rows: int
    """To be read in this run."""
    done: int = 0
    errors: int = 0
    """Rows of this run that could not be read."""
    deaths: int = 0
    """Workers that were killed or crashed."""
    began_at: float = field(default_factory=time.monotonic)

    @property
    def rows_per_second(self) -> float:
        """Since the beginning of the run."""
        return self.done / max(1e-9, time.monotonic() - self.began_at)


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    task: dict[str, Any] | None = None
    at: int | None = None
    """The id of the row that it reads."""
    unread: bytes = b""
    """The beginning of a message whose end has not come."""

    @property
    def output(self) -> IO[bytes]:
        """Where its messages come from."""
        assert self.process.stdout is not None
        return self.process.stdout

    def say(self, message: Mapping[str, Any]) -> None:
        """Send it a line; one that has ended is noticed where its messages end."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass


def missing(folder: Path) -> dict[int, int]:
    """The shards that are not done, each with its number of rows."""
    there = {path.name for path in (folder / FOLDER).glob("rows-*.parquet")}
    return {number: count for number, count in shards(folder).items() if shard_name(number) not in there}


def work(
    folder: Path,
    settings: Mapping[str, Any],
    jobs: int,
    shown: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Read all rows of the manifest that are not read.

    Args:
        folder: of the archive, locked.
        settings: arguments of `Reader`.
        jobs: worker processes, at least 1.
        shown: is called about twice a second.

    Raises:
        WorkerError: a model or the engine is unusable, or the disk is full; what is done stays.
        SinkError: the folder cannot be written, or workers cannot be started.
    """
    (folder / FOLDER).mkdir(exist_ok=True)
    for aside in (folder / FOLDER).glob(".rows-*"):
        aside.unlink(missing_ok=True)  # of a run that was killed
    wanted = missing(folder)
    progress = Progress(sum(wanted.values()))
    tasks = ({"shard": number, "rows": _plain(rows), "deadly": []} for number, rows in rows_of(folder, set(wanted)))
    workers: list[_Worker] = []
    with selectors.DefaultSelector() as selector:
        try:
            given = {**settings, "rows": str(folder / FOLDER)}
            _run(tasks, given, min(jobs, len(wanted)), workers, selector, progress, shown)
        finally:
            for worker in workers:
                worker.process.kill()
            for worker in workers:
                worker.process.wait()
                worker.output.close()
    left = missing(folder)
    if left:
        raise SinkError(f"{len(left)} files of rows are missing in {folder / FOLDER}: run the same command again")
    return progress


def _run(
    tasks: Iterator[dict[str, Any]],
    settings: Mapping[str, Any],
    jobs: int,
    workers: list[_Worker],
    selector: selectors.BaseSelector,
    progress: Progress,
    shown: Callable[[Progress], None],
) -> None:
    again: list[dict[str, Any]] = []
    deaths: dict[int, int] = {}
    in_a_row = 0

    def next_task(worker: _Worker) -> None:
        worker.at = None
        worker.task = again.pop() if again else next(tasks, None)
        if worker.task is not None:
            worker.say(worker.task)

    def begin() -> None:
        worker = _Worker(_start())
        workers.append(worker)
        selector.register(worker.output, selectors.EVENT_READ, worker)
        worker.say(settings)
        next_task(worker)

    for _ in range(jobs):
        begin()
    while any(worker.task is not None for worker in workers):
        for key, _ in selector.select(LOOK_SECONDS):
            worker = key.data
            data = worker.output.read1(65_536)
            if not data:
                selector.unregister(worker.output)
                workers.remove(worker)
                worker.process.wait()
                worker.output.close()
                task, at = worker.task, worker.at
                if task is None:
                    continue
                progress.deaths += 1
                in_a_row = 1 if at is not None else in_a_row + 1
                if in_a_row >= DEATHS_IN_A_ROW:
                    raise SinkError("worker processes end as soon as they begin: see `edge-fer doctor`")
                if at is not None:
                    deaths[at] = deaths.get(at, 0) + 1
                    if deaths[at] >= 2:
                        task["deadly"].append(at)
                again.append(task)
                begin()
                continue
            *lines, worker.unread = (worker.unread + data).split(b"\n")
            for line in lines:
                message = json.loads(line)
                if "failed" in message:
                    error = WorkerError(message["failed"])
                    error.code = message["code"]
                    raise error
                if "row" in message:
                    worker.at = message["row"]
                else:
                    assert worker.task is not None
                    progress.done += len(worker.task["rows"])
                    progress.errors += message["errors"]
                    next_task(worker)
        shown(progress)


def _start() -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "edge_fer.archive.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    except OSError as error:
        raise SinkError(f"cannot start a worker process: {error.strerror}; give a lower --jobs") from error


def _plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as JSON can carry them."""
    names = ("id", "path", "path_bytes", "kind", "segment", "start", "end")
    plain = [{name: row[name] for name in names} for row in rows]
    for row in plain:
        if row["path_bytes"] is not None:
            row["path_bytes"] = row["path_bytes"].hex()
    return plain
