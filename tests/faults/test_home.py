"""The home folder: nothing is written there that nobody asked for, and a user without one gets a line, no traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from tests.conftest import REPOSITORY
from tests.programs import command_line, run_to_end

if TYPE_CHECKING:
    from pathlib import Path

    from edge_fer.types import Image

MODELS = REPOSITORY / "tests" / "models"
ONNX, TFLITE = MODELS / "brightness-tiny-48x48-fp32.onnx", MODELS / "brightness-tiny-48x48-fp32.tflite"
NOBODY = ["unshare", "--user", "--map-user=12345", "env", "-i", "PATH=/usr/bin:/bin", f"PYTHONPATH={REPOSITORY}"]


@pytest.fixture
def work(tmp_path: Path, astronaut: Image) -> Path:
    """A folder with a photo and a small labelled data set."""
    folder = tmp_path / "work"
    folder.mkdir()
    assert cv2.imwrite(str(folder / "photo.png"), astronaut)
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (140, 48, 48), np.uint8)
    np.savez(folder / "faces.npz", images=images, labels=np.arange(140, dtype=np.uint8) % 7)
    return folder


def environment(home: Path) -> dict[str, str]:
    home.mkdir(exist_ok=True)
    paths = [REPOSITORY, *(REPOSITORY / folder for folder in ("convert", "training", "benchmarks"))]
    return {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, paths))}


LIGHT = [
    ["run", "demo", "--headless", "--max-frames", "3", "--backend", "onnx"],
    ["run", "demo", "--headless", "--max-frames", "3", "--model", ONNX],
    ["run", "demo", "--headless", "--max-frames", "3", "--model", TFLITE],
    ["predict", "photo.png", "--backend", "onnx"],
    ["evaluate", ONNX, "--data", "faces.npz", "--out", "evaluation"],
    ["doctor", "demo"],
]
HEAVY = [
    ["convert", "--int8", "--fp32", "--out", "converted"],
    ["train", "--data", "faces.npz", "--arch", "nano", "--epochs", "1", "--out", "run", "--set", "finishes=[]"],
    ["bench", "--quick", "--models", MODELS, "--out", "bench"],
]


@pytest.mark.parametrize("arguments", [*LIGHT, *HEAVY], ids=lambda words: " ".join(str(word) for word in words[:3]))
def test_no_command_leaves_anything_in_an_empty_home(arguments: list[object], work: Path, tmp_path: Path) -> None:
    if arguments[0] in ("convert", "train"):
        pytest.importorskip("tensorflow", reason="needs the extra convert")
    home = tmp_path / "home"
    done = run_to_end(command_line(*arguments), cwd=work, env=environment(home), timeout=600)
    assert done.returncode in (0, 1), done.stderr  # bench and doctor may find something wrong with this machine
    assert "Traceback" not in done.stderr
    assert sorted(home.rglob("*")) == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("engine", ["onnx", "litert"])
def test_no_engine_opens_a_connection(engine: str, tmp_path: Path) -> None:
    log = tmp_path / "calls"
    words = command_line("run", "demo", "--headless", "--max-frames", "3", "--backend", engine)
    traced = ["strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmsg", "-o", str(log), *words]
    done = run_to_end(traced, cwd=tmp_path, env=environment(tmp_path / "home"))
    if "ptrace" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    assert [line for line in log.read_text().splitlines() if "AF_INET" in line] == []


def nobody(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`edge-fer` as a user whose number has no name, with an empty environment, as in a container."""
    try:
        allowed = subprocess.run([*NOBODY, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        allowed = False
    if not allowed:
        pytest.skip("needs unshare and user namespaces")
    return run_to_end([*NOBODY, sys.executable, "-m", "edge_fer", *arguments], cwd=cwd)


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "demo", "--headless", "--max-frames", "3"],
        ["run", "demo", "--headless", "--max-frames", "3", "--serve", "127.0.0.1:0"],
        ["config", "show"],
        ["doctor", "demo"],
        ["service", "status"],
        ["service", "show", "--user", "--camera", "0"],
        ["predict", "photo.png"],
    ],
    ids=lambda words: " ".join(words[:3]),
)
def test_a_user_without_name_and_home_gets_no_traceback(arguments: list[str], work: Path) -> None:
    done = nobody(*arguments, cwd=work)
    assert "Traceback" not in done.stderr, done.stderr


def test_what_needs_a_home_names_it(work: Path) -> None:
    done = nobody("run", "demo", "--headless", "--max-frames", "3", "--serve", "0.0.0.0:0", cwd=work)
    assert done.returncode == 78
    (line,) = done.stderr.strip().splitlines()
    assert "set HOME or XDG_STATE_HOME" in line
