"""Two results side by side, as ratios: after a change, between machines, or as a gate in a test run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_fer.errors import ConfigError
from edge_fer_bench.statistics import Estimate, ratio_estimate
from edge_fer_bench.table import aligned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer_bench.result import BenchResult, Loop, Row

GATED = ("1 face", "4 faces", "frame", "CPU")
"""Figures that the gate looks at: all that are measured round by round. Loading and memory are shown alone."""


@dataclass(frozen=True, slots=True)
class RowRatios:
    """One format in both results; every ratio is the second over the first, so that above 1 is slower or larger."""

    file: str
    """Or `scene: ` and its name, for the camera loop."""
    threads: int
    ratios: dict[str, Estimate]
    """By figure: `1 face` and `4 faces` (latency p50), `frame` (time a frame), `CPU` (processor time a frame), `load`,
    `memory`; a figure that either lacks is left out."""
    accuracy_points: float | None = None
    """By how many points the second is the more accurate, on the same data; None where either was not measured."""
    changed: bool = False
    """The model file is not the same."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two results have in common, and what keeps them apart."""

    rows: tuple[RowRatios, ...]
    missing: tuple[str, ...]
    """What the first measured and the second did not."""
    notes: tuple[str, ...]
    """Why the ratios may not mean what they seem to."""


def compare(first: BenchResult, second: BenchResult) -> Comparison:
    """Match the formats of two results by file name and number of threads, and the scenes of the loop by name.

    Raises:
        ConfigError: they have no format in common.
    """
    theirs = {row.key: row for row in second.rows if row.latency or row.film}
    mine = [row for row in first.rows if row.latency or row.film]
    common = [row for row in mine if row.key in theirs]
    if not common:
        raise ConfigError("the results have no measured format in common: compare results of the same model files")
    same_film, same_data = first.film == second.film, first.data_set == second.data_set
    rows = [_ratios(row, theirs[row.key], same_film, same_data) for row in common]
    missing = [f"{row.file} with {row.threads} threads" for row in mine if row.key not in theirs]
    missing += [f"the film with {row.file}" for row in common if row.film and not theirs[row.key].film and same_film]
    scenes, lost = _scenes(first.loop, second.loop)
    return Comparison((*rows, *scenes), (*missing, *lost), tuple(_notes(first, second)))


def over_limit(comparison: Comparison, limit: float) -> list[str]:
    """What the gate does not let through, one line each: gated ratios above the limit, and formats that are missing."""
    found = [
        f"{row.file}, {figure}: {ratio.value:.3g} times"
        for row in comparison.rows
        for figure, ratio in row.ratios.items()
        if figure in GATED and ratio.value > limit
    ]
    return found + [f"{what}: not measured any more" for what in comparison.missing]


def comparison_table(comparison: Comparison) -> str:
    """Ratios with their 95 % intervals, one format a line."""
    names = [name for name in (*GATED, "load", "memory") if any(name in row.ratios for row in comparison.rows)]
    accurate = any(row.accuracy_points is not None for row in comparison.rows)
    header = [*names, *(["accuracy"] if accurate else [])]
    cells = []
    for row in comparison.rows:
        line = [_shown(row.ratios.get(name)) for name in names]
        points = "-" if row.accuracy_points is None else f"{row.accuracy_points:+.2f} points"
        cells.append([*line, *([points] if accurate else [])])
    several = len({row.threads for row in comparison.rows}) > 1
    files = ["file"] + [
        row.file + (f", {row.threads} threads" if several else "") + (" (changed)" if row.changed else "")
        for row in comparison.rows
    ]
    lines = [f"Note: {note}" for note in comparison.notes]
    lines += [f"{line}  {file}" for line, file in zip(aligned(header, cells), files, strict=True)]
    lines += [f"only in the first: {what}" for what in comparison.missing]
    return "\n".join([*lines, "The second over the first, with 95 % intervals: above 1 is slower or larger."])


