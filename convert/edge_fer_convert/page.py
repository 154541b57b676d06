"""What a conversion found, for people: conversion.html, one page that needs nothing beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_fer.escaping import for_html
from edge_fer.html_page import html_page, html_table, html_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_STYLE = """
svg { max-width: 100%; margin: 1rem 0 } svg text { font-size: 13px; fill: currentColor }
svg .name { text-anchor: end } svg rect { fill: #2a6fb0 } svg rect.preferred { fill: #2e8b57 }
@media (prefers-color-scheme: dark) { svg rect { fill: #5b9bd5 } svg rect.preferred { fill: #5fb587 } }
"""
_NAMES_PX, _BARS_PX, _ROW_PX = 330, 420, 24


def report_html(facts: dict[str, Any]) -> str:
    """The facts of `report_facts` as one page with tables and plots, without scripts or addresses."""
    parts = [html_text("h1", f"Conversion of {facts['model']['name']}")]
    parts += [html_text("p", text, "warning") for text in facts["warnings"]]
    parts += [html_text("p", f"Note: {text}") for text in facts["notes"]]
    parts += [html_text("p", f"Assumed: {text}") for text in facts["guesses"]]
    if facts["confined_by"]:
        parts.append(
            f"<p>The model was loaded and converted in a process confined by: {for_html(facts['confined_by'])}.</p>"
        )
    accuracy = facts["model"]["accuracy"]
    if accuracy:
        entry = accuracy[0]
        parts.append(
            f"<p>The trained model is right on {entry['accuracy']:.2%} of {entry['pictures']} pictures "
            f"({for_html(entry['data_set'])}, {for_html(entry['split'])}).</p>"
        )
    parts += ["<h2>Files</h2>", _files(facts), *_plots(facts), *_classes(facts), *_layers(facts)]
    parts += ["<h2>Operations</h2>", _operations(facts), *_finding(facts["finding"])]
    return html_page(f"Conversion of {facts['model']['name']}", parts, style=_STYLE)


def _files(facts: dict[str, Any]) -> str:
    heads = ("file", "kB", "same top emotion", "largest difference", "mean difference", "accuracy", "macro F1")
    rows = []
    for file in facts["files"]:
        found, entries = file["agreement"], file["manifest"]["accuracy"]
        rows.append(
            (
                file["file"],
                f"{file['size_bytes'] / 1000:.0f}",
                f"{found['top_1']:.1%}",
                f"{found['max_difference']:.4f}",
                f"{found['mean_difference']:.4f}",
                f"{entries[0]['accuracy']:.2%}" if entries else "–",
                f"{entries[0]['macro_f1']:.3f}" if entries and entries[0]["macro_f1"] is not None else "–",
                f"{file['milliseconds_per_face']:.3f}",
                "–" if file["float_milliseconds_per_face"] is None else f"{file['float_milliseconds_per_face']:.3f}",
                "yes" if file["manifest"]["preferred"] else "",
            )
        )
    pictures = facts["files"][0]["agreement"]["pictures"]
    note = (
        f"<p>Agreement with the trained model on {pictures} pictures ({for_html(facts['agreement_source'])}); "
        f"int8 ranges measured on {for_html(facts['calibration_source'])}. Time is the median of one face on this "
        "machine, one thread. Preferred is the fastest file of its format.</p>"
    )
    return html_table((*heads, "ms per face", "in float 32", "preferred"), rows) + note


def _plots(facts: dict[str, Any]) -> list[str]:
    files = facts["files"]
    quick = {file["file"] for file in files if file["manifest"]["preferred"]}
    sizes = [(file["file"], file["size_bytes"] / 1000, f"{file['size_bytes'] / 1000:.0f} kB") for file in files]
    times = [(file["file"], file["milliseconds_per_face"], f"{file['milliseconds_per_face']:.3f} ms") for file in files]
    apart = [
        (file["file"], 1.0 - file["agreement"]["top_1"], f"{1.0 - file['agreement']['top_1']:.1%}") for file in files
    ]
    return [
        bars("Size", sizes, quick),
        bars("Time for one face", times, quick),
        bars("Pictures on which another emotion comes first", apart, quick),
    ]


def bars(title: str, rows: Sequence[tuple[str, float, str]], marked: Iterable[str] = ()) -> str:
    """A plot of horizontal bars as SVG; each row is a name, its value, and the value as text."""
    largest = max((value for _, value, _ in rows), default=0.0) or 1.0
    marked = set(marked)
    parts = []
    for place, (name, value, text) in enumerate(rows):
        top = place * _ROW_PX
        width = max(1.0, value / largest * _BARS_PX)
        kind = ' class="preferred"' if name in marked else ""
        parts.append(
            f'<text class="name" x="{_NAMES_PX - 8}" y="{top + 16}">{for_html(_shortened(name))}</text>'
            f'<rect{kind} x="{_NAMES_PX}" y="{top + 4}" width="{width:.1f}" height="{_ROW_PX - 8}"/>'
            f'<text x="{_NAMES_PX + width + 6:.1f}" y="{top + 16}">{for_html(text)}</text>'
        )
    size = f"0 0 {_NAMES_PX + _BARS_PX + 90} {len(rows) * _ROW_PX}"
    plot = f'<svg viewBox="{size}" width="{size.split()[2]}" role="img" aria-label="{for_html(title)}">'
    return f"<h3>{for_html(title)}</h3>{plot}{''.join(parts)}</svg>"


def _shortened(name: str, most: int = 42) -> str:
    return name if len(name) <= most else f"…{name[1 - most :]}"


def _classes(facts: dict[str, Any]) -> list[str]:
    if not facts["trained_class_f1"]:
        return []
    heads = ["emotion", "trained", *(f"{f['manifest']['engine']} {f['manifest']['recipe']}" for f in facts["files"])]
    rows = [
        (label, f"{value:.3f}", *(f"{file['class_f1'][label]:.3f}" for file in facts["files"]))
        for label, value in facts["trained_class_f1"].items()
    ]
    return ["<h2>F1 of each emotion</h2>", html_table(heads, rows)]


def _layers(facts: dict[str, Any]) -> list[str]:
    parts = []
    for file in facts["files"]:
        rows = [
            (f"{one['name']} ({one['operation']})", one["relative_error"], f"{one['relative_error']:.1%}")
            for one in file["layer_errors"]
        ]
        parts += [bars(file["file"], rows)] if rows else []
    if not parts:
        return []
    note = (
        "<p>The worst operations of each int8 file: how far their outputs are from those in float, as a share of these "
        "(root mean square; what was lost before an operation counts in it).</p>"
    )
    return ["<h2>What 8 bits cost</h2>", note, *parts]


def _operations(facts: dict[str, Any]) -> str:
    heads = ("file", "folded into weights", "fused with a neighbour", "left in float", "operations that run")
    rows = [
        (file["file"], *(counted(file["operations"][key]) for key in ("folded", "fused", "in_float", "kinds")))
        for file in facts["files"]
    ]
    return html_table(heads, rows)


def counted(kinds: dict[str, int]) -> str:
    """Such as "Conv 11, Relu 2"; a dash for none."""
    return ", ".join(f"{kind} {count}" for kind, count in kinds.items()) or "–"


def _finding(finding: dict[str, Any] | None) -> list[str]:
    if finding is None:
        return []
    rows = [
        (one["order"], ", ".join(one["labels"]), one["scale"], f"{one['accuracy']:.1%}")
        for one in finding["candidates"][:10]
    ]
    note = (
        f"<p>Measured on {finding['pictures']} pictures, each emotion alike. "
        f"Label order: {finding['order']['verdict']}; "
        f"scale: {finding['scale']['verdict']} (exact McNemar tests at a level of {finding['level']:g}, corrected for "
        "the number of readings tried).</p>"
    )
    return ["<h2>Label order and scaling</h2>", html_table(("order", "labels", "scale", "right"), rows), note]
