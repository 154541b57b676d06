"""What a conversion found, for programs: conversion.json."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from edge_fer.escaping import for_json
from edge_fer.inference.manifest import manifest_record

if TYPE_CHECKING:
    from pathlib import Path

    from edge_fer_convert.result import ConversionResult

REPORT_SCHEMA = "edge-fer-conversion/1"
REPORT_NAMES = ("conversion.json", "conversion.html")
"""Not report.html: a training run keeps its own in the same folder."""


def report_facts(result: ConversionResult) -> dict[str, Any]:
    """All facts of a conversion as plain JSON values; files stand under their names, without folders."""
    return {
        "schema": REPORT_SCHEMA,
        "model": manifest_record(result.trained),
        "calibration_source": result.calibration_source,
        "agreement_source": result.agreement_source,
        "guesses": list(result.guesses),
        "warnings": list(result.warnings),
        "notes": list(result.notes),
        "confined_by": result.walls,
        "finding": None if result.finding is None else asdict(result.finding),
        "trained_class_f1": result.trained_class_f1,
        "files": [
            {
                "file": file.path.name,
                "size_bytes": file.size_bytes,
                "agreement": asdict(file.agreement),
                "milliseconds_per_face": round(file.milliseconds_per_face, 4),
                "float_milliseconds_per_face": None
                if file.float_milliseconds_per_face is None
                else round(file.float_milliseconds_per_face, 4),
                "class_f1": file.class_f1,
                "operations": asdict(file.operations),
                "layer_errors": [asdict(one) for one in file.layer_errors],
                "manifest": manifest_record(file.manifest),
            }
            for file in result.files
        ],
    }


def report_json(facts: dict[str, Any]) -> str:
    """The facts as JSON with a newline at the end."""
    return for_json(json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False)) + "\n"


def is_our_report(path: Path) -> bool:
    """Whether a file is a report of an earlier conversion, which the next one may replace."""
    if path.suffix == ".html":
        path = path.with_suffix(".json")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return isinstance(found, dict) and found.get("schema") == REPORT_SCHEMA
    except (OSError, ValueError):
        return False
