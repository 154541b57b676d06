"""The package of docs/extending.md is built from the page, installed beside edge-fer, and used by its names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import REPOSITORY
from tests.programs import command_line, run_to_end

if TYPE_CHECKING:
    from pathlib import Path


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


def test_its_detector_and_its_output_run_on_the_demo(site: Path, tmp_path: Path) -> None:
    arguments = ["--detector", "middle", "--sink", "counter=counts.txt", "--headless", "--json", "--max-frames", "30"]
    done = edge_fer(site, "run", "demo", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    boxes = [face["box"] for line in lines for face in line["faces"]]
    assert [200, 120, 240, 240] in boxes
    counts = dict(line.split() for line in (tmp_path / "counts.txt").read_text().splitlines())
    assert sum(map(int, counts.values())) == len(boxes) > 0


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
