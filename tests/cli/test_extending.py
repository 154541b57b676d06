"""The package of docs/extending.md is built from the page, installed beside edge-fer, and used by its names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge_fer.inference.open_model import BUNDLED_MODELS_FOLDER
from tests.conftest import REPOSITORY
from tests.programs import command_line, run_to_end

if TYPE_CHECKING:
    from pathlib import Path


NANO_ONNX = BUNDLED_MODELS_FOLDER / "fer2013-nano-48x48-static_wi8_ai8.onnx"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed package."""
    pytest.importorskip("hatchling", reason="needs the build backend")
    project, site = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("site")
    page = (REPOSITORY / "docs" / "extending.md").read_text()
    blocks = dict.fromkeys(re.findall(r"```(toml|python)\n(.*?)```", page, re.DOTALL))
    (project / "pyproject.toml").write_text("".join(text for kind, text in blocks if kind == "toml"))
    (project / "edge_fer_example.py").write_text("\n\n".join(text for kind, text in blocks if kind == "python"))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--target", str(site), str(project)], check=True, capture_output=True)
    return site


def edge_fer(site: Path, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    paths = [str(site), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return run_to_end(command_line(*arguments), cwd=cwd, env=environment)


def test_its_detector_its_engine_and_its_output_run_on_the_demo(site: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the engine of the page calls it")
    parts = ["--detector", "middle", "--engine", "counting=calls.txt", "--sink", "counter=counts.txt"]
    arguments = [*parts, "--headless", "--json", "--max-frames", "30"]
    done = edge_fer(site, "run", "demo", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    boxes = [face["box"] for line in lines for face in line["faces"]]
    assert [200, 120, 240, 240] in boxes
    counts = dict(line.split() for line in (tmp_path / "counts.txt").read_text().splitlines())
    assert sum(map(int, counts.values())) == len(boxes) > 0
    assert int((tmp_path / "calls.txt").read_text()) >= 3


def test_its_source_runs(site: Path, tmp_path: Path) -> None:
    done = edge_fer(site, "run", "grey:200", "--headless", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["size"] for line in lines] == [[200, 200]] * 10
    assert {line["source"] for line in lines} == {"grey"}


def test_an_output_that_nobody_brings_is_one_line(tmp_path: Path) -> None:
    done = run_to_end(command_line("run", "demo", "--headless", "--sink", "nothing"), cwd=tmp_path)
    assert done.returncode == 78
    assert done.stderr.strip().splitlines()[-1].startswith("edge-fer: no output (--sink) is called nothing")


def test_a_text_that_the_part_refuses_is_one_line(site: Path, tmp_path: Path) -> None:
    done = edge_fer(site, "run", "grey:wide", "--headless", cwd=tmp_path)
    assert done.returncode == 78
    assert "the source grey cannot be made: ValueError" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["predict", "evaluate", "bench"])
def test_its_engine_is_used_by_the_other_commands(site: Path, tmp_path: Path, command: str) -> None:
    pytest.importorskip("onnxruntime", reason="the engine of the page calls it")
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "faces.npz", images=rng.integers(0, 256, (14, 48, 48), np.uint8), labels=np.arange(14) % 7)
    cv2.imwrite(str(tmp_path / "photo.png"), rng.integers(0, 256, (48, 48), np.uint8))
    arguments = {
        "predict": ["photo.png", "--whole", "--json"],
        "evaluate": ["nano", "--data", "faces.npz", "--json"],
        "bench": ["--models", str(NANO_ONNX), "--quick", "--rounds", "2", "--frames", "10", "--json"],
    }[command]
    done = edge_fer(site, command, *arguments, "--engine", "counting=calls.txt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert int((tmp_path / "calls.txt").read_text()) >= 1
    if command != "predict":
        assert '"counting' in done.stdout


def test_doctor_lists_the_engines_and_names_a_part_that_is_broken(site: Path, tmp_path: Path) -> None:
    done = edge_fer(site, "doctor", "--json", "demo", "--engine", "counting", cwd=tmp_path)
    checks = {one["name"]: one for one in json.loads(done.stdout)["checks"]}
    assert checks["engine"]["text"].startswith("counting opens fer2013-small")
    assert "litert for .tflite" in checks["engines"]["text"]
    assert "counting for .onnx" in checks["engines"]["text"]
    assert checks["plug-ins"]["state"] == "ok"

    broken = tmp_path / "broken"
    (broken / "broken-1.dist-info").mkdir(parents=True)
    (broken / "broken-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (broken / "broken-1.dist-info" / "entry_points.txt").write_text("[edge_fer.engines]\nnpu = npu_of_broken:Engine\n")
    (broken / "npu_of_broken.py").write_text("import no_such_driver\n")
    done = edge_fer(broken, "doctor", "--json", "demo", cwd=tmp_path)
    checks = {one["name"]: one for one in json.loads(done.stdout)["checks"]}
    assert checks["plug-ins"]["state"] == "warn"
    assert "the engine npu of the package broken cannot be imported" in checks["plug-ins"]["text"]
    done = edge_fer(broken, "run", "demo", "--headless", "--engine", "npu", cwd=tmp_path)
    assert done.returncode == 78
    assert "the engine npu of the package broken cannot be imported: ModuleNotFoundError" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("engine", "why"),
    [
        ("tensorrt", "no engine is called tensorrt: take one of litert, onnxruntime, counting"),
        ("litert=fast", "the engine litert takes no text"),
        ("", "no engine is called"),
    ],
)
def test_an_engine_that_nobody_brings_is_one_line(site: Path, tmp_path: Path, engine: str, why: str) -> None:
    done = edge_fer(site, "run", "demo", "--headless", "--engine", engine, cwd=tmp_path)
    assert done.returncode == 78
    assert why in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_engine_against_the_file_is_one_line(site: Path, tmp_path: Path) -> None:
    done = edge_fer(site, "run", "demo", "--headless", "--engine", "litert", "--model", NANO_ONNX.name, cwd=tmp_path)
    assert done.returncode == 78
    assert "is a .onnx file, and the engine litert loads .tflite" in done.stderr
