"""Pinned files are installed as they stand, whatever was released since, by the oldest pip and the newest."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import distribution
from typing import TYPE_CHECKING

import pytest

from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

PATTERNS = ("script/*", "*.md", "docs/**/*.md", "deploy/**/*", ".ci/*", "benchmarks/**/*.py", "benchmarks/**/*.md")


def make_wheel(folder: Path, name: str, version: str, *metadata: str) -> str:
    """Write an empty package as a wheel; return its requirement with its hash, as pinned files have it."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    about = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": "",
        f"{about}/METADATA": "\n".join(
            ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *metadata, ""]
        ),
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{file},{record_hash(text)},{len(text)}" for file, text in files.items()]
    files[f"{about}/RECORD"] = "\n".join([*rows, f"{about}/RECORD,,", ""])
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def record_hash(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return f"sha256={digest.rstrip(b'=').decode()}"


@pytest.fixture
def index(tmp_path: Path) -> tuple[Path, Path]:
    """A folder of packages, and a pinned file that was complete before the newest of them was released."""
    folder = tmp_path / "index"
    folder.mkdir()
    pins = [
        make_wheel(folder, "measuring", "7.10", "Provides-Extra: toml"),
        make_wheel(folder, "plugin", "1.0", "Requires-Dist: measuring[toml] >=7.0"),
    ]
    make_wheel(folder, "measuring", "7.11", "Provides-Extra: toml")
    file = tmp_path / "pinned.txt"
    file.write_text("\n".join([*pins, ""]))
    return folder, file


@pytest.fixture(params=["the pip that Python brings", "the newest pip"])
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "environment"
    venv.EnvBuilder(with_pip=True, symlinks=True).create(folder)
    if request.param == "the newest pip":
        (packages,) = folder.glob("lib/python*/site-packages")
        for old in packages.glob("pip*"):
            shutil.rmtree(old)
        pip = distribution("pip")
        for file in pip.files or ():
            if not str(file).startswith("..") and file.suffix != ".pyc":
                (packages / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(pip.locate_file(file)), packages / file)
    return folder


def test_a_newer_release_of_a_pinned_package_does_not_matter(environment: Path, index: tuple[Path, Path]) -> None:
    packages, file = index
    code = '. script/_environment; install_pinned "$1" "$2"'
    done = subprocess.run(
        ["sh", "-c", code, str(REPOSITORY / "script" / "test"), str(environment), str(file)],
        cwd=REPOSITORY,
        env={
            "PATH": "/usr/bin:/bin",
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(packages),
            "HOME": str(file.parent),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (site,) = environment.glob("lib/python*/site-packages")
    assert sorted(
        path.name for path in site.glob("*.dist-info") if not path.name.startswith(("pip", "setuptools"))
    ) == [
        "measuring-7.10.dist-info",
        "plugin-1.0.dist-info",
    ]


def test_no_pinned_install_resolves_anything() -> None:
    commands = [
        line
        for pattern in PATTERNS
        for path in sorted(REPOSITORY.glob(pattern))
        if path.is_file() and path.suffix not in (".jpg", ".png", ".json")
        for line in path.read_text().replace("\\\n", " ").splitlines()
        if "--require-hashes" in line and re.search(r"\bpip\b.*install", line)
    ]
    assert len(commands) >= 3
    assert [line for line in commands if "--no-deps" not in line] == []


def test_the_environments_of_this_project_are_complete() -> None:
    """As nothing is resolved, a package that is missing from a pinned file would go unnoticed."""
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
