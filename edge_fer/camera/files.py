"""Pictures, videos and folders of them: every frame is seen (filling WAIT, reading LAZY).

What a file is read as is decided by its first bytes alone, here and in `predict`, evaluation, training and
calibration; what a folder holds beside is counted by reason.
"""

from __future__ import annotations

import itertools
import logging
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.camera import left_out
from edge_fer.camera.left_out import LeftOut, Reason
from edge_fer.camera.picture_headers import looks_like_picture
from edge_fer.camera.pictures import read_picture
from edge_fer.camera.regular_files import open_regular_file
from edge_fer.camera.videos import JPEGS_IN_A_ROW, START_BYTES, open_video, starts_like_video
from edge_fer.errors import EndOfStream, NotAPicture, SourceError, one_line
from edge_fer.types import Frame, SourceInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edge_fer.camera.film_part import FilmPart
    from edge_fer.camera.settings import CameraSettings
    from edge_fer.camera.videos import VideoFile

__all__ = ["FileNames", "Files", "files_in", "is_video_file", "open_files", "open_picture"]

log = logging.getLogger(__name__)

VIDEO_SUFFIXES = (
    ".3gp", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".ts", ".webm",
    ".wmv",
)  # fmt: skip
PICTURES_FPS = 1.0
"""Rate at which pictures count as frames, one second apart."""


@dataclass(frozen=True, slots=True)
class FileNames:
    """The files of one folder, without the folder: it may hold very many."""

    folder: Path
    names: Sequence[str]

    def __len__(self) -> int:
        """How many."""
        return len(self.names)

    def __iter__(self) -> Iterator[Path]:
        """Their paths."""
        return (self.folder / name for name in self.names)


def files_in(
    folder: Path, skipped: LeftOut, *, recursive: bool = False, within: Reason = left_out.FOLDER
) -> list[FileNames]:
    """The files in a folder, whatever they hold, each folder's sorted by name.

    Hidden ones, and folders behind links, are left out. Costs one pass through the folder and a name's memory each, so
    that a folder of 100,000 files is there at once; none of them is opened.

    Args:
        folder: to look into.
        skipped: counts pipes and devices, and folders within it where they are not looked into.
        recursive: look into folders within it, too.
        within: as what those are counted otherwise.

    Returns:
        The folder, and those within it in the order of their names.

    Raises:
        OSError: the folder may not be read.
    """
    names, folders = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                folders.append(entry)
            elif entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists()):
                # A link that leads nowhere or in a circle stays, so that it is reported where it is read.
                names.append(entry.name)
            else:
                skipped.add(left_out.NO_FILE)
    found = [FileNames(folder, sorted(names))]
    for entry in sorted(folders, key=lambda one: one.name):
        if not recursive:
            skipped.add(within)
        elif not entry.is_symlink():  # it may lead back here
            found += files_in(Path(entry.path), skipped, recursive=True)
    return found


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def start_of(path: Path) -> bytes:
    """The first bytes of a regular file.

    Raises:
        NotAPicture: it is empty or no regular file; SourceError: it cannot be read.
    """
    with open_regular_file(path) as file:
        try:
            return file.read(START_BYTES)
        except OSError as error:
            raise SourceError(f"cannot read {path}: {error.strerror}") from error


def is_video_file(path: Path, start: bytes) -> bool:
    """Whether a file is read as a video: by its first bytes, and where those are a JPEG's, by its suffix."""
    if looks_like_picture(start):
        return start.startswith(b"\xff\xd8\xff") and path.suffix.lower() in JPEGS_IN_A_ROW
    return starts_like_video(start)


