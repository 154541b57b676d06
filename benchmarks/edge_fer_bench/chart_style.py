"""How charts look, and how they become files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4D4D4D", "#8C6D31")
"""Okabe and Ito's palette, which people with colour-blindness can tell apart, and a brown."""
INK, FAINT = "#222222", "#D0D0D0"
DPI = 130


def png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    buffer = io.BytesIO()
    # Without its own version in the file, the same figures give the same bytes.
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def new_chart(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    """An empty chart of that size in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, fontsize=11, color=INK, fontweight="bold", pad=12)
    tidy(axes)
    return figure, axes


def tidy(axes: Axes) -> None:
    """Take from a chart what is no figure."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(labelsize=8, color=FAINT, labelcolor=INK)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(fontsize=9, color=INK)
    axes.set_axisbelow(True)


def legend_below(axes: Axes, ncols: int) -> None:
    """A legend in one or more lines below the chart."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=ncols, frameon=False, fontsize=8)


def colour_of(number: int) -> str:
    """The colour of the curve or bar with that number."""
    return COLOURS[number % len(COLOURS)]
