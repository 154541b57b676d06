"""The part of a run that is about the camera loop and the commands rather than about formats."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_fer.errors import EdgeFerError
from edge_fer_bench.commands import command_lines
from edge_fer_bench.process import WorkerError, without_folder
from edge_fer_bench.scenes import CROWDS, EIGHT_FACES, ONE_FACE, SCENES, THREE_FACES
from edge_fer_bench.worker import Act, BeLate, Compete, Endure, OwnCost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_fer_bench.commands import Start
    from edge_fer_bench.measuring import Turn
    from edge_fer_bench.process import Worker
    from edge_fer_bench.result import Effort
    from edge_fer_bench.session import Format, Plan, Samples
    from edge_fer_bench.worker import Acted, Competed, Task

COMMANDS = ("--help", "predict", "run")
OWN_COST_SCENES = (ONE_FACE, THREE_FACES, EIGHT_FACES)
OWN_COST_FRAMES = 60


@dataclass(slots=True)
class LoopSamples:
    """What was measured of the camera loop with one format, round by round."""

    samples: Samples
    """Of the format itself: where that fails, the loop is not asked either."""
    turns: dict[str, list[Turn]] = field(default_factory=dict)
    acted: dict[str, Acted] = field(default_factory=dict)
    """What was shown in each scene; every round shows the same."""
    competed: dict[str, list[Competed]] = field(default_factory=dict)
    """Against the plain loop, by scene or video."""
    own_cost_ms: dict[str, tuple[float, float]] = field(default_factory=dict)
    """p50 and p95 by scene."""
    late_ms: tuple[float, float] | None = None
    """p50 and p95."""
    held: list[tuple[int, int]] = field(default_factory=list)
    """Frames and bytes."""
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


def round_steps(plan: Plan) -> int:
    """Number of steps of `loop_round`."""
    return len(SCENES) + len(_rival_films(plan))


def loop_round(
    workers: dict[Format, Worker], loop: LoopSamples | None, plan: Plan, step: Callable[[str], None]
) -> None:
    """One turn of each scene and against the plain loop; a fault ends the turns and becomes the loop's problem."""
    effort = plan.effort
    for name in SCENES:
        step(f"scene: {name}")
        frames = (effort.crowd_frames if name in CROWDS else 0) or effort.scene_frames
        if loop is not None and (acted := _ask(workers, loop, Act(loop.threads, name, frames))):
            loop.turns.setdefault(name, []).append(acted.turn)
            loop.acted[name] = acted
    for name in _rival_films(plan):
        step(f"against the plain loop: {Path(name).name}")
        every = max(1, effort.rival_frames // max(1, effort.plain_frames))
        if loop is not None and (found := _ask(workers, loop, Compete(loop.threads, name, effort.rival_frames, every))):
            loop.competed.setdefault(name, []).append(found)


def once_steps(plan: Plan) -> int:
    """Number of steps of `loop_once`."""
    effort = plan.effort
    own_cost = len(OWN_COST_SCENES) if effort.own_cost_rounds else 0
    return own_cost + (effort.late_seconds > 0) + (effort.memory_frames > 0)


def loop_once(workers: dict[Format, Worker], loop: LoopSamples | None, plan: Plan, step: Callable[[str], None]) -> None:
    """What takes long and is measured once; a fault becomes the loop's problem."""
    effort = plan.effort
    for name in OWN_COST_SCENES if effort.own_cost_rounds else ():
        step(f"the loop's own cost: {name}")
        if loop is not None:
            task = OwnCost(loop.threads, name, OWN_COST_FRAMES, effort.own_cost_rounds)
            if (cost := _ask(workers, loop, task)) is not None:
                loop.own_cost_ms[name] = cost
    if effort.late_seconds > 0:
        step("at 30 frames a second")
        if loop is not None:
            loop.late_ms = _ask(workers, loop, BeLate(loop.threads, effort.late_seconds))
    if effort.memory_frames > 0:
        step(f"memory over {effort.memory_frames} frames")
        if loop is not None:
            loop.held = _ask(workers, loop, Endure(loop.threads, effort.memory_frames)) or []


def _rival_films(plan: Plan) -> tuple[str, ...]:
    if not plan.effort.rival_frames:
        return ()
    return (ONE_FACE, THREE_FACES, *([] if plan.film == "demo" else [plan.film]))


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
