"""A virtual environment for each peer, filled from the package index, and how much it takes on the disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
NOT_COUNTED = ("pip", "pip-", "__pycache__")
"""What `venv` puts there by itself, and what Python writes while it runs."""


def environment(name: str) -> Path:
    """The Python of a peer's environment, made where it is missing or its requirements have changed.

    Raises:
        subprocess.CalledProcessError: venv or pip failed; they have said why.
    """
    folder = HERE / f".venv-{name}"
    python, done = folder / "bin" / "python", folder / "installed.txt"
    wanted = (HERE / "requirements" / f"{name}.txt").read_text()
    if not done.is_file() or done.read_text() != wanted:
        print(f"making {folder.name}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        # The files list everything, so that each machine measures the same versions.
        _pip(python, "--no-deps", "--requirement", HERE / "requirements" / f"{name}.txt")
        done.write_text(wanted)
    return python


def own_environment() -> Path:
    """The Python of an environment that holds this copy of edge-fer as `pip install edge-fer` gives it."""
    folder = HERE / ".venv-edge-fer"
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"making {folder.name}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        _pip(python, REPOSITORY)
    else:
        # The requirements are there; the code may have changed.
        _pip(python, "--no-deps", "--force-reinstall", REPOSITORY)
    return python


def installed_mb(python: Path) -> int:
    """Megabytes of what was installed for a peer, with all that it needs but Python itself."""
    (packages,) = (python.parent.parent / "lib").glob("python*/site-packages")
    total = 0
    for folder, folders, files in os.walk(packages):
        folders[:] = [one for one in folders if not one.startswith(NOT_COUNTED)]
        total += sum((Path(folder) / file).lstat().st_size for file in files)
    return round(total / 1e6)


def version_of(python: Path, package: str) -> str:
    """Version of an installed package."""
    code = f"import importlib.metadata; print(importlib.metadata.version({package!r}))"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def _pip(python: Path, *arguments: str | Path) -> None:
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, stdout=sys.stderr)
