"""A run of the benchmark: every format has its turn, round after round, and a fault in one is that one's row."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from edge_fer_bench.commands import start as start_command
from edge_fer_bench.environment import CpuTime, Health, process_cpu_seconds, read_cpu_time, read_health
from edge_fer_bench.looping import (
    COMMANDS,
    LoopSamples,
    loop_of,
    loop_round,
    start_commands,
)
from edge_fer_bench.process import WorkerError, WorkerProcess, without_folder
from edge_fer_bench.scenes import SCENES
from edge_fer_bench.worker import Call, Judge, Open, Peak, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from edge_fer.evaluation.metrics import Floats
    from edge_fer.inference.manifest import Manifest
    from edge_fer.types import Image
    from edge_fer_bench.commands import Start
    from edge_fer_bench.measuring import Turn
    from edge_fer_bench.process import Worker
    from edge_fer_bench.result import Effort
    from edge_fer_bench.worker import Task

BATCHES = (1, 4)


@dataclass(frozen=True, slots=True)
class Format:
    """A model file and the engine that runs it."""

    path: Path
    engine: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure."""

    formats: tuple[Format, ...]
    threads: tuple[int, ...]
    """Numbers of threads, at least one; memory and accuracy are measured with the first."""
    effort: Effort
    film: str
    """As `edge-fer run` takes it: `demo` or the path of a video."""
    pictures: tuple[Image, ...] = ()
    """To read after the timing; none where no accuracy is asked for."""
    loop_with: Format | None = None
    """The format to run scenes and commands with; where it does not work, or None, the first that does."""


@dataclass(slots=True)
class Samples:
    """What was measured of one format with one number of threads, round by round."""

    format: Format
    threads: int
    manifest: Manifest | None = None
    problem: str | None = None
    load_ms: float | None = None
    peak_memory_bytes: int | None = None
    calls: dict[int, list[Floats]] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)
    probabilities: Floats | None = None


@dataclass(slots=True)
class Record:
    """A run as it was measured."""

    before: Health
    samples: list[Samples]
    complete: bool = False
    during: list[Health] = field(default_factory=list)
    """One reading a round."""
    seconds: float = 0.0
    own_cores: float | None = None
    other_cores: float | None = None
    loop: LoopSamples | None = None


@dataclass(frozen=True, slots=True)
class Host:
    """The machine as a session uses it; tests bring their own."""

    start: Callable[[Path, str], Worker] = WorkerProcess
    health: Callable[[], Health] = read_health
    cpu_time: Callable[[], CpuTime | None] = read_cpu_time
    process_seconds: Callable[[int], float] = process_cpu_seconds
    clock: Callable[[], float] = time.monotonic
    command: Callable[[Sequence[str]], Start] = start_command


def measure(plan: Plan, host: Host, say: Callable[[int, int, str], None], own_pid: int) -> Record:
    """Measure all formats; Ctrl-C ends it early, and what was measured so far is returned.

    Args:
        plan: what to measure.
        host: the machine.
        say: told what is done: steps done, steps in all, and a few words.
        own_pid: number of this process, whose work does not count as that of others.
    """
    samples = [Samples(one, threads) for one in plan.formats for threads in plan.threads]
    record = Record(host.health(), samples)
    workers: dict[Format, Worker] = {}
    steps = len(plan.formats) + plan.effort.rounds * (len(samples) * (len(BATCHES) + 1) + len(SCENES))
    steps += len(COMMANDS) + (len(plan.formats) if plan.pictures else 0)
    progress = _Progress(say, steps)
    try:
        for one in plan.formats:
            progress.step(f"loading {one.path.name}")
            with _faults_of([mine for mine in samples if mine.format == one]):
                workers[one] = host.start(one.path, one.engine)
                _first_look(workers[one], plan, [mine for mine in samples if mine.format == one])
        record.loop = loop_of(plan, samples)
        with _watched(record, host, [own_pid, *(worker.pid for worker in workers.values() if worker.pid)]):
            for number in range(plan.effort.rounds):
                say_round = partial(progress.step, f"round {number + 1}: ")
                _round(workers, samples, plan, say_round)
                loop_round(workers, record.loop, plan, say_round)
                record.during.append(host.health())
        start_commands(host.command, record.loop, plan.effort, progress.step)
        for one in plan.formats if plan.pictures else ():
            progress.step(f"accuracy of {one.path.name}")
            mine = next(each for each in samples if each.format == one)
            if mine.problem is None:
                with _faults_of([mine]):
                    mine.probabilities = workers[one].ask(Judge(list(plan.pictures)))
        record.complete = True
    except KeyboardInterrupt:
        pass
    finally:
        progress.end()
        for worker in workers.values():
            worker.close()
    return record


