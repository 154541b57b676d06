"""The result as a table for a terminal of 120 characters or a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_fer.device.board import throttled_before, throttled_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_fer_bench.environment import Health
    from edge_fer_bench.result import BenchResult, Loop, Row

ONE_FACE = "1 face"
"""The scene that others are compared with."""

RECIPE_WORDS = {
    "fp32": "fp32", "fp16": "fp16", "dynamic_wi8_afp32": "int8 weights", "static_wi8_ai8": "int8",
    "static_wi8_ai16": "int16x8",
}  # fmt: skip
"""Short names of the recipes."""


def result_table(result: BenchResult) -> str:
    """What was measured, on what, and loudly why not to trust it."""
    doubts = [f"INVALID: {reason}" for reason in result.invalid]
    lines = [*doubts, *machine_lines(result), "", *_speed(result), *loop_lines(result)]
    lines += _accuracy(result)
    return "\n".join([*lines, *(["", *doubts] if doubts else [])])


def machine_lines(result: BenchResult) -> list[str]:
    """What it was measured on, how long, and how the machine fared."""
    machine = result.environment
    where = [machine.board, machine.processor, f"{machine.cores} cores", ", ".join(machine.features)]
    lines = [", ".join(part for part in where if part)]
    loads = []
    if result.own_cores is not None and result.other_cores is not None:
        loads.append(f"this kept {result.own_cores:.1f} cores busy, others {result.other_cores:.1f}")
    loads += [text for text in (_health("before", result.before), _health("after", result.after)) if text]
    if machine.governor:
        loads.append(f"governor {machine.governor}")
    effort = result.effort
    how = f"{effort.rounds} rounds, film {result.film}, {result.seconds:.0f} s"
    return [*lines, "; ".join([how, *loads])]


def _health(when: str, health: Health) -> str:
    parts = []
    if health.temperature_celsius is not None:
        parts.append(f"{health.temperature_celsius:.0f} °C")
    if health.clock_mhz is not None:
        parts.append(f"{health.clock_mhz:.0f} MHz")
    if health.throttled is not None:
        now, ever = throttled_now(health.throttled), throttled_before(health.throttled)
        parts.append(" and ".join(now) if now else f"earlier {', '.join(ever)}" if ever else "not throttled")
    return f"{when} {' '.join(parts)}" if parts else ""


def _speed(result: BenchResult) -> list[str]:
    measured = [row for row in result.rows if row.latency or row.film]
    if not measured:
        return ["Nothing was measured.", *(f"{row.file}: {row.problem}" for row in result.rows if row.problem)]
    header, cells = speed_cells(result)
    lines = with_files(aligned(header[1:], [line[1:] for line in cells], left=2), [row.file for row in measured])
    return [*lines, *problems(result), speed_note(result)]


def speed_cells(result: BenchResult) -> tuple[list[str], list[list[str]]]:
    """A heading and a line for each row that was measured, the file first."""
    several = len({row.threads for row in result.rows}) > 1
    columns: list[tuple[str, Callable[[Row], str]]] = [
        ("file", lambda row: row.file),
        ("engine", lambda row: row.engine or "-"),
        ("recipe", lambda row: RECIPE_WORDS.get(row.recipe or "", row.recipe or "-")),
        ("kB", lambda row: f"{row.size_bytes / 1000:.0f}"),
        ("load ms", lambda row: _number(row.load_ms, ".0f")),
        ("MiB", lambda row: _number(row.peak_memory_bytes / 2**20 if row.peak_memory_bytes else None, ".0f")),
        ("1 face p50", lambda row: _of_batch(row, 1, "p50")),
        ("p90", lambda row: _of_batch(row, 1, "p90")),
        ("p99", lambda row: _of_batch(row, 1, "p99")),
        ("4 faces", lambda row: _of_batch(row, 4, "p50")),
        ("FPS", lambda row: _number(row.film.fps.value if row.film else None, ".0f")),
        ("detect", lambda row: _share(row, "detect_ms")),
        ("classify", lambda row: _share(row, "classify_ms")),
        ("read", lambda row: _share(row, "read_ms")),
        ("CPU ms", lambda row: _number(row.film.cpu_ms if row.film else None, ".2f")),
    ]
    if several:
        columns.insert(3, ("threads", lambda row: str(row.threads)))
    measured = [row for row in result.rows if row.latency or row.film]
    return [name for name, _ in columns], [[show(row) for _, show in columns] for row in measured]


def problems(result: BenchResult) -> list[str]:
    """What was not measured, or not to the end, and why."""
    return [
        f"{row.file}: {'not to the end' if row.latency or row.film else 'not measured'}: {row.problem}"
        for row in result.rows
        if row.problem
    ]


def speed_note(result: BenchResult) -> str:
    """What the columns are."""
    note = "Milliseconds from boxes to scores; FPS, shares and processor time of the whole way, a frame."
    several = len({row.threads for row in result.rows}) > 1
    return note if several else f"{note} Threads: {result.rows[0].threads}."


def loop_lines(result: BenchResult) -> list[str]:
    """What the camera loop costs by scene, and what it costs to start."""
    loop = result.loop
    if loop is None:
        return []
    lines = []
    if loop.scenes:
        rows = [
            [one.name, f"{one.fps.value:.0f}", f"{one.cpu_ms:.2f}", _against(loop, one.cpu_ms)] for one in loop.scenes
        ]
        table = aligned(["scene", "FPS", "CPU ms", "of 1 face"], rows, left=1)
        lines += ["", f"The camera loop with {loop.file}, without reading frames:", *table]
    starts = [
        f"{one.name} {one.cpu_seconds:.2f} s of processor time, {one.wall_seconds:.2f} s in all"
        + (f", {one.peak_memory_bytes / 2**20:.0f} MiB at most" if one.peak_memory_bytes else "")
        for one in loop.starts
    ]
    lines += [f"edge-fer {text}" for text in starts]
    return [*lines, *([f"The camera loop: not to the end: {loop.problem}"] if loop.problem else [])]


def _against(loop: Loop, cpu_ms: float) -> str:
    one_face = loop.scene(ONE_FACE)
    return f"{cpu_ms / one_face.cpu_ms:.2f}" if one_face is not None and one_face.cpu_ms > 0 else "-"


def _accuracy(result: BenchResult) -> list[str]:
    judged = [row for row in result.rows if row.accuracy is not None]
    if not judged or judged[0].accuracy is None:
        return []
    files = [row.file for row in judged]
    header, cells = accuracy_cells(result)
    lines = ["", f"On {judged[0].accuracy.pictures:,} pictures of {result.data_set}:"]
    lines += with_files(aligned(header[1:], [line[1:] for line in cells]), files)
    header, cells = class_cells(result)
    return [*lines, "", "F1 of each class:", *with_files(aligned(header[1:], [line[1:] for line in cells]), files)]


def accuracy_cells(result: BenchResult) -> tuple[list[str], list[list[str]]]:
    """A heading and a line for each row with accuracy, the file first."""
    cells = []
    for row in result.rows:
        figures = row.accuracy
        if figures is None:
            continue
        interval = f"{figures.accuracy.low:.1%} to {figures.accuracy.high:.1%}"
        loss = "-"
        if figures.loss is not None:
            low, high = figures.loss.low * 100, figures.loss.high * 100
            loss = f"{figures.loss.value * 100:+.2f} points ({low:+.2f} to {high:+.2f})"
        shown = [row.file, f"{figures.accuracy.value:.2%}", interval, f"{figures.macro_f1:.3f}"]
        cells.append([*shown, f"{figures.calibration_error:.3f}", loss])
    return ["file", "accuracy", "95 %", "macro-F1", "ECE", "loss against fp32"], cells


def class_cells(result: BenchResult) -> tuple[list[str], list[list[str]]]:
    """F1 of each class, likewise."""
    judged = [(row.file, row.accuracy.classes) for row in result.rows if row.accuracy is not None]
    header = [one.label for one in judged[0][1]] if judged else []
    return ["file", *header], [[file, *(f"{one.f1:.3f}" for one in classes)] for file, classes in judged]


def with_files(lines: Sequence[str], files: Sequence[str]) -> list[str]:
    """Aligned lines, a heading first, with the files at their ends."""
    return [f"{line}  {file}" for line, file in zip(lines, ["file", *files], strict=True)]


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 0) -> list[str]:
    """Lines with columns of equal width, the first `left` of them aligned left and the others right."""
    widths = [max(len(line[place]) for line in [header, *rows]) for place in range(len(header))]
    return [
        "  ".join(cell.ljust(width) if place < left else cell.rjust(width) for place, (cell, width) in enumerate(pairs))
        for pairs in ([*zip(line, widths, strict=True)] for line in [header, *rows])
    ]


def _of_batch(row: Row, batch: int, name: str) -> str:
    found = row.latency_of(batch)
    value = None if found is None else found.p50.value if name == "p50" else getattr(found, name)
    return _number(value, ".3f")


def _share(row: Row, name: str) -> str:
    return "-" if row.film is None else f"{getattr(row.film, name) / row.film.frame_ms:.0%}"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
