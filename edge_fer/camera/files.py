"""Pictures, folders of pictures and video files: every frame is seen (filling WAIT, reading LAZY)."""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING

import cv2

from edge_fer.camera._opencv import Capture, positive, read_picture_from
from edge_fer.camera.pictures import PICTURE_SUFFIXES, check_file, read_picture
from edge_fer.errors import EndOfStream, SourceError, SourceLost
from edge_fer.types import Frame, Image, SourceInfo

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge_fer.camera.settings import CameraSettings

__all__ = ["PictureFiles", "VideoFile", "open_folder", "open_picture", "open_video", "read_picture"]

log = logging.getLogger(__name__)

BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
"""Bytes that text does not contain and every video does."""
NOMINAL_FPS = 25.0
"""Rate by which positions are counted in a video that does not say its own."""


class PictureFiles:
    """A `FrameSource` of picture files, one frame each, one second apart.

    A picture that cannot be read is left out, told once on the log and counted in `skipped`; `seq` leaves a gap.
    `Frame.source` is the path of the picture.
    """

    def __init__(self, paths: Sequence[Path], name: str, max_picture_px: int) -> None:
        """Take pictures in the order given; they are opened one by one as they are asked for."""
        self._paths, self._name, self._max_picture_px = list(paths), name, max_picture_px
        self._next = 0
        self.skipped = 0
        """Pictures so far that could not be read."""
        self._info = SourceInfo(name, live=False, width=None, height=None, fps=1.0, frame_count=len(self._paths))

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
        while self._next < len(self._paths):
            seq, path = self._next, self._paths[self._next]
            self._next += 1
            try:
                image = read_picture(path, self._max_picture_px)
            except SourceError as error:
                if len(self._paths) == 1:
                    raise
                self.skipped += 1
                log.warning("%s (left out)", error)
                continue
            return Frame(image, seq, float(seq), time.time(), str(path))
        if self._paths and self.skipped == len(self._paths):
            raise SourceError(f"none of the {self.skipped} pictures of {self._name} can be read")
        raise EndOfStream(f"all {len(self._paths)} pictures of {self._name} were seen")

    def close(self) -> None:
        """Give out no more pictures."""
        self._next = len(self._paths)


class VideoFile:
    """A `FrameSource` over a video with an end; `captured_at` is the position in it, in seconds."""

    def __init__(self, capture: Capture, name: str) -> None:
        """Take an opened capture and read its first frame.

        Raises:
            SourceError: there is no frame that can be decoded; the capture is released.
        """
        self._capture: Capture | None = capture
        self._name = name
        self._next = 0
        fps = positive(capture.get(cv2.CAP_PROP_FPS), 1000.0)
        count = positive(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self._seconds_a_frame = 1.0 / (fps or NOMINAL_FPS)
        self._first: Image | None = read_picture_from(capture)
        if self._first is None:
            self.close()
            raise SourceError(f"no picture in {name} can be decoded: it is damaged, cut short or no video")
        self._info = SourceInfo(
            name,
            live=False,
            width=int(self._first.shape[1]),
            height=int(self._first.shape[0]),
            fps=fps,
            frame_count=None if count is None else int(count),
        )

    @property
    def info(self) -> SourceInfo:
        """Size, rate and number of frames; the number is what the file says of itself, which may be a guess."""
        return self._info

    def read(self, timeout_seconds: float) -> Frame:
        """Return the next frame; the time-out is not needed.

        Raises:
            EndOfStream: all frames were seen, or the rest cannot be decoded.
            SourceLost: it was closed.
        """
        if self._capture is None:
            raise SourceLost(f"{self._name} was closed")
        image, self._first = (
            (self._first, None) if self._first is not None else (read_picture_from(self._capture), None)
        )
        if image is None:
            promised = "" if self._info.frame_count is None else f" of {self._info.frame_count} promised"
            raise EndOfStream(f"{self._name} ended after {self._next}{promised} frames")
        seq, self._next = self._next, self._next + 1
        return Frame(image, seq, seq * self._seconds_a_frame, time.time(), self._name)

    def close(self) -> None:
        """Release the file."""
        if self._capture is not None:
            self._capture.release()
        self._capture = None


def open_folder(folder: Path, settings: CameraSettings) -> PictureFiles:
    """Open the pictures of a folder, sorted by name; hidden files and folders inside it are left out.

    Raises:
        SourceError: there are none, or the folder may not be read.
    """
    try:
        inside = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    except OSError as error:
        raise SourceError(f"cannot read folder {folder}: {error.strerror}; check its permissions") from error
    paths = [path for path in inside if not path.name.startswith(".") and not path.is_dir()]
    if not paths:
        kinds = ", ".join(sorted(PICTURE_SUFFIXES))
        raise SourceError(f"no pictures in folder {folder}; give one that holds any of {kinds}")
    return PictureFiles(paths, str(folder), settings.max_picture_px)


def open_picture(path: Path, settings: CameraSettings) -> PictureFiles:
    """Open one picture as a source of one frame; it is decoded here once, so that a bad one is told at once.

    Raises:
        SourceError: it cannot be read.
    """
    read_picture(path, settings.max_picture_px)
    return PictureFiles([path], str(path), settings.max_picture_px)


def open_video(path: Path) -> VideoFile:
    """Open a video file.

    Raises:
        SourceError: it is missing, empty, cut short or no video.
    """
    check_file(path)
    with path.open("rb") as file:
        start = file.read(512)
    if not BINARY.search(start):
        # FFmpeg would draw the words as a film, or follow the addresses in a playlist.
        raise SourceError(f"{path} is text and no video; give a video file")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        capture.release()
        raise SourceError(f"cannot read video {path}: it is damaged, cut short or no video; see `ffprobe {path}`")
    return VideoFile(capture, str(path))
