"""Video files: every frame is seen (filling WAIT, reading LAZY).

FFmpeg reads hundreds of formats, among them scripts that name other files and addresses. Only files that begin as a
video does are given to it.
"""

from __future__ import annotations

import logging
import math
import re
import struct
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import cv2

from edge_fer.camera import left_out
from edge_fer.camera._ffmpeg import open_capture
from edge_fer.camera._opencv import (
    Capture,
    GrabbingCapture,
    positive,
    read_picture_from,
    retrieve_picture_from,
)
from edge_fer.camera.film_part import FilmPart
from edge_fer.camera.film_start import pictures_start_seconds
from edge_fer.camera.left_out import VIDEO_STARTS
from edge_fer.camera.pictures import MAX_PICTURE_PX
from edge_fer.camera.regular_files import open_regular_file
from edge_fer.errors import EndOfStream, NotAPicture, SourceError, SourceLost, one_line
from edge_fer.settings import LONGEST_FILM_SECONDS
from edge_fer.types import Frame, Image, SourceInfo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger(__name__)

START_BYTES = 512
"""Bytes that identify what a file is."""
BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
"""Bytes that text does not contain and every video does."""
CONTAINERS = re.compile(VIDEO_STARTS.pattern + rb"|GIF8[79]a|\xff\xd8\xff", re.DOTALL)
"""How videos begin; the last are JPEGs in a row."""
JPEGS_IN_A_ROW = frozenset({".mjpeg", ".mjpg"})
"""Suffixes of videos that begin as a picture does."""
NOMINAL_FPS = 25.0
"""Rate by which positions are counted in a video that does not say its own."""
WHOLE_SHARE = 0.9
"""A video that ends before this share of the frames that it promised is reported as broken off; the promise is often an
estimate from its length."""
EARLY_SECONDS = 0.0005
"""Timestamps are in thousandths of a second in many containers: a frame this much before a position counts as on it."""
SEEK_BACK_SECONDS = (10.0, 60.0, 600.0)
"""How far before the frame that is wanted reading begins, so that all that it needs is decoded; then how far again,
where it was passed."""


@dataclass(frozen=True, slots=True)
class _Picture:
    """A decoded frame and where it stands."""

    image: Image
    position: float


