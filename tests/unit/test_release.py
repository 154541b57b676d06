"""script/release builds the same bytes twice from the last commit, with the bill of materials inside the wheel."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

import edge_fer
from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Release = Callable[..., subprocess.CompletedProcess[str]]

NAME = f"edge_fer-{edge_fer.__version__}"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small repository of one commit with what a build reads."""
    pytest.importorskip("hatchling", reason="needs the build backend")
    if shutil.which("git") is None:
        pytest.skip("needs git")
    folder = tmp_path_factory.mktemp("release") / "clone"
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy(REPOSITORY / name, folder)
    for name in ("edge_fer", "convert", "training", "benchmarks/edge_fer_bench", "script", "constraints"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    git(folder, "init", "-q")
    git(folder, "add", "--all")
    git(folder, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-q", "-m", "All")
    return folder


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def release(clone: Path) -> Release:
    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(clone / "script" / "release"), *arguments]
        return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)

    return run


def test_a_dry_run_builds_everything_the_same_anywhere(release: Release, tmp_path: Path) -> None:
    done = release("--dry-run", "--out", str(tmp_path / "here"))
    assert done.returncode == 0, done.stderr
    release("--dry-run", "--out", str(tmp_path / "there"), TZ="Asia/Tokyo", LC_ALL="C")
    found = {path.name: path.read_bytes() for path in (tmp_path / "here").iterdir()}
    assert set(found) == {
        f"{NAME}-py3-none-any.whl",
        f"{NAME}.tar.gz",
        f"{NAME.replace('_', '-')}.cdx.json",
        f"{NAME.replace('_', '-')}.md",
        "SHA256SUMS",
    }
    assert found == {path.name: path.read_bytes() for path in (tmp_path / "there").iterdir()}
    sums = dict(reversed(line.split("  ")) for line in found.pop("SHA256SUMS").decode().splitlines())
    assert sums == {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}
    with zipfile.ZipFile(tmp_path / "here" / f"{NAME}-py3-none-any.whl") as wheel:
        bill = json.loads(wheel.read(f"{NAME}.dist-info/sboms/edge-fer.cdx.json"))
    assert bill["metadata"]["component"]["version"] == edge_fer.__version__


def test_a_release_needs_a_section_of_its_version(release: Release, tmp_path: Path) -> None:
    done = release("--out", str(tmp_path / "out"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"script/release: CHANGELOG.md has no section of version {edge_fer.__version__}: rename `Unreleased`\n"
    )
    assert not (tmp_path / "out").exists()


def test_what_is_not_committed_is_not_released(clone: Path, release: Release, tmp_path: Path) -> None:
    stray = clone / "edge_fer" / "stray.py"
    stray.write_text("")
    try:
        refused = release("--out", str(tmp_path / "out"))
        assert refused.returncode == 1
        assert "the working tree has changes" in refused.stderr
        assert release("--dry-run", "--out", str(tmp_path / "out")).returncode == 0
    finally:
        stray.unlink()
    with zipfile.ZipFile(tmp_path / "out" / f"{NAME}-py3-none-any.whl") as wheel:
        assert "edge_fer/stray.py" not in wheel.namelist()
