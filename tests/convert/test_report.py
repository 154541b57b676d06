"""What is reported of a conversion, and what happens when too much was lost."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from edge_fer_convert import CheckSet
from edge_fer_convert.budget import slowness
from edge_fer_convert.conversion import convert
from edge_fer_convert.page import bars, report_html
from edge_fer_convert.report import is_our_report, report_facts, report_json

from edge_fer.errors import ConfigError, EdgeFerError
from edge_fer.evaluation.datasets import LabelledFaces
from edge_fer.inference.manifest import read_manifest
from edge_fer.types import FER_LABELS
from tests.make_models import NAME, calibration, pictures

if TYPE_CHECKING:
    from pathlib import Path

    from edge_fer.inference.manifest import Format
    from tests.convert.conftest import Converted

FAST: dict[str, Any] = {"formats": ("tflite",)}


def check_set(shift: int = 0) -> CheckSet:
    images, labels = pictures(70)
    return CheckSet(LabelledFaces(images, (labels + shift) % 7, FER_LABELS), "brightness <b>", "test")


def test_the_report_holds_what_was_found(converted: Converted) -> None:
    facts = json.loads((converted.out / "conversion.json").read_text())
    assert facts["schema"] == "edge-fer-conversion/1"
    assert [file["file"] for file in facts["files"]] == [file.path.name for file in converted.result.files]
    for told, file in zip(facts["files"], converted.result.files, strict=True):
        assert told["size_bytes"] == file.size_bytes
        assert told["agreement"]["top_1"] == file.agreement.top_1
        assert told["manifest"]["sha256"] == file.manifest.sha256
    assert facts == json.loads(report_json(report_facts(converted.result)))


def test_the_page_needs_nothing_else(converted: Converted) -> None:
    page = (converted.out / "conversion.html").read_text()
    assert all(file.path.name in page for file in converted.result.files)
    assert not any(word in page for word in ("http:", "https:", "src=", "href=", "url(", "<script", str(converted.out)))
    assert page.count("<svg ") == 3 + 2


def test_what_became_of_operations_is_told(converted: Converted) -> None:
    by_name = {file.path.name: file.operations for file in converted.result.files}
    for name, found in by_name.items():
        # The tiny network has one batch norm, two ReLUs, two convolutions and one dense layer.
        assert found.folded == {"BatchNormalization": 1}, name
        if "dynamic" not in name and "fp16" not in name:
            assert found.fused == {"relu": 2}, name
    onnx_int8, litert_int8 = (by_name[f"{NAME}-48x48-static_wi8_ai8.{kind}"] for kind in ("onnx", "tflite"))
    assert onnx_int8.in_float == {"Softmax": 1}
    assert litert_int8.in_float == {}
    assert litert_int8.kinds == {"CONV_2D": 2, "FULLY_CONNECTED": 1, "MEAN": 1, "SOFTMAX": 1}
    assert by_name[f"{NAME}-48x48-fp32.tflite"].kinds == litert_int8.kinds
    assert by_name[f"{NAME}-48x48-fp32.onnx"].in_float == {}


def test_the_worst_layers_of_int8_are_told(converted: Converted) -> None:
    for file in converted.result.files:
        errors = [one.relative_error for one in file.layer_errors]
        assert bool(errors) == (file.manifest.recipe == "static_wi8_ai8")
        assert errors == sorted(errors, reverse=True)
        assert len(errors) <= 10
        assert all(0.0 < error < 0.2 for error in errors)


def test_ranges_that_are_too_narrow_show_in_the_layers(converted: Converted, tmp_path: Path) -> None:
    from edge_fer_convert import calibration_set

    black = calibration_set(np.zeros((10, 48, 48), np.uint8), np.arange(10, dtype=np.int64) % 2, "black")
    result = convert(converted.trained, tmp_path, calibration=black, check=check_set())
    for file in result.files:
        assert file.layer_errors[0].relative_error > 0.5
        assert file.agreement.pictures == 70
    assert result.agreement_source == "brightness <b>"


def test_speed_is_compared_with_the_float_twin(converted: Converted) -> None:
    for engine in ("onnx", "tflite"):
        files = {file.manifest.recipe: file for file in converted.result.files if file.manifest.format == engine}
        twin = files["fp32"].milliseconds_per_face
        assert files["static_wi8_ai8"].float_milliseconds_per_face == twin
        fastest = min(files.values(), key=lambda file: file.milliseconds_per_face)
        assert [file.manifest.recipe for file in files.values() if file.manifest.preferred] == [fastest.manifest.recipe]


def test_int8_that_is_slower_is_told(converted: Converted) -> None:
    int8 = converted.result.files[3]
    assert int8.manifest.recipe == "static_wi8_ai8"
    for own, of_float, told in ((2.0, 1.0, True), (1.0, 1.0, False), (1.05, 1.0, False), (1.0, None, False)):
        file = replace(int8, milliseconds_per_face=own, float_milliseconds_per_face=of_float)
        assert (slowness(file) is not None) == told
    assert "(2.00 ms per face against 1.00)" in str(
        slowness(replace(int8, milliseconds_per_face=2.0, float_milliseconds_per_face=1.0))
    )


def test_int8_alone_is_compared_with_float_too(converted: Converted, tmp_path: Path) -> None:
    [file] = convert(converted.trained, tmp_path, calibration=calibration(), **FAST).files
    assert file.float_milliseconds_per_face is not None
    assert file.layer_errors != ()
    assert [path.suffix for path in tmp_path.iterdir() if path.suffix == ".tflite"] == [".tflite"]


def test_bars_stand_in_proportion() -> None:
    plot = bars("Size <kB>", [("a&b", 10.0, "10"), ("c", 5.0, "5")], ["c"])
    assert 'width="420.0"' in plot
    assert '<rect class="preferred" x="330" y="28" width="210.0"' in plot
    assert "Size &lt;kB&gt;" in plot
    assert "a&amp;b" in plot


def test_figures_of_each_emotion_and_foreign_text(converted: Converted, tmp_path: Path) -> None:
    result = convert(converted.trained, tmp_path, calibration=calibration(), check=check_set(), **FAST)
    assert set(result.trained_class_f1) == set(FER_LABELS) == set(result.files[0].class_f1)
    assert min(result.files[0].class_f1.values()) > 0.8
    page = report_html(report_facts(result))
    assert "F1 of each emotion" in page
    assert "brightness &lt;b&gt;" in page
    assert "<b>" not in page
    assert is_our_report(tmp_path / "conversion.html")


def test_a_report_of_someone_else_is_kept(converted: Converted, tmp_path: Path) -> None:
    (tmp_path / "conversion.html").write_text("mine")
    with pytest.raises(ConfigError, match=r"conversion\.html exists"):
        convert(converted.trained, tmp_path, calibration=calibration(), **FAST)
    assert (tmp_path / "conversion.html").read_text() == "mine"


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
    assert kept == [name, f"{name}.json", "conversion.html", "conversion.json"]
    # Without a limit it is a warning.
    result = convert(converted.trained, tmp_path / "b", calibration=bad, check=check_set(), **FAST)
    assert any("points of accuracy" in text for text in result.warnings)


def test_a_small_loss_passes(converted: Converted, tmp_path: Path) -> None:
    result = convert(converted.trained, tmp_path, calibration=calibration(), max_loss=5.0, **FAST)
    assert result.warnings == ()


@pytest.mark.parametrize("engine", ["onnx", "tflite"])
def test_of_several_methods_the_best_is_kept(converted: Converted, tmp_path: Path, engine: Format) -> None:
    said: list[str] = []
    [file] = convert(
        converted.trained,
        tmp_path,
        formats=(engine,),
        calibration=calibration(),
        methods=("percentile", "min-max", "entropy"),
        say=said.append,
    ).files
    assert sum("calibrated by" in text for text in said) == 3
    alone = {}
    for method in ("percentile", "min-max", "entropy"):
        out = tmp_path / method
        [one] = convert(converted.trained, out, formats=(engine,), calibration=calibration(), methods=(method,)).files
        assert one.manifest.calibration is not None
        assert one.manifest.calibration.method == method
        alone[method] = one.agreement.top_1
    assert file.agreement.top_1 == max(alone.values())
    assert file.manifest.calibration is not None
    assert alone[file.manifest.calibration.method] == file.agreement.top_1
    assert read_manifest(file.path) == file.manifest
