"""What a conversion found, as report.json for programs and report.html for people; the page needs no other file."""

from __future__ import annotations

import html
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from edge_fer_convert.conversion import ConversionResult

REPORT_SCHEMA = "edge-fer-conversion/1"
REPORT_NAMES = ("report.json", "report.html")
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 } th, td { padding: .3rem .8rem; border-bottom: 1px solid #ddd }
td { text-align: right; font-variant-numeric: tabular-nums } th, td:first-child { text-align: left }
.warning { background: #fff3cd; padding: .5rem 1rem; border-left: 4px solid #e0a800 }
@media (prefers-color-scheme: dark) { body { background: #181818; color: #ddd } th, td { border-color: #444 }
.warning { background: #3a3000 } }
"""


def report_facts(result: ConversionResult) -> dict[str, Any]:
    """All facts of a conversion as plain JSON values; files stand under their names, without folders."""
    finding = None if result.finding is None else asdict(result.finding)
    return {
        "schema": REPORT_SCHEMA,
        "model": asdict(result.trained),
        "calibration_source": result.calibration_source,
        "guesses": list(result.guesses),
        "warnings": list(result.warnings),
        "finding": finding,
        "trained_class_f1": result.trained_class_f1,
        "files": [
            {
                "file": file.path.name,
                "size_bytes": file.size_bytes,
                "agreement": asdict(file.agreement),
                "milliseconds_per_face": round(file.milliseconds_per_face, 4),
                "class_f1": file.class_f1,
                "float_operations": list(file.float_operations),
                "manifest": asdict(file.manifest),
            }
            for file in result.files
        ],
    }


def report_json(facts: dict[str, Any]) -> str:
    """The facts as JSON with a newline at the end."""
    return json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def report_html(facts: dict[str, Any]) -> str:
    """The facts as one page without scripts, pictures or addresses."""
    name = html.escape(facts["model"]["name"])
    parts = [f"<h1>Conversion of {name}</h1>"]
    parts += [f'<p class="warning">{html.escape(text)}</p>' for text in facts["warnings"]]
    parts += [f"<p>Assumed: {html.escape(text)}</p>" for text in facts["guesses"]]
    accuracy = facts["model"]["accuracy"]
    if accuracy:
        entry = accuracy[0]
        parts.append(
            f"<p>The trained model is right on {entry['accuracy']:.2%} of {entry['pictures']} pictures "
            f"({html.escape(entry['data_set'])}, {html.escape(entry['split'])}).</p>"
        )
    parts += ["<h2>Files</h2>", _files(facts), *_classes(facts), *_finding(facts["finding"])]
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Conversion of {name}</title>'
        f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


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
                "yes" if file["manifest"]["preferred"] else "",
                ", ".join(file["float_operations"]) or "–",
            )
        )
    pictures = facts["files"][0]["agreement"]["pictures"]
    note = (
        f"<p>Agreement with the trained model on {pictures} pictures ({html.escape(facts['calibration_source'])}); "
        "time is the median of one face on this machine, one thread. Preferred is the fastest of its engine.</p>"
    )
    return _table((*heads, "ms a face", "preferred", "left in float"), rows) + note


def _classes(facts: dict[str, Any]) -> list[str]:
    if not facts["trained_class_f1"]:
        return []
    heads = ["emotion", "trained", *(f"{f['manifest']['engine']} {f['manifest']['recipe']}" for f in facts["files"])]
    rows = [
        (label, f"{value:.3f}", *(f"{file['class_f1'][label]:.3f}" for file in facts["files"]))
        for label, value in facts["trained_class_f1"].items()
    ]
    return ["<h2>F1 of each emotion</h2>", _table(heads, rows)]


def _finding(finding: dict[str, Any] | None) -> list[str]:
    if finding is None:
        return []
    rows = [
        (one["order"], ", ".join(one["labels"]), one["scale"], f"{one['accuracy']:.1%}")
        for one in finding["candidates"][:10]
    ]
    note = (
        f"<p>Measured on {finding['pictures']} pictures, each emotion alike; the best order of labels won in "
        f"{finding['sureness']:.1%} of the bootstrap rounds.</p>"
    )
    return ["<h2>Label order and scaling</h2>", _table(("order", "labels", "scale", "right"), rows), note]


def _table(heads: Iterable[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(text)}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in row) + "</tr>\n" for row in rows)
    return f"<table><tr>{head}</tr>\n{body}</table>\n"


def is_our_report(path: Path) -> bool:
    """Whether a file is a report of an earlier conversion, which the next one may replace."""
    if path.suffix == ".html":
        path = path.with_suffix(".json")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return isinstance(found, dict) and found.get("schema") == REPORT_SCHEMA
    except (OSError, ValueError):
        return False


def float_operations(model_bytes: bytes) -> tuple[str, ...]:
    """Kinds of operations of a quantised ONNX model that no 8-bit value goes into; sorted."""
    import onnx

    nodes = onnx.load_from_string(model_bytes).graph.node
    restored = {name for node in nodes if node.op_type == "DequantizeLinear" for name in node.output}
    kinds = {
        node.op_type
        for node in nodes
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear") and not restored & set(node.input)
    }
    return tuple(sorted(kinds))
