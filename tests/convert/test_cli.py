"""`edge-fer convert` as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner
from edge_fer_convert.cli import command

from edge_fer.errors import ConfigError, SourceError
from edge_fer.scores.manifest import read_manifest
from tests.make_models import NAME, pictures

if TYPE_CHECKING:
    from pathlib import Path

    from tests.convert.conftest import Converted


def test_a_run_with_data(converted: Converted, tmp_path: Path) -> None:
    images, labels = pictures(140)
    split = ["train"] * 105 + ["validation"] * 35
    np.savez(tmp_path / "faces.npz", images=images, labels=labels, split=split)
    data = str(tmp_path / "faces.npz")
    out = tmp_path / "out"
    arguments = [str(converted.trained), "--int8", "--to", "tflite", "--out", str(out), "--name", "mine"]
    result = CliRunner().invoke(command, [*arguments, "--calibration", data, "--check", data], catch_exceptions=False)
    assert result.exit_code == 0
    model = out / "mine-48x48-static_wi8_ai8.tflite"
    assert str(model) in result.stdout
    assert "agreement with the trained model on 35 pictures (faces.npz)" in result.stdout
    assert "loading" in result.stderr
    assert "loading" not in result.stdout
    manifest = read_manifest(model)
    assert manifest.calibration is not None
    assert (manifest.calibration.source, manifest.calibration.pictures) == ("faces.npz", 105)
    assert manifest.accuracy[0].pictures == 35
    with pytest.raises(ConfigError, match="exists"):
        CliRunner().invoke(command, arguments, catch_exceptions=False)


def test_data_that_is_absent(converted: Converted, tmp_path: Path) -> None:
    arguments = [str(converted.trained), "--calibration", str(tmp_path / "absent.csv")]
    with pytest.raises(SourceError, match="no such data"):
        CliRunner().invoke(command, arguments, catch_exceptions=False)


def test_nothing_but_our_own_words_on_the_terminal(converted: Converted, tmp_path: Path) -> None:
    code = "from edge_fer_convert.cli import command; command()"
    arguments = [str(converted.trained), "--int8", "--fp32", "--out", str(tmp_path)]
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, timeout=240
    )
    told = run.stderr.splitlines()
    assert told[0] == f"loading {converted.trained}"
    assert all(line.startswith(("loading ", "converting to ", "checking ", "note: ")) for line in told)
    lines = run.stdout.splitlines()
    assert lines[0].startswith("agreement with the trained model on 350 pictures (edge-fer synthetic faces 2)")
    # A head, four files; one line of operations each, and two more of each int8 file.
    assert len(lines) == 2 + 4 + 4 + 2 * 2
    assert sum(NAME in line for line in lines[:6]) == 4


def test_help_needs_no_tensorflow() -> None:
    code = (
        "import sys; sys.argv = ['convert', '--help']\n"
        "from edge_fer_convert.cli import command\n"
        "try: command()\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'tensorflow', 'keras', 'onnx', 'onnxruntime', 'tf2onnx', 'ai_edge_litert', 'numpy', 'cv2'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr
