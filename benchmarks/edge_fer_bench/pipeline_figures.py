"""What the camera loop should reach, and whether it does: one figure for each promise, with its limit.

The limits hold for one thread of a PC or of a small board alike where they are ratios; those in milliseconds, seconds
and MB were set for a PC.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.camera.pattern import FPS
from edge_fer_bench.result import PipelineFigure
from edge_fer_bench.scenes import EIGHT_FACES, LARGE, NOBODY, ONE_FACE, ONE_OF_EIGHT, SCENES, THREE_FACES
from edge_fer_bench.statistics import rounds_estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer_bench.judging import Judged
    from edge_fer_bench.looping import LoopSamples
    from edge_fer_bench.measuring import Turn
    from edge_fer_bench.result import Effort
    from edge_fer_bench.statistics import Estimate
    from edge_fer_bench.worker import Competed

TIMES_PLAIN, TIMES_PLAIN_ON_FILM = 8.0, 5.0
"""How much better than the plain loop on the demo, and on a film of one's own, where faces are harder to hold."""

FALSE_SHARE = 0.1
"""Boxes without a face, as a share of the plain loop's."""

CHANGES_A_SECOND, DELAY_MS = 0.7, 500.0
OWN_COST_MS = 0.5
LATE_FRAMES = 1.5
EIGHT_TIMES, LARGE_TIMES, IDLE_TIMES = 3.0, 1.6, 0.1
GROWN_MB = 1.0
"""What memory may grow by after the first tenth of the frames and still count as flat: the C library's heap gives
whole pages back late."""
PREDICT_SECONDS, HELP_SECONDS, RUN_MB = 0.6, 0.15, 120.0


@dataclass(frozen=True, slots=True)
class _Aim:
    name: str
    what: str
    unit: str
    limit: float
    at_least: bool = False


def pipeline_figures(loop: LoopSamples, effort: Effort) -> tuple[PipelineFigure, ...]:
    """All figures in the order of the report; one that was not measured says why."""
    return (
        *_against_plain(loop, effort),
        *_labels(loop),
        *_own_cost(loop, effort),
        *_scenes(loop),
        *_long_runs(loop, effort),
        *_starts(loop),
    )


def _against_plain(loop: LoopSamples, effort: Effort) -> list[PipelineFigure]:
    figures = []
    names = [name for name in loop.competed if name not in SCENES]
    for name in (ONE_FACE, THREE_FACES, *names):
        times = TIMES_PLAIN if name in SCENES else TIMES_PLAIN_ON_FILM
        rounds, where = loop.competed.get(name, []), Path(name).name
        pairs = [(one.following, one.plain) for one in rounds]
        why = _why(loop, effort.rival_frames, "the plain loop takes long")
        for key, what, values in (
            ("fps", "times the plain loop's frames a second", [_fps(mine) / _fps(plain) for mine, plain in pairs]),
            ("cpu", "times less processor time than it", [_cpu(plain) / _cpu(mine) for mine, plain in pairs]),
        ):
            aim = _Aim(f"plain_{key}: {where}", f"{where}: {what}", "times", times, at_least=True)
            figures.append(_in_rounds(aim, values, why))
    known = [rounds[0] for name, rounds in loop.competed.items() if name in SCENES]
    found, plain_found = (sum(one.found for one in side) for side in _sides(known))
    false, plain_false = (sum(one.false for one in side) for side in _sides(known))
    aim = _Aim("plain_found", "true faces found, of those that the plain loop found", "times", 1.0, at_least=True)
    why = _why(loop, effort.rival_frames, "the plain loop takes long")
    figures.append(_once(aim, found / plain_found if plain_found else None, why))
    aim = _Aim(
        "plain_false",
        "boxes without a face, at most a tenth of the plain loop's",
        "boxes",
        FALSE_SHARE * plain_false,
    )
    figures.append(_once(aim, float(false) if known else None, why))
    return figures


def _labels(loop: LoopSamples) -> list[PipelineFigure]:
    why = _why(loop)
    crowd = loop.acted.get(EIGHT_FACES)
    seconds = crowd.judged.found / FPS if crowd is not None else 0.0
    changes = crowd.judged.label_changes / seconds if crowd is not None and seconds else None
    delays = [delay for name in (ONE_FACE, THREE_FACES) if name in loop.acted for delay in loop.acted[name].delays_ms]
    if not delays and loop.acted and not loop.problem:
        why = "no expression changed for long enough"
    return [
        _once(_Aim("label_changes", "changes of the label of a face that holds its expression", "a second",
                   CHANGES_A_SECOND), changes, why),
        _once(_Aim("label_delay", "from a face that has turned to its label, the longest", "ms", DELAY_MS),
              max(delays, default=None), why),
    ]  # fmt: skip


