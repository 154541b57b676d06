"""The folder of a benchmark: `result.json`, and with matplotlib the pictures and one page with everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_fer.atomic_files import write_atomically
from edge_fer.errors import EdgeFerError
from edge_fer.html_page import html_picture, html_table, html_text
from edge_fer_bench.page import can_draw, page_of_figures
from edge_fer_bench.result_file import write_result
from edge_fer_bench.table import (
    accuracy_cells,
    class_cells,
    loop_lines,
    machine_lines,
    problems,
    speed_cells,
    speed_note,
)

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

    from edge_fer_bench.result import BenchResult


def write_report(folder: Path, result: BenchResult) -> bool:
    """Write result.json and, where matplotlib is installed, report.html and its pictures; whether it was.

    Raises:
        EdgeFerError: the folder cannot be written to.
    """
    write_result(folder / "result.json", result)
    if not can_draw():
        return False
    from edge_fer_bench.chart_style import png

    try:
        pictures = {name: png(figure) for name, figure in draw(result).items()}
        for name, content in pictures.items():
            write_atomically(folder / f"{name}.png", content)
        write_atomically(folder / "report.html", bench_page(result, pictures).encode())
    except OSError as error:
        raise EdgeFerError(f"cannot write to {folder}: {error.strerror}; choose another folder with --out") from None
    return True


def draw(result: BenchResult) -> dict[str, Figure]:
    """The pictures of a result by the name of their file; one for which nothing was measured is left out."""
    from edge_fer_bench import speed_plots

    rows = speed_plots.names_of(result.rows)
    timed = {name: row for name, row in rows.items() if row.latency_of(1) is not None}
    filmed = {name: row for name, row in rows.items() if row.film is not None}
    judged = {name: row for name, row in rows.items() if row.accuracy is not None}
    drawn: dict[str, Figure] = {}
    if timed:
        drawn["latency"] = speed_plots.latency_chart(timed)
        drawn["trade"] = speed_plots.trade_chart(timed)
    if filmed:
        drawn["stages"] = speed_plots.stages_chart(filmed)
    if judged:
        drawn["confusion"] = speed_plots.confusion_grid(judged)
    return drawn


def bench_page(result: BenchResult, pictures: dict[str, bytes]) -> str:
    """One page that needs nothing beside it."""
    machine = result.environment
    facts = [
        ["taken", result.created],
        ["system", " ".join(part for part in (machine.system, machine.kernel, machine.architecture) if part)],
        ["memory", f"{machine.memory_bytes / 2**30:.1f} GiB" if machine.memory_bytes else "-"],
        ["Python", machine.python],
        *([name, version] for name, version in machine.packages.items()),
    ]
    parts = [html_text("h1", "Benchmark"), *(html_text("p", line) for line in machine_lines(result))]
    parts += [html_text("p", f"INVALID: {reason}", "doubt") for reason in result.invalid]
    header, cells = speed_cells(result)
    if cells:
        parts += [html_table(header, cells), html_text("p", speed_note(result), "soft")]
    parts += [html_text("p", line, "doubt") for line in problems(result)]
    if loop_lines(result):
        parts.append(html_text("pre", "\n".join(loop_lines(result)).strip()))
    if any(row.accuracy for row in result.rows):
        parts += [html_text("h2", f"On {result.data_set}"), html_table(*accuracy_cells(result))]
        parts += [html_text("h3", "F1 of each class"), html_table(*class_cells(result))]
    parts += [html_picture(name, content) for name, content in pictures.items()]
    hashes = [[row.file, row.sha256 or "-"] for row in result.rows]
    parts += [html_text("h2", "Measured on"), html_table([], facts), html_table(["file", "SHA-256"], hashes)]
    return page_of_figures("Benchmark", parts)
