"""Files that may be opened as pictures and videos: regular ones; a pipe would wait, and a device may act on opening."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, BinaryIO

from edge_fer.camera import left_out
from edge_fer.errors import NotAPicture, SourceError

if TYPE_CHECKING:
    from pathlib import Path


def open_regular_file(path: Path) -> BinaryIO:
    """Open a regular, readable, not empty file for reading, without a buffer; the caller closes it.

    Raises:
        SourceError: it is none. Nothing but a regular file is opened, not even for a moment.
    """
    try:
        _check(path, path.stat())
        # Where the file was exchanged for a pipe since then, this does not wait for somebody to write to it.
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY), "rb", buffering=0)
        try:
            _check(path, os.fstat(file.fileno()))
        except BaseException:
            file.close()
            raise
        return file
    except FileNotFoundError as error:
        raise SourceError(f"no such file: {path}; check the name") from error
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}; check its permissions") from error
    except ValueError as error:
        raise SourceError(f"not a file name: {str(path)!r}") from error


def _check(path: Path, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise NotAPicture(f"{path} is a folder; give a file in it", left_out.FOLDER)
    if not stat.S_ISREG(status.st_mode):
        raise NotAPicture(f"{path} is not a regular file; give a picture or video", left_out.NO_FILE)
    if status.st_size == 0:
        raise NotAPicture(f"{path} is empty; copy or save it again", left_out.EMPTY)