class Files:
    """A `FrameSource` of files one after the other: pictures, a frame each, one second apart, and videos.

    `Frame.source` is the path of the file. Within a video `seq` and the position count from 0; the `seq` of a picture
    is its place among the files. A file that cannot be read is left out, logged once and counted in `failed`; one of
    another kind, found in a folder, is counted in `skipped`, which is logged at the end.
    """

    def __init__(
        self,
        parts: Sequence[FileNames | Path],
        name: str,
        max_picture_px: int,
        skipped: LeftOut | None = None,
        part: FilmPart | None = None,
    ) -> None:
        """Take files in the order given; they are opened one by one as they are asked for.

        Args:
            parts: the files of folders, and files that were named one by one.
            name: of the source, as shown to people.
            max_picture_px: pictures and videos with more pixels are left out.
            skipped: what was left out so far.
            part: of each video that is read; None for all of it.
        """
        self._count = sum(1 if isinstance(part, Path) else len(part) for part in parts)
        self._left = _each_file(parts)
        self._name, self._max_picture_px, self._part = name, max_picture_px, part
        self._next = 0
        self._video: VideoFile | None = None
        self._videos: set[str] = set()
        self.skipped = skipped or LeftOut()
        self.failed = 0
        """Files so far that could not be read."""
        self._seen = 0
        self._closed = False
        only_pictures = not any(map(_named_like_video, _each_name(parts)))
        self._info = SourceInfo(
            name,
            live=False,
            width=None,
            height=None,
            fps=PICTURES_FPS,
            frame_count=self._count if only_pictures else None,
        )

    def begin(self) -> None:
        """Take rate and size from the first file where it is a video; it is opened, and read from later."""
        following = next(self._left, None)
        if following is None:
            return
        try:
            if is_video_file(following[0], start_of(following[0])):
                info = self._begin_video(following[0]).info
                self._info = replace(self._info, width=info.width, height=info.height, fps=info.fps or PICTURES_FPS)
                self._next += 1
                return
        except SourceError:
            pass  # reported when it is its turn
        self._left = itertools.chain([following], self._left)

    @property
    def info(self) -> SourceInfo:
        """Name and number of pictures, None where there are videos among them; their sizes may differ."""
        return self._info

    def is_video(self, source: str) -> bool:
        """Whether frames of this name are those of a video, which follow each other, and not a picture."""
        return source in self._videos

    def read(self, timeout_seconds: float) -> Frame:
        """Return the next frame; the time-out is not needed.

        Raises:
            EndOfStream: all files were seen.
            SourceError: all files were tried and not one could be read.
        """
        while True:
            frame = self._next_of_video(timeout_seconds) if self._video is not None else None
            if frame is not None:
                return frame
            following = next(self._left, None)
            if following is None:
                raise self._end()
            path, is_given = following
            place, self._next = self._next, self._next + 1
            try:
                start = start_of(path)
                if is_video_file(path, start):
                    self._begin_video(path)
                    continue
                image = read_picture(path, self._max_picture_px)
            except SourceError as error:
                self._leave_out(error, is_given)
                continue
            self._seen += 1
            return Frame(image, place, float(place), time.time(), str(path))

    def _begin_video(self, path: Path) -> VideoFile:
        self._video = open_video(path, self._max_picture_px, self._part)
        self._videos.add(self._video.info.name)
        self._seen += 1
        return self._video

    def _next_of_video(self, timeout_seconds: float) -> Frame | None:
        assert self._video is not None
        try:
            return self._video.read(timeout_seconds)
        except EndOfStream:
            pass
        except SourceError as error:
            self._leave_out(error, is_given=True)
        self._video.close()
        self._video = None
        return None

    def _leave_out(self, error: SourceError, is_given: bool) -> None:
        if self._count == 1 and is_given:
            raise error
        if not is_given and isinstance(error, NotAPicture) and isinstance(error.reason, Reason):
            self.skipped.add(left_out.NOT_READ if error.reason == left_out.NOT_A_PICTURE else error.reason)
            return
        self.failed += 1
        log.warning("%s (left out)", error)

    def _end(self) -> SourceError:
        line = self.skipped.line()
        if self._seen or self._closed:
            if line and self._next == self._count:
                self._next += 1  # said once
                log.warning("%s: %s", one_line(self._name), line)
            return EndOfStream(f"all {self._count} files of {self._name} were seen")
        why = [f"{self.failed} cannot be read"] * bool(self.failed) + [line] * bool(line)
        return SourceError(f"no picture or video in {self._name}; {'; '.join(why) or 'it is empty'}")

    def close(self) -> None:
        """Give out no more frames."""
        self._left, self._closed = iter(()), True
        if self._video is not None:
            self._video.close()
        self._video = None


def open_files(paths: Iterable[Path], settings: CameraSettings, *, recursive: bool = False) -> Files:
    """Open files and folders as one source.

    Args:
        paths: at least one.
        settings: which sizes are read.
        recursive: look into folders within folders.

    Raises:
        SourceError: a folder holds no file or may not be read, or a file is not there.
    """
    paths = list(paths)
    parts: list[FileNames | Path] = []
    skipped = LeftOut()
    for path in paths:
        if not _is_folder_path(path):
            start_of(path)  # so that a wrong name is reported before the first frame
            parts.append(path)
            continue
        try:
            parts += files_in(path, skipped, recursive=recursive, within=left_out.FOLDER_TO_ENTER)
        except OSError as error:
            raise SourceError(f"cannot read folder {path}: {error.strerror}; check its permissions") from error
    name = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    if not any(isinstance(part, Path) or len(part) for part in parts):
        line = skipped.line()
        raise SourceError(f"no pictures or videos in folder {name}{'; ' if line else ''}{line}")
    files = Files(parts, name, settings.max_picture_px, skipped, settings.part)
    files.begin()
    return files


def open_picture(path: Path, settings: CameraSettings) -> Files:
    """Open one picture as a source of one frame; it is decoded here once, so that a bad one is reported at once.

    Raises:
        SourceError: it cannot be read.
    """
    read_picture(path, settings.max_picture_px)
    return Files([path], str(path), settings.max_picture_px)


def _is_folder_path(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _each_file(parts: Sequence[FileNames | Path]) -> Iterator[tuple[Path, bool]]:
    """Each path, and whether it was named itself."""
    for part in parts:
        if isinstance(part, Path):
            yield part, True
        else:
            for path in part:
                yield path, False


def _each_name(parts: Sequence[FileNames | Path]) -> Iterator[str]:
    for part in parts:
        yield from [part.name] if isinstance(part, Path) else part.names


def _named_like_video(name: str) -> bool:
    # Only for the number of frames that is shown on the way; what a file is, its bytes say.
    return name.lower().endswith(VIDEO_SUFFIXES)
