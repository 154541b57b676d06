"""Video files: every frame is seen (filling WAIT, reading LAZY).

FFmpeg knows hundreds of formats, among them scripts that name other files and addresses. Only files that begin as a
video does are given to it.
"""

from __future__ import annotations

import logging
import math
import re
import struct
import time
from typing import TYPE_CHECKING

import cv2

from edge_fer.camera import left_out
from edge_fer.camera._ffmpeg import open_capture
from edge_fer.camera._opencv import Capture, positive, read_picture_from
from edge_fer.camera.left_out import VIDEO_STARTS
from edge_fer.camera.pictures import MAX_PICTURE_PX
from edge_fer.camera.regular_files import open_regular_file
from edge_fer.errors import EndOfStream, NotAPicture, SourceError, SourceLost, one_line
from edge_fer.types import Frame, Image, SourceInfo

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

START_BYTES = 512
"""Bytes that tell what a file is."""
BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
"""Bytes that text does not contain and every video does."""
CONTAINERS = re.compile(VIDEO_STARTS.pattern + rb"|GIF8[79]a|\xff\xd8\xff", re.DOTALL)
"""How videos begin; the last are JPEGs in a row."""
JPEGS_IN_A_ROW = frozenset({".mjpeg", ".mjpg"})
"""Suffixes of videos that begin as a picture does."""
NOMINAL_FPS = 25.0
"""Rate by which positions are counted in a video that does not say its own."""
WHOLE_SHARE = 0.9
"""A video that ends before this share of the frames that it promised is told as broken off; the promise is often an
estimate from its length."""


class VideoFile:
    """A `FrameSource` over a video with an end; `captured_at` is the position in it, in seconds."""

    def __init__(self, capture: Capture, name: str, max_picture_px: int = MAX_PICTURE_PX) -> None:
        """Take an opened capture and read its first frame.

        Args:
            capture: of FFmpeg.
            name: of the video, as shown to people.
            max_picture_px: a video with more pixels a frame is refused before its first one is decoded.

        Raises:
            SourceError: there is no frame that can be decoded, or it is too large; the capture is released.
        """
        self._capture: Capture | None = capture
        self._name, self._max_picture_px = name, max_picture_px
        self._next = 0
        self._position = 0.0
        self._told = False
        width, height = (
            positive(capture.get(side)) or 0 for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        )
        self._check_size(int(width), int(height))
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
            raise self._end()
        self._check_size(int(image.shape[1]), int(image.shape[0]))
        seq, self._next = self._next, self._next + 1
        self._position = self._position_of(seq)
        return Frame(image, seq, self._position, time.time(), self._name)

    def _position_of(self, seq: int) -> float:
        """Where the frame just read stands, in seconds; frames need not be evenly spaced, and never go back."""
        if seq == 0 or self._capture is None:
            return 0.0
        told = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
        forward = math.isfinite(told) and told > self._position
        return told if forward else self._position + self._seconds_a_frame

    def _check_size(self, width: int, height: int) -> None:
        if width * height > self._max_picture_px:
            self.close()
            raise SourceError(
                f"{self._name} has frames of {width}x{height} pixels, more than {self._max_picture_px} in all; "
                "scale it down, or allow more with --max-megapixels"
            )

    def _end(self) -> EndOfStream:
        count = self._info.frame_count
        if count is not None and self._broken_off(count) and not self._told:
            self._told = True
            log.warning("%s breaks off: it gave %d of %d frames", one_line(self._name), self._next, count)
        promised = "" if count is None else f" of {count} promised"
        return EndOfStream(f"{self._name} ended after {self._next}{promised} frames")

    def _broken_off(self, count: int) -> bool:
        # With a variable rate the promise is the length times a rate that does not hold: then the times count.
        seconds, reached = count * self._seconds_a_frame, self._position + self._seconds_a_frame
        return self._next < WHOLE_SHARE * count and reached < WHOLE_SHARE * seconds

    def close(self) -> None:
        """Release the file."""
        if self._capture is not None:
            self._capture.release()
        self._capture = None


def open_video(path: Path, max_picture_px: int = MAX_PICTURE_PX) -> VideoFile:
    """Open a video file.

    Args:
        path: of a regular file.
        max_picture_px: videos with more pixels a frame are refused.

    Raises:
        SourceError: it is missing, empty, cut short, too large or no video.
    """
    with open_regular_file(path) as file:
        check_start(file.read(START_BYTES), path, max_picture_px)
        capture = open_capture(_name_for_ffmpeg(path, file.fileno()))
    if not capture.isOpened():
        capture.release()
        raise SourceError(f"cannot read video {path}: it is damaged, cut short or no video; see `ffprobe {path}`")
    return VideoFile(capture, str(path), max_picture_px)


def check_start(start: bytes, path: Path, max_picture_px: int) -> None:
    """Raise a SourceError unless a file that begins like this is a video, and, where that is told there, no giant."""
    if not BINARY.search(start):
        # FFmpeg would draw the words as a film, or follow the addresses in a playlist.
        raise NotAPicture(f"{path} is text and no video; give a video file", left_out.NOT_READ)
    if not CONTAINERS.match(start):
        known = "MP4, MOV, MKV, WebM, AVI, MPEG, FLV, OGV or WMV"
        raise NotAPicture(f"{path} is no video of a known kind; give {known}", left_out.NOT_READ)
    if start.startswith(b"GIF8") and len(start) >= 10:
        width, height = struct.unpack_from("<HH", start, 6)
        if width * height > max_picture_px:
            raise SourceError(f"{path} has {width}x{height} pixels, more than {max_picture_px} in all; scale it down")


def starts_like_video(start: bytes) -> bool:
    """Whether a file that begins like this is a video of a known kind."""
    return bool(BINARY.search(start) and CONTAINERS.match(start))


def _name_for_ffmpeg(path: Path, descriptor: int) -> str:
    # Absolute, because FFmpeg takes `concat:a.mp4` for a protocol.
    name = str(path.absolute())
    try:
        name.encode()
    except UnicodeEncodeError:
        # OpenCV crashes on a name that is not UTF-8.
        return f"/proc/self/fd/{descriptor}"
    return name
