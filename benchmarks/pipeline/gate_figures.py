"""What the camera loop should reach, and whether it does: one figure for each promise, with its limit.

The limits hold for one thread of a PC or of a small board alike where they are ratios; those in milliseconds, seconds
and MB were set for a PC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from edge_fer_bench.scenes import EIGHT_FACES, LARGE, NOBODY, ONE_FACE, ONE_OF_EIGHT, SCENES, THREE_FACES
from edge_fer_bench.statistics import rounds_estimate
from edge_fer_bench.table import aligned

from edge_fer.camera.demo import FPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer_bench.commands import Start
    from edge_fer_bench.measuring import Turn
    from edge_fer_bench.statistics import Estimate
    from tracking_metrics import Judged

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
class GateEffort:
    """How long to measure."""

    rounds: int
    """Each scene has its turn once a round."""
    scene_frames: int
    """Frames of each scene a round."""
    crowd_frames: int
    """The same of the scenes with eight faces and with one of them."""
    rival_frames: int
    """Frames of each film a round on which the loop is measured against the plain one."""
    plain_frames: int
    """How many of them the plain loop sees."""
    starts: int
    """How often each command is started."""
    own_cost_rounds: int = 0
    """Rounds over which the loop's own cost is measured; 0 leaves it out."""
    late_seconds: float = 0.0
    """Time at 30 frames a second; 0 leaves it out."""
    memory_frames: int = 0
    """Frames over which memory is watched; 0 leaves it out."""


FULL = GateEffort(8, 100, 60, 100, 20, 5, own_cost_rounds=10, late_seconds=10.0, memory_frames=5000)
QUICK = GateEffort(3, 50, 24, 24, 2, 1)


@dataclass(frozen=True, slots=True)
class Acted:
    """How a scene went."""

    turn: Turn
    judged: Judged
    """Nothing is due where the scene knows no truth."""
    delays_ms: tuple[float, ...]
    """From each face that has turned into another expression to its label."""


@dataclass(frozen=True, slots=True)
class Competed:
    """How the loop and the plain one fared; faces are counted on the frames that both saw."""

    following: Turn
    plain: Turn
    judged: Judged
    plain_judged: Judged


@dataclass(slots=True)
class GateSamples:
    """What was measured, round by round."""

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


@dataclass(frozen=True, slots=True)
class GateFigure:
    """One of the figures that the camera loop should reach."""

    name: str
    """Short, for programs; stays from version to version."""
    what: str
    """For people."""
    unit: str
    """`times`, `ms`, `s`, `MiB`, `a second` or `boxes`."""
    limit: float
    at_least: bool
    """True where the value should not be below the limit, False where it should not be above."""
    value: float | None = None
    spread: Estimate | None = None
    """The value with its interval, where it was measured in rounds."""
    met: bool | None = None
    left_out: str | None = None
    """Why it was not measured."""


@dataclass(frozen=True, slots=True)
class _Aim:
    name: str
    what: str
    unit: str
    limit: float
    at_least: bool = False


def gate_figures(loop: GateSamples, effort: GateEffort) -> tuple[GateFigure, ...]:
    """All figures in the order of the report; one that was not measured says why."""
    return (
        *_against_plain(loop, effort),
        *_labels(loop),
        *_own_cost(loop, effort),
        *_scenes(loop),
        *_long_runs(loop, effort),
        *_starts(loop),
    )


def _against_plain(loop: GateSamples, effort: GateEffort) -> list[GateFigure]:
    figures = []
    names = [name for name in loop.competed if name not in SCENES]
    for name in (ONE_FACE, THREE_FACES, *names):
        times = TIMES_PLAIN if name in SCENES else TIMES_PLAIN_ON_FILM
        rounds, where = loop.competed.get(name, []), Path(name).name
        pairs = [(one.following, one.plain) for one in rounds]
        why = _why(effort.rival_frames, "the plain loop takes long")
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
    why = _why(effort.rival_frames, "the plain loop takes long")
    figures.append(_once(aim, found / plain_found if plain_found else None, why))
    aim = _Aim(
        "plain_false",
        "boxes without a face, at most a tenth of the plain loop's",
        "boxes",
        FALSE_SHARE * plain_false,
    )
    figures.append(_once(aim, float(false) if known else None, why))
    return figures


