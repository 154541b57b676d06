"""Files that are replaced in one step: whoever reads them, or a loss of power, finds the old one or the new one."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

READABLE_MODE = 0o644


def write_atomically(path: Path, data: bytes, mode: int | None = READABLE_MODE) -> None:
    """Write a file under a hidden name in the same folder, flush it to the disk, and rename it over the old one.

    A link in its place is replaced, not followed. Where it fails, nothing new stays behind.

    Args:
        path: the file; its folder exists.
        data: all that it will hold.
        mode: its permissions whatever the umask is; None gives those that the umask leaves a new file.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    temporary = path.parent / f".{path.name}.{os.urandom(4).hex()}"
    # Without permissions for others until it has those that it is to have.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if mode is not None:
                os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def replace_text(path: Path, text: str) -> None:
    """Write a text file that people edit, too: a link stays a link, a file that exists keeps its mode.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    data = text.encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = READABLE_MODE
    if path.exists():
        path = path.resolve()
        mode = path.stat().st_mode & 0o777
    write_atomically(path, data, mode)
    with contextlib.suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the new name too must outlive a loss of power
        finally:
            os.close(folder)
