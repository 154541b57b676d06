"""From what was measured to the result: figures a row, and the reasons not to trust them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_fer.device.board import throttled_before, throttled_now
from edge_fer.errors import ModelError
from edge_fer_bench.accuracy import with_accuracy
from edge_fer_bench.result import SCHEMA, BenchResult, Film, Latency, Loop, Row, SceneFigures, StartFigures
from edge_fer_bench.statistics import median_estimate, quantiles, rounds_estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.evaluation.labelled import LabelledFaces
    from edge_fer.evaluation.metrics import Floats
    from edge_fer_bench.environment import Environment, Health
    from edge_fer_bench.looping import LoopSamples
    from edge_fer_bench.measuring import Turn
    from edge_fer_bench.session import Plan, Record, Samples

BUSY_SHARE = 0.1
BUSY_CORES = 0.25
"""Others are too busy where they take more than a tenth of all cores, and more than a quarter of one."""

LEAST_ROUNDS, LEAST_CALLS, LEAST_FRAMES = 3, 60, 100
"""Below these a row is too short to be trusted."""

LEAST_EXPLAINED = 0.95
"""Share of a frame's time that its stages must make up; with less the benchmark itself was in the way."""


def sum_up(
    plan: Plan,
    record: Record,
    environment: Environment,
    *,
    quick: bool,
    after: Health,
    faces: LabelledFaces | None = None,
    data_set: str | None = None,
) -> BenchResult:
    """Make the result of a run."""
    rows = [_row(mine, _size(mine.format.path)) for mine in record.samples]
    if faces is not None:
        rows = with_accuracy(rows, record.samples, faces, data_set or "")
    return BenchResult(
        schema=SCHEMA,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        quick=quick,
        complete=record.complete,
        effort=plan.effort,
        film=plan.film if plan.film == "demo" else Path(plan.film).name,
        data_set=data_set,
        environment=environment,
        before=record.before,
        after=after,
        seconds=record.seconds,
        own_cores=record.own_cores,
        other_cores=record.other_cores,
        rows=tuple(rows),
        invalid=reasons_for_doubt(record, after, environment.cores, rows),
        loop=None if record.loop is None else _loop(record.loop),
    )


def reasons_for_doubt(record: Record, after: Health, cores: int, rows: Sequence[Row]) -> tuple[str, ...]:
    """Why the figures are not to be trusted, one sentence each; empty where nothing speaks against them."""
    reasons = []
    if not record.complete:
        reasons.append("interrupted: not every format had all of its turns")
    held_back = _held_back(record.before, [*record.during, after])
    if held_back:
        reasons.append(f"throttled: {', '.join(held_back)}; cool the board and check its power supply")
    others = record.other_cores
    if others is not None and others > max(BUSY_CORES, BUSY_SHARE * cores):
        reasons.append(f"busy: other work kept {others:.1f} of {cores} cores busy; end it and measure again")
    short = [row.file for row in rows if row.problem is None and _too_short(row)]
    if short and record.complete:
        reasons.append(f"too short: {_first_of(short)}; give a longer film or more rounds")
    dark = [row.file for row in rows if row.film is not None and row.film.explained < LEAST_EXPLAINED]
    if dark:
        reasons.append(f"unexplained: stages make up less than {LEAST_EXPLAINED:.0%} of a frame: {_first_of(dark)}")
    return tuple(reasons)


def _first_of(files: Sequence[str]) -> str:
    return f"{files[0]} and {len(files) - 1} more" if len(files) > 1 else files[0]


def _held_back(before: Health, later: Sequence[Health]) -> list[str]:
    """What slowed the processor during the run; what did so before the run alone does not count."""
    found: list[str] = []
    for one in (before, *later):
        if one.throttled is not None:
            found += throttled_now(one.throttled)
    first, last = before.throttled, later[-1].throttled if later else None
    if first is not None and last is not None:
        found += [what for what in throttled_before(last) if what not in throttled_before(first)]
    counts = before.throttle_count, later[-1].throttle_count if later else None
    if counts[0] is not None and counts[1] is not None and counts[1] > counts[0]:
        found.append("slowed for its heat")
    return list(dict.fromkeys(found))


def _too_short(row: Row) -> bool:
    calls = min((len(one.round_p50) for one in row.latency), default=0), min((o.calls for o in row.latency), default=0)
    frames = row.film.frames if row.film else 0
    return calls[0] < LEAST_ROUNDS or calls[1] < LEAST_CALLS or frames < LEAST_FRAMES


def _row(mine: Samples, size_bytes: int) -> Row:
    manifest = mine.manifest
    return Row(
        file=mine.format.path.name,
        threads=mine.threads,
        size_bytes=size_bytes,
        problem=mine.problem,
        model=manifest.name if manifest else None,
        engine=mine.format.engine,
        recipe=manifest.recipe if manifest else None,
        sha256=manifest.sha256 if manifest else None,
        load_ms=mine.load_ms,
        peak_memory_bytes=mine.peak_memory_bytes,
        latency=tuple(_latency(batch, rounds) for batch, rounds in mine.calls.items()),
        film=_film([turn for turn in mine.turns if turn.frames]),
    )


def _latency(batch: int, rounds: Sequence[Floats]) -> Latency:
    pooled = np.concatenate(rounds)
    return Latency(
        batch=batch,
        calls=len(pooled),
        p50=median_estimate(rounds),
        p90=float(np.quantile(pooled, 0.9)),
        p99=float(np.quantile(pooled, 0.99)),
        lowest=float(pooled.min()),
        round_p50=tuple(float(np.median(one)) for one in rounds),
        quantiles=quantiles(pooled),
    )


def _film(turns: Sequence[Turn]) -> Film | None:
    if not turns:
        return None
    frames = sum(one.frames for one in turns)
    fps = [one.frames / one.wall_seconds for one in turns]
    return Film(
        frames=frames,
        faces=sum(one.faces for one in turns),
        fps=rounds_estimate(fps),
        round_fps=tuple(fps),
        read_ms=sum(one.read_seconds for one in turns) / frames * 1e3,
        detect_ms=sum(one.detect_seconds for one in turns) / frames * 1e3,
        classify_ms=sum(one.classify_seconds for one in turns) / frames * 1e3,
        frame_ms=sum(one.wall_seconds for one in turns) / frames * 1e3,
        cpu_ms=sum(one.cpu_seconds for one in turns) / frames * 1e3,
        round_cpu_ms=tuple(one.cpu_seconds / one.frames * 1e3 for one in turns),
    )


def _loop(mine: LoopSamples) -> Loop:
    scenes = []
    for name, turns in mine.turns.items():
        cpu_ms = tuple(one.cpu_seconds / one.frames * 1e3 for one in turns)
        fps = rounds_estimate([one.frames / one.wall_seconds for one in turns])
        frames, faces = sum(one.frames for one in turns), sum(one.faces for one in turns)
        scenes.append(SceneFigures(name, frames, faces, fps, float(np.median(cpu_ms)), cpu_ms))
    starts = []
    for name, taken in mine.starts.items():
        peaks = [one.peak_memory_bytes for one in taken if one.peak_memory_bytes is not None]
        wall, cpu = (float(np.median([getattr(one, key) for one in taken])) for key in ("wall_seconds", "cpu_seconds"))
        starts.append(StartFigures(name, len(taken), wall, cpu, max(peaks, default=None)))
    return Loop(mine.format.path.name, mine.threads, tuple(scenes), tuple(starts), mine.problem)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        raise ModelError(f"no such model file: {path}") from None
