"""Draw the README's table of peers and docs/images/peers.png from benchmarks/results/peers.json.

python benchmarks/peers/draw.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent.parent
FIGURES = REPOSITORY / "benchmarks" / "results" / "peers.json"
README = REPOSITORY / "README.md"
PICTURE = REPOSITORY / "docs" / "images" / "peers.png"
BEGIN, END = "<!-- peers: made by benchmarks/peers/draw.py -->", "<!-- /peers -->"
FILM = "clip"


def table(figures: dict[str, Any]) -> str:
    """One row a peer in Markdown, in the order of the figures."""
    lines = [
        "| | frames per second | CPU ms per frame | faces found | boxes without a face | changes of label "
        "| CPU s to first result | memory | installed | PublicTest |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, one in figures["peers"].items():
        film = one["films"][FILM]
        right = one["public_test_right"] / figures["public_test"]
        lines.append(
            f"| {name} | {film['fps']:.0f} | {film['cpu_ms']:.1f} | {film['found']} of {film['due']} | {film['false']} "
            f"| {film['label_changes']} | {one['cold_start_cpu_seconds']:.1f} | {one['peak_mib']} MiB "
            f"| {one['installed_mb']} MB | {right * 100:.1f} % |"
        )
    return "\n".join(lines)


def picture(figures: dict[str, Any]) -> bytes:
    """Bars of processor time, memory and start, as a PNG file."""
    from edge_fer_bench.plots import COLOURS, INK, png
    from matplotlib.figure import Figure

    peers = figures["peers"]
    names = list(peers)
    panels = {
        "CPU ms per frame": [one["films"][FILM]["cpu_ms"] for one in peers.values()],
        "CPU s to the first result": [one["cold_start_cpu_seconds"] for one in peers.values()],
        "memory at most, MiB": [one["peak_mib"] for one in peers.values()],
    }
    colours = [COLOURS[0] if name.startswith("edge-fer") else "#B0B0B0" for name in names]
    figure = Figure(figsize=(10, 2.6), layout="constrained")
    for axes, (title, values) in zip(figure.subplots(1, len(panels), sharey=True), panels.items(), strict=True):
        bars = axes.barh(names, values, color=colours)
        axes.bar_label(bars, [f"{value:.0f}" if value >= 10 else f"{value:.1f}" for value in values], padding=3)
        axes.set_title(title, fontsize=10, color=INK)
        axes.set_xlim(0, max(values) * 1.18)
        axes.set_xticks([])
        axes.tick_params(length=0, labelcolor=INK)
        axes.spines[:].set_visible(False)
    figure.axes[0].invert_yaxis()
    return png(figure)


def main() -> None:
    """Write both."""
    figures = json.loads(FIGURES.read_text())
    text = README.read_text()
    between = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if not between.search(text):
        raise SystemExit(f"{README} has no place for the table: it needs the lines {BEGIN} and {END}")
    README.write_text(between.sub(lambda _: f"{BEGIN}\n{table(figures)}\n{END}", text))
    PICTURE.write_bytes(picture(figures))
    print(f"written: {README}, {PICTURE}")


if __name__ == "__main__":
    main()