def _first_look(worker: Worker, plan: Plan, samples: Sequence[Samples]) -> None:
    """Load, warm up and take the memory, before the other numbers of threads are loaded beside the first."""
    effort = plan.effort
    for place, mine in enumerate(samples):
        opened = worker.ask(Open(mine.threads))
        mine.manifest = opened.manifest
        for batch in BATCHES:
            worker.ask(Call(mine.threads, batch, effort.warm_up_calls, 0.0))
        if place == 0:
            worker.ask(Watch(mine.threads, plan.film, effort.warm_up_frames))
            mine.load_ms, mine.peak_memory_bytes = opened.load_ms, worker.ask(Peak())


def _round(workers: dict[Format, Worker], samples: Sequence[Samples], plan: Plan, step: Callable[[str], None]) -> None:
    """One turn of each: A B C for each batch size, then A B C on the film, so that drift hits all alike."""
    effort = plan.effort

    def turn(mine: Samples, what: str, task: Task) -> Any:
        step(f"{mine.format.path.name} {what}")
        if mine.problem is not None:
            return None
        with _faults_of([mine]):
            return workers[mine.format].ask(task)
        return None

    for batch in BATCHES:
        for mine in samples:
            taken = turn(mine, f"batch {batch}", Call(mine.threads, batch, effort.calls, effort.seconds))
            if taken is not None:
                mine.calls.setdefault(batch, []).append(taken)
    for mine in samples:
        seen = turn(mine, "on the film", Watch(mine.threads, plan.film, effort.frames))
        if seen is not None:
            mine.turns.append(seen)


@contextlib.contextmanager
def _faults_of(samples: Sequence[Samples]) -> Iterator[None]:
    """A worker's fault becomes the problem of its rows, and the run goes on."""
    try:
        yield
    except WorkerError as error:
        for mine in samples:
            mine.problem = without_folder(error, mine.format.path)


@contextlib.contextmanager
def _watched(record: Record, host: Host, pids: Sequence[int]) -> Iterator[None]:
    """Take the time of the block, and whose work filled the cores meanwhile; also where it is interrupted."""
    began, busy = host.clock(), host.cpu_time()
    own = sum(host.process_seconds(pid) for pid in pids)
    try:
        yield
    finally:
        record.seconds = host.clock() - began
        busy_after = host.cpu_time()
        own_after = sum(host.process_seconds(pid) for pid in pids)
        if busy is not None and busy_after is not None and record.seconds > 0:
            all_seconds = busy_after.busy - busy.busy + busy_after.stolen - busy.stolen
            record.own_cores = (own_after - own) / record.seconds
            record.other_cores = max(0.0, (all_seconds - (own_after - own)) / record.seconds)


class _Progress:
    def __init__(self, say: Callable[[int, int, str], None], steps: int) -> None:
        self._say, self._steps, self._done = say, steps, 0

    def step(self, *what: str) -> None:
        self._say(self._done, self._steps, "".join(what))
        self._done += 1

    def end(self) -> None:
        self._say(self._steps, self._steps, "")