class VideoFile:
    """A `FrameSource` over a video with an end, or a part of it; `captured_at` and `position` are seconds in it."""

    def __init__(
        self,
        capture: Capture,
        name: str,
        max_picture_px: int = MAX_PICTURE_PX,
        part: FilmPart | None = None,
        start_of: Callable[[Capture, float], float] = lambda capture, fps: 0.0,
    ) -> None:
        """Take an opened capture and read its first frame.

        Args:
            capture: of FFmpeg.
            name: of the video, as shown to people.
            max_picture_px: a video with more pixels a frame is refused before its first one is decoded.
            part: which frames are read; None for all.
            start_of: gives the position of the first frame from the capture, once that has given it, and the rate.

        Raises:
            SourceError: there is no frame that can be decoded, none in that part, or it is too large; the capture is
                released.
        """
        self._capture: Capture | None = capture
        self._name, self._max_picture_px = name, max_picture_px
        self._part = part or FilmPart()
        self._next = 0
        self._position: float | None = None
        self._due = self._part.start_seconds
        self._cut = self._told = False
        width, height = (
            positive(capture.get(side)) or 0 for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        )
        self._check_size(int(width), int(height))
        fps = positive(capture.get(cv2.CAP_PROP_FPS), 1000.0)
        count = positive(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self._promised = None if count is None else int(count)
        self._seconds_a_frame = 1.0 / (fps or NOMINAL_FPS)
        self._offset = 0.0
        image = read_picture_from(capture)
        if image is None:
            self.close()
            raise SourceError(f"no picture in {name} can be decoded: it is damaged, cut short or no video")
        self._offset = start_of(capture, 1.0 / self._seconds_a_frame)
        self._position = self._position_now()
        self._first: _Picture | None = self._first_of_part(image)
        self._info = SourceInfo(
            name,
            live=False,
            width=int(image.shape[1]),
            height=int(image.shape[0]),
            fps=self._part.rate(fps),
            frame_count=None if count is None else self._part.frames_of(int(count), 1.0 / self._seconds_a_frame),
        )

    @property
    def info(self) -> SourceInfo:
        """Size, rate and number of frames of the part; the number is what the file says of itself, often a guess."""
        return self._info

    def read(self, timeout_seconds: float) -> Frame:
        """Return the next frame; the time-out is not needed.

        Raises:
            EndOfStream: all frames were seen, or the rest cannot be decoded.
            SourceLost: it was closed.
        """
        if self._capture is None:
            raise SourceLost(f"{self._name} was closed")
        picture, self._first = (self._first, None) if self._first is not None else (self._following(), None)
        if picture is None:
            raise self._end()
        self._check_size(int(picture.image.shape[1]), int(picture.image.shape[0]))
        seq, self._next = self._next, self._next + 1
        self._due = self._part.due_after(picture.position)
        return Frame(picture.image, seq, picture.position, time.time(), self._name, picture.position)

    def _first_of_part(self, image: Image) -> _Picture:
        assert self._position is not None
        if self._is_in_part(self._position):
            return _Picture(image, self._position)
        self._go_near(self._part.start_seconds)
        picture = self._following()
        if picture is None:
            reached = self._position
            self.close()
            part = "in the part that is asked for" if self._cut else f"from {self._part.start_seconds:g} s on"
            raise SourceError(f"{self._name} has no picture {part}: its last one read is at {reached:.3f} s")
        return picture

    def _is_in_part(self, position: float) -> bool:
        return (self._part.is_whole or position >= self._due - EARLY_SECONDS) and not self._is_past(position)

    def _is_past(self, position: float) -> bool:
        end = self._part.end_seconds
        return end is not None and position >= end - EARLY_SECONDS

    def _following(self) -> _Picture | None:
        """The next frame of the part; None where there is none."""
        capture = self._capture
        assert capture is not None
        # Most are left out: those are decoded, as the next ones need them, and turned into no picture.
        grabbing = capture if not self._part.is_whole and isinstance(capture, GrabbingCapture) else None
        while not self._cut:
            image = None if grabbing else read_picture_from(capture)
            if image is None and not (grabbing and grabbing.grab()):
                return None
            position = self._position = self._position_now()
            self._cut = self._is_past(position)
            if self._is_in_part(position):
                if grabbing:
                    image = retrieve_picture_from(grabbing)
                if image is not None:
                    return _Picture(image, position)
        return None

    def _go_near(self, seconds: float) -> None:
        """Go to a frame before a position: the search is by number, and lands elsewhere where the rate varies."""
        if not isinstance(self._capture, GrabbingCapture):
            return  # all frames before it are read
        begun = self._position or 0.0
        for back in SEEK_BACK_SECONDS:
            place = seconds - back
            if place <= begun + SEEK_BACK_SECONDS[0]:
                break
            self._capture.set(cv2.CAP_PROP_POS_MSEC, 1000.0 * (place - self._offset))
            self._position = None
            if self._capture.grab() and (landed := self._position_now()) < seconds:
                self._position = landed
                return
        if self._position is None:
            self._capture.set(cv2.CAP_PROP_POS_MSEC, 0.0)

    def _position_now(self) -> float:
        """Where the frame just read stands, in seconds; frames need not be evenly spaced, and never go back."""
        assert self._capture is not None
        told = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0 + self._offset
        if self._position is None:
            return told if 0.0 <= told <= LONGEST_FILM_SECONDS else self._offset
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
        count = self._promised
        if count is not None and self._broken_off(count) and not self._told:
            self._told = True
            log.warning("%s breaks off: it gave %d of %d frames", one_line(self._name), self._next, count)
        promised = "" if count is None else f" of {count} promised"
        return EndOfStream(f"{self._name} ended after {self._next}{promised} frames")

    def _broken_off(self, count: int) -> bool:
        if self._cut:
            return False
        # With a variable rate the promise is the length times a rate that does not hold: then the times count.
        seconds, reached = count * self._seconds_a_frame, (self._position or 0.0) + self._seconds_a_frame
        fewer = not self._part.is_whole or self._next < WHOLE_SHARE * count
        return fewer and reached < WHOLE_SHARE * seconds

    def close(self) -> None:
        """Release the file."""
        if self._capture is not None:
            self._capture.release()
        self._capture = None


def open_video(path: Path, max_picture_px: int = MAX_PICTURE_PX, part: FilmPart | None = None) -> VideoFile:
    """Open a video file.

    Args:
        path: of a regular file.
        max_picture_px: videos with more pixels a frame are refused.
        part: which frames are read; None for all.

    Raises:
        SourceError: it is missing, empty, cut short, too large or no video.
    """
    with open_regular_file(path) as file:
        start = file.read(START_BYTES)
        check_start(start, path, max_picture_px)
        capture = open_capture(_name_for_ffmpeg(path, file.fileno()))
    if not capture.isOpened():
        capture.release()
        raise SourceError(f"cannot read video {path}: it is damaged, cut short or no video; see `ffprobe {path}`")
    start_of = partial(pictures_start_seconds, name=str(path.absolute()), start=start)
    return VideoFile(capture, str(path), max_picture_px, part, start_of)


def check_start(start: bytes, path: Path, max_picture_px: int) -> None:
    """Raise a SourceError unless a file that begins like this is a video, and not too large by the size given there."""
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
