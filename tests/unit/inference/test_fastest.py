"""The table of costs: what stands in it was measured, and it decides among the files of one model alone."""

from __future__ import annotations

import json
import runpy
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from edge_fer.inference.fastest import TABLE, cost_of, fastest_table
from edge_fer.inference.manifest import Recipe, read_manifest, write_manifest
from edge_fer.inference.open_model import bundled_models, open_classifier
from edge_fer.inference.processor import Kind
from tests.make_models import MODELS
from tests.unit.inference.test_open_model import engines, opened

SCRIPT = Path(__file__).parent.parent.parent.parent / "benchmarks" / "formats" / "fill_table.py"
FLOAT = read_manifest(MODELS / "brightness-tiny-48x48-fp32.tflite")
INT8 = read_manifest(MODELS / "brightness-tiny-48x48-static_wi8_ai8.tflite")


def test_the_table_is_what_the_results_say() -> None:
    pytest.importorskip("edge_fer_bench")
    assert runpy.run_path(str(SCRIPT))["table_text"]() == TABLE.read_text()


def test_the_table_knows_kinds_engines_and_recipes_that_exist() -> None:
    table = fastest_table()
    assert set(table) <= set(get_args(Kind))
    assert set(table) >= {"arm64", "arm64 with dot product"}
    for costs in table.values():
        assert costs["litert fp32"] == 1.0
        assert all(name.partition(" ")[0] in ("litert", "onnx") for name in costs)
        assert all(name.partition(" ")[2] in get_args(Recipe) for name in costs)
        assert all(0.05 < cost < 20.0 for cost in costs.values())
    assert all(entry["source"] for entry in json.loads(TABLE.read_text())["processors"].values())


def test_int8_is_worth_it_where_there_is_a_dot_product() -> None:
    table = fastest_table()
    assert table["arm64 with dot product"]["litert static_wi8_ai8"] < 0.6
    assert table["x86-64 with dot product"]["litert static_wi8_ai8"] < 0.8


def test_what_was_not_measured_comes_last() -> None:
    assert cost_of(FLOAT, None) == cost_of(FLOAT, "x86-64") == float("inf")
    assert cost_of(FLOAT, "arm64", {"arm64": {"litert fp32": 1.0}}) == 1.0
    assert cost_of(INT8, "arm64", {"arm64": {"litert fp32": 1.0}}) == float("inf")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All four files of a model of which int8 is preferred, and a faster one that is not."""
    for path in MODELS.glob("*.*"):
        if path.suffix in (".tflite", ".onnx"):
            for name, file in (("brightness-tiny", path.name), ("another", f"another-{path.name}")):
                (tmp_path / file).write_bytes(path.read_bytes())
                manifest = replace(read_manifest(path), name=name)
                preferred = name != "another" and manifest.recipe != "fp32"
                write_manifest(tmp_path / file, replace(manifest, preferred=preferred))
    return tmp_path


def order(folder: Path, kind: Kind | None) -> list[str]:
    return [path.name.replace("brightness-tiny-48x48-", "") for path in bundled_models(folder, kind)][:4]


def test_the_table_orders_the_files_of_the_preferred_model(folder: Path) -> None:
    for kind in get_args(Kind):
        costs = fastest_table().get(kind, {})
        found = bundled_models(folder, kind)
        mine = [cost_of(read_manifest(path), kind) for path in found[:4]]
        assert [path.name.startswith("another") for path in found] == [False] * 4 + [True] * 4
        assert mine == sorted(mine)
        there = [cost for name, cost in costs.items() if name.partition(" ")[2] in ("fp32", "static_wi8_ai8")]
        assert mine[0] == min(there, default=float("inf"))


def test_without_a_measurement_the_manifest_decides(folder: Path) -> None:
    expected = ["static_wi8_ai8.tflite", "static_wi8_ai8.onnx", "fp32.tflite", "fp32.onnx"]
    assert order(folder, None) == order(folder, "x86-64") == expected


def test_auto_opens_the_fastest_and_a_backend_is_kept_to(folder: Path) -> None:
    for kind in ("arm64", "arm64 with dot product"):
        best = bundled_models(folder, kind)[0]
        assert opened(open_classifier(None, folder=folder, engines=engines(), kind=kind)).model == best
        of_onnx = next(path for path in bundled_models(folder, kind) if path.suffix == ".onnx")
        chosen = open_classifier(None, "onnx", folder=folder, engines=engines(), kind=kind)
        assert opened(chosen).model == of_onnx
