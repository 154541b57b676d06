"""Which files a service can read: it is a user without a name, before whom homes and temporary folders are hidden."""

from __future__ import annotations

import importlib.util
import stat
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN_FOLDERS = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
"""ProtectHome hides the first three, PrivateTmp the others."""

RUNTIME_PACKAGES = ("edge_fer", "click", "numpy", "cv2")


def own_program(scripts: Path | None = None) -> tuple[str, ...]:
    """The command that starts this installation of edge-fer, by absolute paths."""
    folder = Path(sysconfig.get_path("scripts")) if scripts is None else scripts
    script = folder / "edge-fer"
    if script.is_file():
        return (str(script.absolute()),)
    return (str(Path(sys.executable).absolute()), "-P", "-m", "edge_fer")


def own_files(program: tuple[str, ...]) -> list[Path]:
    """The files and folders that this installation runs from."""
    found = (importlib.util.find_spec(name) for name in RUNTIME_PACKAGES)
    packages = [Path(spec.origin).parent for spec in found if spec is not None and spec.origin]
    standard_library = Path(sysconfig.get_path("stdlib"))
    return [Path(program[0]), Path(sys.executable), Path(sys.prefix), standard_library, *packages]


def check_readable(paths: Iterable[Path], hidden: Iterable[str] = HIDDEN_FOLDERS) -> None:
    """Refuse files that the service could not read.

    Raises:
        ConfigError: naming the first of them, why, and where to put it.
    """
    hidden = tuple(hidden)
    for path in paths:
        reason = why_unreadable(path, hidden)
        if reason is None:
            continue
        raise ConfigError(f"a service could not read {path}: {reason}; or leave it to your own user: --user")


def why_unreadable(path: Path, hidden: Iterable[str] = HIDDEN_FOLDERS) -> str | None:
    """Why a user without a name could not read a file or folder; None where it could.

    A link is followed: both the way to it and the way to its target count. Only the mode is looked at, no access lists.
    """
    folders = [Path(folder) for folder in hidden]
    try:
        target = path.resolve(strict=True)
    except OSError as error:
        return error.strerror or str(error)
    for place in (path.absolute(), target):
        for folder in folders:
            if place == folder or folder in place.parents:
                return f"services do not see {folder}; install edge-fer in /opt, docs/service.md shows how"
        for above in reversed(place.parents):
            if not above.stat().st_mode & stat.S_IXOTH:
                return f"other users may not enter {above}: chmod o+x {above}"
    mode = target.stat().st_mode
    wanted = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(mode) else 0)
    return None if mode & wanted == wanted else f"other users may not read it: chmod -R o+rX {path}"
