"""How this installation came about, and the command that adds an extra to it."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

PROJECT = "edge-fer"


def install_command(extra: str) -> str:
    """A command for a shell that adds an extra to this installation.

    It names the interpreter that runs, and the folder, file or address that this installation came from, as
    direct_url.json says (PEP 610); where there is none, it came from an index, and the name of the project is enough.
    """
    return command_for(extra, _direct_url(), has_pip=importlib.util.find_spec("pip") is not None)


def command_for(
    extra: str,
    origin: dict[str, Any] | None,
    *,
    has_pip: bool,
    python: str = sys.executable,
    writable: bool | None = None,
) -> str:
    """As `install_command`, for a given origin.

    Args:
        extra: name of the extra.
        origin: content of direct_url.json, or None.
        has_pip: whether the environment has pip; those that uv makes have none.
        python: the interpreter of the environment.
        writable: whether its folder may be written to; None looks.
    """
    if writable is None:
        writable = os.access(sys.prefix, os.W_OK)
    what, editable = _requirement(extra, origin)
    installer = [python, "-m", "pip", "install"] if has_pip else ["uv", "pip", "install", "--python", python]
    words = [*(() if writable else ("sudo",)), *installer, *(("--editable",) if editable else ())]
    # Brackets are patterns to a shell; quoted here even where the name alone would pass.
    return f"{shlex.join(words)} {_quoted(what)}"


def _requirement(extra: str, origin: dict[str, Any] | None) -> tuple[str, bool]:
    """What to install, and whether as an editable folder."""
    if origin is None:
        folder = _checkout()
        return (f"{PROJECT}[{extra}]", False) if folder is None else (f"{folder}[{extra}]", True)
    url = str(origin.get("url", ""))
    if url.startswith("file:"):
        editable = bool(origin.get("dir_info", {}).get("editable"))
        return f"{unquote(urlsplit(url).path).rstrip('/')}[{extra}]", editable
    vcs = origin.get("vcs_info", {}).get("vcs")
    return f"{PROJECT}[{extra}] @ {f'{vcs}+' if vcs else ''}{url}", False


def _direct_url() -> dict[str, Any] | None:
    try:
        found: Distribution = distribution(PROJECT)
        text = found.read_text("direct_url.json")
        content = json.loads(text) if text else None
    except (PackageNotFoundError, OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _checkout() -> Path | None:
    """The folder that this program runs from where it was never installed; None where it was."""
    try:
        distribution(PROJECT)
    except PackageNotFoundError:
        folder = Path(__file__).resolve().parent.parent
        return folder if (folder / "pyproject.toml").is_file() else None
    return None


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\"'\"'") + "'"
