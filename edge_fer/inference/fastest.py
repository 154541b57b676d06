"""Which format of a model is the fastest on a kind of processor: a table that was measured, not a rule of thumb.

`fastest.json` is written by `benchmarks/formats/fill_table.py` from what stands in benchmarks/results. Whether int8 is
faster than fp32 depends on whether the processor multiplies and adds four 8-bit numbers in one step.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_fer.inference.manifest import Manifest

TABLE = Path(__file__).with_name("fastest.json")


@cache
def fastest_table() -> Mapping[str, Mapping[str, float]]:
    """Cost of a face by kind of processor and by engine and recipe, such as `litert static_wi8_ai8`.

    Costs are relative to `litert fp32` on the same processor; smaller is faster. What was not measured is not there.
    """
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    return {kind: dict(entry["cost"]) for kind, entry in table["processors"].items()}


def format_name(engine: str, recipe: str) -> str:
    """The name of a format in the table."""
    return f"{engine} {recipe}"


def cost_of(manifest: Manifest, kind: str | None, table: Mapping[str, Mapping[str, float]] | None = None) -> float:
    """Relative cost of a model file on a kind of processor; infinite where it was not measured, or kind is None."""
    known = fastest_table() if table is None else table
    return known.get(kind or "", {}).get(format_name(manifest.engine, manifest.recipe), float("inf"))
