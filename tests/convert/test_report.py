"""What is told of a conversion, and what happens when too much was lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from edge_fer_convert import CheckSet, convert
from edge_fer_convert.report import is_our_report, report_facts, report_html, report_json

from edge_fer.errors import ConfigError, EdgeFerError
from edge_fer.evaluation.datasets import LabelledFaces
from edge_fer.scores.manifest import read_manifest
from edge_fer.types import FER_LABELS
from tests.make_models import NAME, calibration, pictures

if TYPE_CHECKING:
    from pathlib import Path

    from tests.convert.conftest import Converted

FAST: dict[str, Any] = {"engines": ("litert",)}


def check_set(shift: int = 0) -> CheckSet:
    images, labels = pictures(70)
    return CheckSet(LabelledFaces(images, (labels + shift) % 7, FER_LABELS), "brightness <b>", "test")


def test_the_report_holds_what_was_found(converted: Converted) -> None:
    facts = json.loads((converted.out / "report.json").read_text())
    assert facts["schema"] == "edge-fer-conversion/1"
    assert [file["file"] for file in facts["files"]] == [file.path.name for file in converted.result.files]
    for told, file in zip(facts["files"], converted.result.files, strict=True):
        assert told["size_bytes"] == file.size_bytes
        assert told["agreement"]["top_1"] == file.agreement.top_1
        assert told["manifest"]["sha256"] == file.manifest.sha256
    assert facts == json.loads(report_json(report_facts(converted.result)))


def test_the_page_needs_nothing_else(converted: Converted) -> None:
    page = (converted.out / "report.html").read_text()
    assert all(file.path.name in page for file in converted.result.files)
    assert not any(word in page for word in ("http", "src=", "href=", "<script", str(converted.out)))


def test_only_what_int8_leaves_in_float_is_named(converted: Converted) -> None:
    by_name = {file.path.name: file.float_operations for file in converted.result.files}
    assert by_name[f"{NAME}-48x48-static_wi8_ai8.onnx"] != ()
    assert "Conv" not in by_name[f"{NAME}-48x48-static_wi8_ai8.onnx"]
    assert by_name[f"{NAME}-48x48-static_wi8_ai8.tflite"] == ()


def test_figures_of_each_emotion_and_foreign_text(converted: Converted, tmp_path: Path) -> None:
    result = convert(converted.trained, tmp_path, calibration=calibration(), check=check_set(), **FAST)
    assert set(result.trained_class_f1) == set(FER_LABELS) == set(result.files[0].class_f1)
    assert min(result.files[0].class_f1.values()) > 0.8
    page = report_html(report_facts(result))
    assert "F1 of each emotion" in page
    assert "brightness &lt;b&gt;" in page
    assert "<b>" not in page
    assert is_our_report(tmp_path / "report.html")


def test_a_report_of_someone_else_is_kept(converted: Converted, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(ConfigError, match=r"report\.html exists"):
        convert(converted.trained, tmp_path, calibration=calibration(), **FAST)
    assert (tmp_path / "report.html").read_text() == "mine"


def test_too_great_a_loss_puts_the_files_aside(converted: Converted, tmp_path: Path) -> None:
    # Calibrated on black pictures alone, int8 knows no other brightness.
    black = np.zeros((10, 48, 48), np.uint8)
    from edge_fer_convert import calibration_set

    bad = calibration_set(black, np.arange(10, dtype=np.int64) % 2, "black")
    out = tmp_path / "out"
    with pytest.raises(EdgeFerError, match=r"loses \d+\.\d+ points of accuracy, more than 1: the files") as caught:
        convert(converted.trained, out, calibration=bad, check=check_set(), max_loss=1.0, **FAST)
    assert caught.value.exit_code == 1
    assert [item.name for item in out.iterdir()] == ["rejected"]
    name = f"{NAME}-48x48-static_wi8_ai8.tflite"
    kept = sorted(item.name for item in (out / "rejected").iterdir())
    assert kept == [name, f"{name}.json", "report.html", "report.json"]
    # Without a limit it is a warning.
    result = convert(converted.trained, tmp_path / "b", calibration=bad, check=check_set(), **FAST)
    assert any("points of accuracy" in text for text in result.warnings)


def test_a_small_loss_passes(converted: Converted, tmp_path: Path) -> None:
    result = convert(converted.trained, tmp_path, calibration=calibration(), max_loss=5.0, **FAST)
    assert result.warnings == ()


def test_of_several_methods_the_best_is_kept(converted: Converted, tmp_path: Path) -> None:
    said: list[str] = []
    [file] = convert(
        converted.trained,
        tmp_path,
        engines=("onnx",),
        calibration=calibration(),
        methods=("percentile", "min-max", "entropy"),
        say=said.append,
    ).files
    assert sum("calibrated by" in text for text in said) == 2
    alone = {}
    for method in ("percentile", "min-max", "entropy"):
        out = tmp_path / method
        [one] = convert(converted.trained, out, engines=("onnx",), calibration=calibration(), methods=(method,)).files
        assert one.manifest.calibration is not None
        assert one.manifest.calibration.method == method
        alone[method] = one.agreement.top_1
    assert file.agreement.top_1 == max(alone.values())
    assert file.manifest.calibration is not None
    assert alone[file.manifest.calibration.method] == file.agreement.top_1
    assert read_manifest(file.path) == file.manifest
