"""Pictures of a benchmark: how long, how large, how accurate, format by format.

Every function returns a matplotlib figure and keeps no state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from edge_fer_bench.chart_style import COLOURS, FAINT, INK, colour_of, legend_below, new_chart, tidy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.axes import Axes

    from edge_fer_bench.result import Row

    Axis = tuple[str, Callable[[Row], float]]


STAGES = (
    ("detect_ms", "find and follow faces"),
    ("classify_ms", "crop, engine, steady"),
    ("read_ms", "wait for a frame"),
)


def latency_chart(rows: Mapping[str, Row], title: str = "Latency of one face, from box to scores") -> Figure:
    """For each format the share of calls that were done within a time; time has a logarithmic axis."""
    figure, axes = new_chart(9.0, 3.6 + 0.2 * len(rows), title)
    for number, (name, row) in enumerate(rows.items()):
        found = row.latency_of(1)
        if found is None or not found.quantiles:
            continue
        shares = np.linspace(0.0, 1.0, len(found.quantiles))
        # Formats beyond the number of colours repeat them with another line.
        style = "-" if number < len(COLOURS) else "--"
        label = f"{name}  (p50 {found.p50.value:.3g} ms, p99 {found.p99:.3g} ms)"
        axes.plot(found.quantiles, shares, style, color=colour_of(number), linewidth=1.6, label=label)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}" if _is_round(value) else ""))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.tick_params(axis="x", which="both", labelsize=8, color=FAINT, labelcolor=INK)
    measured = [found for found in (row.latency_of(1) for row in rows.values()) if found is not None]
    # One call in a hundred may be anywhere; the others are what is to be seen.
    axes.set_xlim(0.8 * min(one.lowest for one in measured), 1.6 * max(one.p99 for one in measured))
    axes.set_xlabel("milliseconds a call")
    axes.set_ylabel("calls done")
    axes.set_ylim(0, 1.02)
    axes.grid(color=FAINT, linewidth=0.6, which="both")
    legend_below(axes, ncols=1)
    return figure


def stages_chart(rows: Mapping[str, Row], title: str = "Where the time of a frame goes") -> Figure:
    """Bars of milliseconds a frame, a colour for each stage."""
    figure, axes = new_chart(9.0, 1.5 + 0.36 * len(rows), title)
    films = {name: row.film for name, row in rows.items() if row.film is not None}
    left = np.zeros(len(films))
    for number, (key, label) in enumerate(STAGES):
        widths = np.array([getattr(film, key) for film in films.values()])
        axes.barh(list(films), widths, left=left, height=0.7, color=colour_of(number), label=label)
        left += widths
    for place, film in enumerate(films.values()):
        axes.text(left[place], place, f"  {film.frame_ms:.2f} ms", va="center", fontsize=8)
    axes.set_xlim(0, 1.15 * max(left))
    axes.set_xlabel("milliseconds a frame")
    axes.invert_yaxis()
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.16 - 0.5 / len(films)), ncols=3, frameon=False, fontsize=8)
    return figure


def trade_chart(rows: Mapping[str, Row]) -> Figure:
    """Points of accuracy against latency and against size; without accuracy one panel of size against latency."""
    points = {name: row for name, row in rows.items() if row.latency_of(1) is not None}
    judged = {name: row for name, row in points.items() if row.accuracy is not None}
    figure = Figure(figsize=(9.6, 3.9 + 0.11 * len(points)), layout="constrained")
    latency: Axis = ("milliseconds a face (p50)", _latency)
    size: Axis = ("file size in kB", lambda row: row.size_bytes / 1000)
    pairs: list[tuple[Axis, Axis | None]] = [(latency, None), (size, None)] if judged else [(latency, size)]
    title = "Accuracy against latency and size" if judged else "Size against latency"
    figure.suptitle(title, fontsize=11, color=INK, fontweight="bold")
    panels = figure.subplots(1, len(pairs), squeeze=False)[0]
    for axes, (across, up) in zip(panels, pairs, strict=True):
        _scatter(axes, judged or points, across, up)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return figure


def _scatter(
    axes: Axes,
    rows: Mapping[str, Row],
    across: Axis,
    up: Axis | None,
) -> None:
    for number, (name, row) in enumerate(rows.items()):
        x = across[1](row)
        marker = "o" if row.engine == "litert" else "s"
        if up is not None:
            axes.plot(x, up[1](row), marker, color=colour_of(number), markersize=8, label=name)
        elif row.accuracy is not None:
            found = row.accuracy.accuracy
            spread = [[found.value - found.low], [found.high - found.value]]
            axes.errorbar(x, found.value, spread, fmt=marker, color=colour_of(number), markersize=8, label=name,
                          elinewidth=0.8, capsize=2)  # fmt: skip
    axes.set_xlabel(across[0])
    axes.set_xlim(left=0)
    if up is None:
        axes.set_ylabel("accuracy, 95 % interval")
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    else:
        axes.set_ylabel(up[0])
        axes.set_ylim(bottom=0)
    tidy(axes)
    axes.grid(color=FAINT, linewidth=0.6)


def confusion_grid(rows: Mapping[str, Row], title: str = "Confusion matrix of each format") -> Figure:
    """Share of each true class (rows) that was read as each class (columns), a panel for each format."""
    judged = [(name, row.accuracy) for name, row in rows.items() if row.accuracy is not None]
    columns = min(3, len(judged))
    lines = -(-len(judged) // columns)
    figure = Figure(figsize=(1.0 + 3.6 * columns, 0.7 + 3.7 * lines), layout="constrained")
    figure.suptitle(title, fontsize=11, color=INK, fontweight="bold")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in panels[len(judged) :]:
        axes.set_axis_off()
    for axes, (name, found) in zip(panels, judged, strict=False):
        counts = np.array(found.confusion, np.float64)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), share in np.ndenumerate(shares):
            colour = "white" if share > 0.55 else INK
            axes.text(column, row, f"{share * 100:.0f}", ha="center", va="center", color=colour, fontsize=7)
        labels = [one.label for one in found.classes]
        axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right", rotation_mode="anchor", fontsize=7)
        axes.set_yticks(range(len(labels)), labels, fontsize=7)
        axes.set_title(f"{name}\n{found.accuracy.value:.2%}", fontsize=8, color=INK)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    return figure


def shares_chart(shares: Mapping[str, float], title: str) -> Figure:
    """Bars of shares from 0 to 1 by name, the first of them the measure of the others."""
    figure, axes = new_chart(7.4, 0.9 + 0.34 * len(shares), title)
    names, values = list(shares), list(shares.values())
    colours = [COLOURS[4], *[COLOURS[5]] * (len(names) - 1)]
    bars = axes.barh(names, values, color=colours, height=0.72)
    # Inside the bars, away from the line.
    axes.bar_label(bars, [f"{value:.1%}" for value in values], padding=-38, fontsize=8, color=INK)
    axes.axvline(values[0], color=INK, linewidth=0.8, linestyle=":")
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.tick_params(axis="y", length=0)
    return figure


def names_of(rows: Sequence[Row]) -> dict[str, Row]:
    """Rows by a name to show: the file, with the threads where there are several numbers of them."""
    several = len({row.threads for row in rows}) > 1
    return {f"{row.file}, {row.threads} threads" if several else row.file: row for row in rows}


def _latency(row: Row) -> float:
    found = row.latency_of(1)
    return found.p50.value if found else float("nan")


def _is_round(value: float) -> bool:
    return f"{value:.1e}"[0] in "25" and f"{value:.1e}"[2] == "0"
