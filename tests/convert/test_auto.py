"""`--recipe auto`: int8 by the best method where it keeps within the budget, else the first recipe that does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from click.testing import CliRunner
from edge_fer_convert import calibration_set
from edge_fer_convert.cli import command
from edge_fer_convert.conversion import convert

from edge_fer.inference.manifest import read_manifest
from tests.make_models import NAME, calibration, check_set

if TYPE_CHECKING:
    from pathlib import Path

    from tests.convert.conftest import Converted


def test_int8_is_kept_where_it_is_good_enough(converted: Converted, tmp_path: Path) -> None:
    said: list[str] = []
    result = convert(
        converted.trained, tmp_path, calibration=calibration(), check=check_set(70), auto=True, say=said.append
    )
    assert [file.manifest.recipe for file in result.files] == ["static_wi8_ai8"] * 2
    onnx = f"checking {NAME}-48x48-static_wi8_ai8.onnx calibrated by"
    assert [one.removeprefix(onnx).strip() for one in said if one.startswith(onnx)] == [
        "min-max",
        "entropy",
        "percentile",
    ]
    assert all(read_manifest(file.path) == file.manifest for file in result.files)


def test_another_recipe_is_taken_where_int8_loses_too_much(converted: Converted, tmp_path: Path) -> None:
    # Calibrated on black pictures alone, int8 knows no other brightness.
    black = calibration_set(np.zeros((10, 48, 48), np.uint8), np.arange(10, dtype=np.int64) % 2, "black")
    said: list[str] = []
    result = convert(
        converted.trained, tmp_path, calibration=black, check=check_set(70), max_loss=1.0, auto=True, say=said.append
    )
    assert [file.manifest.recipe for file in result.files] == ["dynamic_wi8_afp32"] * 2
    assert sum("trying the next recipe" in one for one in said) == 2
    assert not any("static" in path.name for path in tmp_path.iterdir())


def test_auto_leaves_no_other_choice(converted: Converted) -> None:
    found = CliRunner().invoke(command, [str(converted.trained), "--recipe", "auto", "--int8"])
    assert found.exit_code == 2
    assert "leave --int8" in found.output
