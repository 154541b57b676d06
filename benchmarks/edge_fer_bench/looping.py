"""The part of a run that is about the camera loop and the commands rather than about formats."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_fer.errors import EdgeFerError
from edge_fer_bench.commands import command_lines
from edge_fer_bench.process import WorkerError, without_folder
from edge_fer_bench.scenes import CROWDS, SCENES
from edge_fer_bench.worker import Act

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_fer_bench.commands import Start
    from edge_fer_bench.measuring import Turn
    from edge_fer_bench.process import Worker
    from edge_fer_bench.result import Effort
    from edge_fer_bench.session import Format, Plan, Samples
    from edge_fer_bench.worker import Task

COMMANDS = ("--help", "predict", "run")


@dataclass(slots=True)
class LoopSamples:
    """What was measured of the camera loop with one format, round by round."""

    samples: Samples
    """Of the format itself: where that fails, the loop is not asked either."""
    turns: dict[str, list[Turn]] = field(default_factory=dict)
    starts: dict[str, list[Start]] = field(default_factory=dict)
    problem: str | None = None

    @property
    def format(self) -> Format:
        """The format it runs with."""
        return self.samples.format

    @property
    def threads(self) -> int:
        """Threads of OpenCV and the engine."""
        return self.samples.threads


def loop_of(plan: Plan, samples: Sequence[Samples]) -> LoopSamples | None:
    """The format to run the loop with: the one asked for where it was loaded, else the first that was."""
    sound = [mine for mine in samples if mine.problem is None]
    wanted = [mine for mine in sound if mine.format == plan.loop_with] or sound
    return LoopSamples(wanted[0]) if wanted else None


def loop_round(
    workers: dict[Format, Worker], loop: LoopSamples | None, plan: Plan, step: Callable[[str], None]
) -> None:
    """One turn of each scene; a fault ends the turns and becomes the loop's problem."""
    effort = plan.effort
    for name in SCENES:
        step(f"scene: {name}")
        frames = (effort.crowd_frames if name in CROWDS else 0) or effort.scene_frames
        if loop is not None and (turn := _ask(workers, loop, Act(loop.threads, name, frames))):
            loop.turns.setdefault(name, []).append(turn)


def _ask(workers: dict[Format, Worker], loop: LoopSamples, task: Task) -> Any:
    """The answer; None where it failed, now or before."""
    loop.problem = loop.problem or loop.samples.problem
    if loop.problem is not None:
        return None
    try:
        return workers[loop.format].ask(task)
    except WorkerError as error:
        loop.problem = without_folder(error, loop.format.path)
        return None


def start_commands(
    command: Callable[[Sequence[str]], Start], loop: LoopSamples | None, effort: Effort, step: Callable[[str], None]
) -> None:
    """Start each command, all in turn, so often; the first fault ends it and becomes the loop's problem."""
    with tempfile.TemporaryDirectory(prefix="edge-fer-") as folder:
        lines = {} if loop is None else command_lines(loop.format.path, loop.threads, Path(folder))
        for name in COMMANDS:
            step(f"starting edge-fer {name}")
            for _ in range(effort.starts):
                if loop is None or loop.problem is not None:
                    break
                try:
                    taken = command(lines[name])
                except EdgeFerError as error:
                    loop.problem = without_folder(error, loop.format.path)
                else:
                    loop.starts.setdefault(name, []).append(taken)
