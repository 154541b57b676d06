"""Files that are replaced in one step: a reader, or a loss of power, finds the old one or the new one."""

from __future__ import annotations

import contextlib
import os
import stat
from io import FileIO
from pathlib import Path

READABLE_MODE = 0o644
PRIVATE_MODE = 0o600
"""Of files that show people: for their owner alone, whatever the umask is."""
STREAM_FOLDERS = (Path("/dev"), Path("/proc"))
"""Where links stand for open files, such as /dev/stdout, and are never replaced."""


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


def open_replacing(path: Path) -> FileIO:
    """Open a new, empty file in the place of an old one, to be written as results come.

    The old file is replaced and not written over: one that also has another name, or that a link leads to, stays as it
    is there. A pipe or device is opened as it is.

    Returns:
        The file without a buffer, for reading and writing where it is a regular one; the caller closes it.

    Raises:
        OSError: it cannot be created.
    """
    try:
        old = path.stat()
    except FileNotFoundError:
        old = None
    if old is not None and (not stat.S_ISREG(old.st_mode) or is_stream(path)):
        return path.open("wb", buffering=0)
    temporary = path.parent / f".{path.name}.{os.urandom(4).hex()}"
    try:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except PermissionError:
        if old is None or old.st_nlink > 1:
            raise
        # A file of ours in a folder that is not: nothing can be put in its place.
        descriptor = os.open(path, os.O_RDWR | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC)
        return FileIO(descriptor, "r+b")
    try:
        if old is not None and not path.is_symlink():
            os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
        temporary.replace(path)
    except BaseException:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    return FileIO(descriptor, "r+b")


def open_again(path: Path) -> FileIO | None:
    """Open a regular file that is there, to go on with it; None where there is none, or a link in its place.

    Raises:
        OSError: it cannot be opened.
    """
    if not path.is_file() or path.is_symlink() or is_stream(path):
        return None
    return FileIO(os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC), "r+b")


def is_stream(path: Path) -> bool:
    """Whether a name stands for an open file or a device, such as /dev/stdout or /dev/fd/3."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - its links must not be followed
    return any(whole.is_relative_to(folder) for folder in STREAM_FOLDERS) and not whole.is_relative_to("/dev/shm")


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