def _own_cost(loop: LoopSamples, effort: Effort) -> list[PipelineFigure]:
    why = _why(loop, effort.own_cost_rounds, "needs many rounds over the same frames")
    return [
        _once(
            _Aim(f"own_cost: {name}", f"{name}: a frame without OpenCV and engine, p50", "ms", OWN_COST_MS),
            loop.own_cost_ms[name][0] if name in loop.own_cost_ms else None,
            why,
        )
        for name in (ONE_FACE, THREE_FACES, EIGHT_FACES)
    ]


def _scenes(loop: LoopSamples) -> list[PipelineFigure]:
    figures = []
    for key, what, limit, name, base in (
        ("eight_faces", "8 faces: processor time, of that of 1", EIGHT_TIMES, EIGHT_FACES, ONE_OF_EIGHT),
        ("large", "1920x1080: processor time, of that of 640x480", LARGE_TIMES, LARGE, ONE_FACE),
        ("idle", "nobody: processor time, of that of 1 face", IDLE_TIMES, NOBODY, ONE_FACE),
    ):
        pairs = zip(loop.turns.get(name, []), loop.turns.get(base, []), strict=False)
        ratios = [_cpu(mine) / _cpu(theirs) for mine, theirs in pairs if theirs.cpu_seconds > 0]
        figures.append(_in_rounds(_Aim(key, what, "times", limit), ratios, _why(loop)))
    return figures


def _long_runs(loop: LoopSamples, effort: Effort) -> list[PipelineFigure]:
    held = loop.held
    grown = (held[-1][1] - held[0][1]) / 1e6 if held else None
    frames = f"{effort.memory_frames:,} frames" if effort.memory_frames else "many frames"
    no_memory = "this system does not tell" if not held and loop.late_ms and not loop.problem else None
    return [
        _once(
            _Aim("late", "at 30 frames a second: from frame to sink, p95", "ms", LATE_FRAMES * 1e3 / FPS),
            None if loop.late_ms is None else loop.late_ms[1],
            _why(loop, effort.late_seconds, "takes ten seconds at a camera's pace"),
        ),
        _once(
            _Aim("memory", f"memory grown over {frames}, after the first tenth", "MB", GROWN_MB),
            grown,
            no_memory or _why(loop, effort.memory_frames, "takes thousands of frames"),
        ),
    ]


def _starts(loop: LoopSamples) -> list[PipelineFigure]:
    why = _why(loop)

    def rounds(name: str, key: str, scale: float = 1.0) -> list[float]:
        found = [getattr(one, key) for one in loop.starts.get(name, [])]
        return [value * scale for value in found if value is not None]

    predict = _Aim("predict", "edge-fer predict of one picture: processor time", "s", PREDICT_SECONDS)
    usage = _Aim("help", "edge-fer --help, in all", "s", HELP_SECONDS)
    run = _Aim("run_memory", "edge-fer run: highest memory", "MB", RUN_MB)
    return [
        _in_rounds(predict, rounds("predict", "cpu_seconds"), why),
        _in_rounds(usage, rounds("--help", "wall_seconds"), why),
        _once(run, max(rounds("run", "peak_memory_bytes", 1e-6), default=None), why),
    ]


def _sides(known: Sequence[Competed]) -> tuple[list[Judged], list[Judged]]:
    return [one.judged for one in known], [one.plain_judged for one in known]


def _why(loop: LoopSamples, effort: float = 1.0, reason: str = "") -> str:
    if not effort:
        return f"left out of a quick run: {reason}"
    return loop.problem or "interrupted"


def _in_rounds(aim: _Aim, values: Sequence[float], why: str) -> PipelineFigure:
    spread = rounds_estimate(values) if values else None
    return _once(aim, spread.value if spread else None, why, spread)


def _once(aim: _Aim, value: float | None, why: str, spread: Estimate | None = None) -> PipelineFigure:
    met = None if value is None else value >= aim.limit if aim.at_least else value <= aim.limit
    left_out = why if value is None else None
    return PipelineFigure(aim.name, aim.what, aim.unit, aim.limit, aim.at_least, value, spread, met, left_out)


def _fps(turn: Turn) -> float:
    return turn.frames / turn.wall_seconds


def _cpu(turn: Turn) -> float:
    return turn.cpu_seconds / turn.frames
