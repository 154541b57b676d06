"""The folder of an archive: whose it is, with which settings it was begun, and that nobody else fills it meanwhile."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from typing import TYPE_CHECKING, Any

from edge_fer.atomic_files import write_atomically
from edge_fer.errors import ConfigError, SinkError, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SCHEMA = "edge-fer-archive/1"
DESCRIPTION, LOCK = "archive.json", ".lock"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep others from filling this folder; the system lets go of the lock when this process ends, however it ends.

    Raises:
        SinkError: another process fills it, or it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise SinkError(f"cannot write into {folder}: {error.strerror or error}") from error
    with os.fdopen(descriptor, "r+", encoding="utf-8", errors="replace") as file:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = file.read(200).strip() or "another process"
            raise SinkError(f"{folder} is being filled by {one_line(holder)}: wait for its end") from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield


def describe(folder: Path, settings: Mapping[str, Any]) -> None:
    """Write with which settings an archive is made; one that was begun before must have been with the same.

    Raises:
        ConfigError: it was begun with others, or the folder holds something else; the message shows the difference.
        SinkError: it cannot be written.
    """
    path = folder / DESCRIPTION
    try:
        before = json.loads(path.read_bytes())
        if before["schema"] != SCHEMA:
            raise ValueError(before["schema"])
        before = before["settings"]
    except FileNotFoundError:
        if any(one.name != LOCK for one in folder.iterdir()):
            raise ConfigError(f"{folder} holds files that are no archive: give an empty folder") from None
        text = json.dumps({"schema": SCHEMA, "settings": dict(settings)}, indent=1) + "\n"
        try:
            write_atomically(path, text.encode())
        except OSError as error:
            raise SinkError(f"cannot write {path}: {error.strerror or error}") from error
        return
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is damaged or of another version: give another folder") from error
    names = [name for name in {**before, **settings} if before.get(name) != settings.get(name)]
    if names:
        difference = "; ".join(f"{name} is {before.get(name)} there and {settings.get(name)} now" for name in names)
        raise ConfigError(f"{folder} was begun with other settings: {difference}; --new begins a folder beside it")


def beside(folder: Path) -> Path:
    """A folder beside this one that is not there yet; this one itself where it is not."""
    number, place = 1, folder
    while place.exists():
        number += 1
        place = folder.with_name(f"{folder.name}-{number}")
    return place
