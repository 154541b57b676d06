"""The part of a run that is about the camera loop and the commands rather than about formats."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.errors import EdgeFerError
from edge_fer_bench.commands import command_lines
from edge_fer_bench.process import WorkerError, without_folder
from edge_fer_bench.scenes import SCENES
from edge_fer_bench.worker import Act

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_fer_bench.commands import Start
    from edge_fer_bench.measuring import Turn
    from edge_fer_bench.process import Worker
    from edge_fer_bench.result import Effort
    from edge_fer_bench.session import Format, Plan, Samples

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


def act_scenes(
    workers: dict[Format, Worker], loop: LoopSamples | None, effort: Effort, step: Callable[[str], None]
) -> None:
    """One turn of each scene; a fault ends the loop's turns and becomes its problem."""
    for name in SCENES:
        step(f"scene: {name}")
        if loop is not None and loop.problem is None:
            loop.problem = loop.samples.problem
        if loop is None or loop.problem is not None:
            continue
        try:
            seen = workers[loop.format].ask(Act(loop.threads, name, effort.scene_frames))
        except WorkerError as error:
            loop.problem = without_folder(error, loop.format.path)
        else:
            loop.turns.setdefault(name, []).append(seen)


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