def comparison_record(comparison: Comparison) -> dict[str, object]:
    """The comparison as a value for JSON."""
    rows = [
        {
            "file": row.file,
            "threads": row.threads,
            "changed": row.changed,
            "accuracy_points": row.accuracy_points,
            "ratios": {
                name: {"value": one.value, "low": one.low, "high": one.high} for name, one in row.ratios.items()
            },
        }
        for row in comparison.rows
    ]
    return {"rows": rows, "missing": list(comparison.missing), "notes": list(comparison.notes)}


def _ratios(mine: Row, theirs: Row, same_film: bool, same_data: bool) -> RowRatios:
    ratios: dict[str, Estimate] = {}
    for batch, name in ((1, "1 face"), (4, "4 faces")):
        old, new = mine.latency_of(batch), theirs.latency_of(batch)
        if old is not None and new is not None and _usable(old.round_p50, new.round_p50):
            ratios[name] = ratio_estimate(new.round_p50, old.round_p50)
    if mine.film is not None and theirs.film is not None and same_film:
        if _usable(mine.film.round_fps, theirs.film.round_fps):
            # How much longer a frame takes is how many more of them the other did.
            ratios["frame"] = ratio_estimate(mine.film.round_fps, theirs.film.round_fps)
        if _usable(mine.film.round_cpu_ms, theirs.film.round_cpu_ms):
            ratios["CPU"] = ratio_estimate(theirs.film.round_cpu_ms, mine.film.round_cpu_ms)
    if mine.load_ms and theirs.load_ms:
        ratios["load"] = _plain(theirs.load_ms / mine.load_ms)
    if mine.peak_memory_bytes and theirs.peak_memory_bytes:
        ratios["memory"] = _plain(theirs.peak_memory_bytes / mine.peak_memory_bytes)
    points = None
    if mine.accuracy is not None and theirs.accuracy is not None and same_data:
        points = (theirs.accuracy.accuracy.value - mine.accuracy.accuracy.value) * 100
    return RowRatios(mine.file, mine.threads, ratios, points, mine.sha256 != theirs.sha256)


def _scenes(first: Loop | None, second: Loop | None) -> tuple[list[RowRatios], list[str]]:
    """Ratios of the scenes and what is missing of them; nothing where the loops ran with different formats."""
    if first is None or second is None or (first.file, first.threads) != (second.file, second.threads):
        return [], []
    rows, missing = [], []
    for old in first.scenes:
        new, name = second.scene(old.name), f"scene: {old.name}"
        if new is None:
            missing.append(name)
        elif _usable(old.round_cpu_ms, new.round_cpu_ms):
            rows.append(RowRatios(name, first.threads, {"CPU": ratio_estimate(new.round_cpu_ms, old.round_cpu_ms)}))
    return rows, missing


def _usable(*rounds: Sequence[float]) -> bool:
    return all(one and min(one) > 0 for one in rounds)


def _notes(first: BenchResult, second: BenchResult) -> list[str]:
    notes = [f"the {which} is invalid: {'; '.join(one.invalid)}"
             for which, one in (("first", first), ("second", second)) if one.invalid]  # fmt: skip
    machines = [one.environment.board or one.environment.processor or "unknown" for one in (first, second)]
    processors = [one.environment.processor or "unknown" for one in (first, second)]
    if machines[0] != machines[1] or processors[0] != processors[1]:
        notes.append(f"different machines: {machines[0]} ({processors[0]}) and {machines[1]} ({processors[1]})")
    if first.film != second.film:
        notes.append(f"different films, so no ratio of frames: {first.film} and {second.film}")
    old, new = first.environment.packages, second.environment.packages
    for name in sorted(old.keys() & new.keys()):
        if old[name] != new[name]:
            notes.append(f"{name} {old[name]} and {new[name]}")
    return notes


def _plain(value: float) -> Estimate:
    return Estimate(value, value, value)


def _shown(ratio: Estimate | None) -> str:
    if ratio is None:
        return "-"
    exact = ratio.low == ratio.value == ratio.high
    return f"{ratio.value:.2f}" if exact else f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