def _labels(loop: GateSamples) -> list[GateFigure]:
    crowd = loop.acted.get(EIGHT_FACES)
    seconds = crowd.judged.found / FPS if crowd is not None else 0.0
    changes = crowd.judged.label_changes / seconds if crowd is not None and seconds else None
    delays = [delay for name in (ONE_FACE, THREE_FACES) if name in loop.acted for delay in loop.acted[name].delays_ms]
    why = "no expression changed for long enough"
    return [
        _once(_Aim("label_changes", "changes of the label of a face that holds its expression", "a second",
                   CHANGES_A_SECOND), changes, why),
        _once(_Aim("label_delay", "from a face that has turned to its label, the longest", "ms", DELAY_MS),
              max(delays, default=None), why),
    ]  # fmt: skip


def _own_cost(loop: GateSamples, effort: GateEffort) -> list[GateFigure]:
    why = _why(effort.own_cost_rounds, "needs many rounds over the same frames")
    return [
        _once(
            _Aim(f"own_cost: {name}", f"{name}: a frame without OpenCV and engine, p50", "ms", OWN_COST_MS),
            loop.own_cost_ms[name][0] if name in loop.own_cost_ms else None,
            why,
        )
        for name in (ONE_FACE, THREE_FACES, EIGHT_FACES)
    ]


def _scenes(loop: GateSamples) -> list[GateFigure]:
    figures = []
    for key, what, limit, name, base in (
        ("eight_faces", "8 faces: processor time, of that of 1", EIGHT_TIMES, EIGHT_FACES, ONE_OF_EIGHT),
        ("large", "1920x1080: processor time, of that of 640x480", LARGE_TIMES, LARGE, ONE_FACE),
        ("idle", "nobody: processor time, of that of 1 face", IDLE_TIMES, NOBODY, ONE_FACE),
    ):
        pairs = zip(loop.turns.get(name, []), loop.turns.get(base, []), strict=False)
        ratios = [_cpu(mine) / _cpu(theirs) for mine, theirs in pairs if theirs.cpu_seconds > 0]
        figures.append(_in_rounds(_Aim(key, what, "times", limit), ratios, _why()))
    return figures


def _long_runs(loop: GateSamples, effort: GateEffort) -> list[GateFigure]:
    held = loop.held
    grown = (held[-1][1] - held[0][1]) / 1e6 if held else None
    frames = f"{effort.memory_frames:,} frames" if effort.memory_frames else "many frames"
    no_memory = "this system does not say" if not held and effort.memory_frames else None
    return [
        _once(
            _Aim("late", "at 30 frames a second: from frame to sink, p95", "ms", LATE_FRAMES * 1e3 / FPS),
            None if loop.late_ms is None else loop.late_ms[1],
            _why(effort.late_seconds, "takes ten seconds at a camera's pace"),
        ),
        _once(
            _Aim("memory", f"memory grown over {frames}, after the first tenth", "MB", GROWN_MB),
            grown,
            no_memory or _why(effort.memory_frames, "takes thousands of frames"),
        ),
    ]


def _starts(loop: GateSamples) -> list[GateFigure]:
    why = _why()

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


def _why(effort: float = 1.0, reason: str = "") -> str:
    return "not measured" if effort else f"left out of a quick run: {reason}"


def _in_rounds(aim: _Aim, values: Sequence[float], why: str) -> GateFigure:
    spread = rounds_estimate(values) if values else None
    return _once(aim, spread.value if spread else None, why, spread)


def _once(aim: _Aim, value: float | None, why: str, spread: Estimate | None = None) -> GateFigure:
    met = None if value is None else value >= aim.limit if aim.at_least else value <= aim.limit
    left_out = why if value is None else None
    return GateFigure(aim.name, aim.what, aim.unit, aim.limit, aim.at_least, value, spread, met, left_out)


def _fps(turn: Turn) -> float:
    return turn.frames / turn.wall_seconds


def _cpu(turn: Turn) -> float:
    return turn.cpu_seconds / turn.frames


def gate_lines(figures: Sequence[GateFigure]) -> list[str]:
    """A table of the figures that were measured, and what was left out: one line a reason."""
    header = ["", "measured", "95 %", "should be", "met"]
    lines = aligned(header, [_line(one) for one in figures if one.value is not None], left=1)
    reasons: dict[str, list[str]] = {}
    for one in figures:
        if one.value is None:
            reasons.setdefault(one.left_out or "not measured", []).append(one.what)
    left_out = [f"not measured ({reason}): {'; '.join(names)}" for reason, names in reasons.items()]
    return [*lines, *(wrapped for line in left_out for wrapped in wrap(line, 118))]


def _line(one: GateFigure) -> list[str]:
    spread = "-" if one.spread is None else f"{one.spread.low:.3g} to {one.spread.high:.3g}"
    limit = f"{'at least' if one.at_least else 'at most'} {one.limit:.3g}"
    return [one.what, f"{one.value:.3g} {one.unit}", spread, limit, "yes" if one.met else "NO"]
