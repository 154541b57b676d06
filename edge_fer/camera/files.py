"""Pictures and folders of pictures: every one is seen (filling WAIT, reading LAZY)."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.camera.pictures import PICTURE_SUFFIXES, read_picture
from edge_fer.camera.videos import VideoFile as VideoFile
from edge_fer.errors import EndOfStream, SourceError
from edge_fer.types import Frame, SourceInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.camera.settings import CameraSettings

__all__ = ["PictureFiles", "open_folder", "open_picture", "picture_names"]

log = logging.getLogger(__name__)


class PictureFiles:
    """A `FrameSource` of picture files, one frame each, one second apart.

    A picture that cannot be read is left out, told once on the log and counted in `skipped`; `seq` leaves a gap.
    `Frame.source` is the path of the picture.
    """

    def __init__(self, folder: Path, names: Sequence[str], name: str, max_picture_px: int) -> None:
        """Take pictures in the order given; they are opened one by one as they are asked for.

        Args:
            folder: where they lie.
            names: of the files, without the folder: a folder may hold very many.
            name: of the source, as shown to people.
            max_picture_px: pictures with more pixels are left out.
        """
        self._folder, self._names, self._name, self._max_picture_px = folder, names, name, max_picture_px
        self._next = 0
        self.skipped = 0
        """Pictures so far that could not be read."""
        self._info = SourceInfo(name, live=False, width=None, height=None, fps=1.0, frame_count=len(names))

    @property
    def info(self) -> SourceInfo:
        """Name and number of pictures; their sizes may differ."""
        return self._info

    def read(self, timeout_seconds: float) -> Frame:
        """Return the next picture that can be read; the time-out is not needed.

        Raises:
            EndOfStream: all pictures were seen.
            SourceError: all pictures were tried and not one could be read.
        """
        while self._next < len(self._names):
            seq, path = self._next, self._folder / self._names[self._next]
            self._next += 1
            try:
                image = read_picture(path, self._max_picture_px)
            except SourceError as error:
                if len(self._names) == 1:
                    raise
                self.skipped += 1
                log.warning("%s (left out)", error)
                continue
            return Frame(image, seq, float(seq), time.time(), str(path))
        if self._names and self.skipped == len(self._names):
            raise SourceError(f"none of the {self.skipped} pictures of {self._name} can be read")
        raise EndOfStream(f"all {len(self._names)} pictures of {self._name} were seen")

    def close(self) -> None:
        """Give out no more pictures."""
        self._next = len(self._names)


def open_folder(folder: Path, settings: CameraSettings) -> PictureFiles:
    """Open the pictures of a folder, sorted by name; hidden files and folders inside it are left out.

    Raises:
        SourceError: there are none, or the folder may not be read.
    """
    try:
        names = picture_names(folder)
    except OSError as error:
        raise SourceError(f"cannot read folder {folder}: {error.strerror}; check its permissions") from error
    if not names:
        kinds = ", ".join(sorted(PICTURE_SUFFIXES))
        raise SourceError(f"no pictures in folder {folder}; give one that holds any of {kinds}")
    return PictureFiles(folder, names, str(folder), settings.max_picture_px)


def picture_names(folder: Path) -> list[str]:
    """Names of the pictures in a folder by their suffix, sorted; without hidden files, folders, pipes and devices.

    Costs one pass through the folder and a name's memory each, so that a folder of 100,000 files opens at once.

    Raises:
        OSError: the folder may not be read.
    """
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            hidden = entry.name.startswith(".")
            if not hidden and Path(entry.name).suffix.lower() in PICTURE_SUFFIXES and _may_be_picture(entry):
                names.append(entry.name)
    return sorted(names)


def _may_be_picture(entry: os.DirEntry[str]) -> bool:
    # A link that leads nowhere or in a circle stays, so that it is told where it is read.
    return entry.is_file() or (entry.is_symlink() and not entry.is_dir())


def open_picture(path: Path, settings: CameraSettings) -> PictureFiles:
    """Open one picture as a source of one frame; it is decoded here once, so that a bad one is told at once.

    Raises:
        SourceError: it cannot be read.
    """
    read_picture(path, settings.max_picture_px)
    return PictureFiles(path.parent, [path.name], str(path), settings.max_picture_px)
