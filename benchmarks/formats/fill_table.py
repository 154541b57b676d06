"""Write edge_fer/inference/fastest.json from what was measured: fill_table.py

Arm processors come from instructions counted in an emulator (`count_instructions.py`), x86-64 from a result of
`edge-fer bench --models DIR` over all formats of one model. Costs are relative to LiteRT's fp32 on the same processor.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge_fer_bench.result_file import read_result

from edge_fer.inference.fastest import TABLE, format_name
from edge_fer.inference.processor import kind_of

RESULTS = Path(__file__).parent.parent / "results"
COUNTED = RESULTS / "formats-instructions.json"
TIMED = (RESULTS / "formats-x86-64.json",)
MEASURE = format_name("litert", "fp32")


def table_text() -> str:
    """The whole table as JSON."""
    processors: dict[str, Any] = {}
    counted = json.loads(COUNTED.read_text(encoding="utf-8"))
    for board in counted["boards"].values():
        source = f"benchmarks/results/{COUNTED.name}: {counted['unit']}"
        processors[board["kind"]] = {"source": source, "cost": relative(board["instructions"])}
    for path in TIMED:
        result = read_result(path)
        kind = kind_of(set(result.environment.features))
        assert kind is not None, path
        times = {
            format_name(row.engine or "", row.recipe or ""): row.latency_of(1).p50.value  # type: ignore[union-attr]
            for row in result.rows
            if row.problem is None
        }
        source = f"benchmarks/results/{path.name}: milliseconds a face on {result.environment.processor}"
        processors[kind] = {"source": source, "cost": relative(times)}
    what = (
        "Cost of a face by processor and format, relative to litert fp32; written by benchmarks/formats/fill_table.py"
    )
    return json.dumps({"what": what, "processors": dict(sorted(processors.items()))}, indent=1) + "\n"


def relative(costs: dict[str, float]) -> dict[str, float]:
    """The costs over that of LiteRT's fp32, the smallest first."""
    return {name: round(cost / costs[MEASURE], 3) for name, cost in sorted(costs.items(), key=lambda one: one[1])}


if __name__ == "__main__":
    TABLE.write_text(table_text(), encoding="utf-8")
