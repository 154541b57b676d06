"""`edge-fer convert` as a user runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner
from edge_fer_convert.cli import command

from edge_fer.errors import ConfigError, ModelError, SourceError
from edge_fer.inference.manifest import read_manifest
from tests.make_models import NAME, pictures
from tests.programs import run_python

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


def bad_calibration(folder: Path, kind: str) -> Path:
    path = folder / kind
    if kind == "empty.csv":
        path.write_text("emotion,pixels,Usage\n")
    elif kind == "nothing.csv":
        path.write_bytes(b"")
    elif kind == "other.csv":
        path.write_text("name,age\nAda,36\n")
    elif kind == "picture.csv":
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    elif kind == "folder":
        path.mkdir()
    elif kind == "colour.npz":
        np.savez(path, images=np.zeros((4, 8, 8, 3), np.uint8), labels=np.zeros(4, np.int64))
    elif kind == "float.npz":
        np.savez(path, images=np.zeros((4, 8, 8), np.float32), labels=np.zeros(4, np.int64))
    elif kind == "none.npz":
        np.savez(path, images=np.zeros((0, 8, 8), np.uint8), labels=np.zeros(0, np.int64))
    elif kind == "one.npz":
        np.savez(path, images=np.zeros((1, 8, 8), np.uint8), labels=np.zeros(1, np.int64))
    else:
        path.write_bytes(b"PK\x03\x04 no npz")
    return path


BAD_CALIBRATIONS = (
    *("empty.csv", "nothing.csv", "other.csv", "picture.csv", "folder"),
    *("colour.npz", "float.npz", "none.npz", "one.npz", "broken.npz"),
)


@pytest.mark.parametrize("kind", BAD_CALIBRATIONS)
def test_calibration_data_that_is_empty_or_of_another_kind(tmp_path: Path, kind: str) -> None:
    data = bad_calibration(tmp_path, kind)
    out = tmp_path / "out"
    with pytest.raises(ModelError, match="cannot calibrate") as caught:
        CliRunner().invoke(command, ["x.keras", "--calibration", str(data), "--out", str(out)], catch_exceptions=False)
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)
    assert not out.exists()


def test_nothing_but_our_own_words_on_the_terminal(converted: Converted, tmp_path: Path) -> None:
    code = "from edge_fer_convert.cli import command; command()"
    arguments = [str(converted.trained), "--int8", "--fp32", "--out", str(tmp_path)]
    run = run_python(code, *arguments, check=True, timeout=240)
    told = run.stderr.splitlines()
    assert told[0] == f"loading {converted.trained}"
    assert all(line.startswith(("loading ", "converting to ", "looking for ", "checking ", "note: ")) for line in told)
    lines = run.stdout.splitlines()
    assert lines[0].startswith("agreement with the trained model on 350 pictures (edge-fer synthetic faces 2)")
    # A head, four files; one line of operations each, two more of each int8 file, and what confined it.
    assert len(lines) == 2 + 4 + 4 + 2 * 2 + 1
    assert lines[-1].startswith("confined by: ")
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
    run = run_python(code)
    assert run.returncode == 0, run.stderr
