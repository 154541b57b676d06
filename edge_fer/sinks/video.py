"""The annotated video file of `--save`."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge_fer.atomic_files import PRIVATE_MODE
from edge_fer.errors import SinkError, one_line
from edge_fer.sinks.draw import annotate
from edge_fer.sinks.runner import SinkFinished
from edge_fer.sinks.summary import counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_fer.sinks.film import FilmWriter
    from edge_fer.types import Image, SourceInfo, View

log = logging.getLogger(__name__)

CODEC_BY_SUFFIX = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}
"""Codecs that the OpenCV wheel can write without further libraries."""

PICTURES_FPS = 2.0
"""Frames per second for sources that have no rate of their own, such as a folder of pictures."""

LEAST_FREE_BYTES = 8_000_000
"""With less room on the disk a video is finished while its index still fits."""

FRAMES_TO_LOOK = 25
"""How often it is looked how much room there is."""

LONGEST_GAP_SECONDS = 10.0
"""A camera that was away longer than this does not get its absence filled with copies of its last frame."""


@dataclass(frozen=True, slots=True)
class FilmSettings:
    """How a film in H.264 is written."""

    sound: Path | None = None
    """The film whose sound is copied; None for none."""
    threads: int = 1
    """Of the encoder."""


class VideoSink:
    """Writes annotated frames under a temporary name and gives the file its name when it is complete.

    All frames get the size of the first; frames of another shape are fitted in with black bars. A live source gives
    frames at an uneven rate: a film keeps their times, else frames are repeated or left out so that the video plays at
    the speed of life.
    """

    def __init__(
        self,
        path: Path,
        info: SourceInfo,
        *,
        top: int = 1,
        free_bytes: Callable[[Path], int] | None = None,
        film: FilmSettings | None = None,
    ) -> None:
        """Check that the file can be written; it is begun with the first frame.

        Args:
            path: where the complete file will be.
            info: of the source, for the rate.
            top: emotions shown a face.
            free_bytes: gives the bytes that are left in a folder; None asks the system.
            film: writes H.264 with the frames' own times and sound; None writes what OpenCV can.

        Raises:
            SinkError: the folder does not exist or cannot be written, or the suffix is none that can be written.
        """
        if path.suffix.lower() not in CODEC_BY_SUFFIX:
            raise SinkError(f"cannot save a video as {path.name}: end it in {', '.join(sorted(CODEC_BY_SUFFIX))}")
        if not os.access(path.parent, os.W_OK) or not path.parent.is_dir():
            raise SinkError(f"cannot write {path}: {path.parent} is no folder that can be written to")
        if path.is_dir():
            raise SinkError(f"cannot write {path}: it is a folder")
        try:
            str(path).encode()
        except UnicodeEncodeError:
            raise SinkError(f"cannot write {path}: OpenCV takes no name that is not UTF-8; choose another") from None
        # Absolute, because FFmpeg takes `http:out.mp4` for an address.
        self._path = path = path.absolute()
        # OpenCV writes the file itself, and chooses the container by the suffix: it stays last.
        self._part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
        self._fps = info.fps if info.fps and info.fps > 0 else (30.0 if info.live else PICTURES_FPS)
        self._live = info.live
        self._top, self._free_bytes = top, free_bytes or free
        self._full = False
        self._film = film
        self._writer: EvenWriter | FilmWriter | None = None
        self._size = (0, 0)
        self._started_at = self._last_at = 0.0
        self._frames = self._looks = 0

    def write_view(self, view: View) -> None:
        """Append one picture.

        Raises:
            SinkError: the file cannot be written, or ends here because the disk is nearly full.
            SinkFinished: it has ended.
        """
        if self._full:
            raise SinkFinished("", ends_run=False)
        if self._looks % FRAMES_TO_LOOK == 0 and self._free_bytes(self._path.parent) < LEAST_FREE_BYTES:
            self._full = True
            self.close()
            raise SinkError(f"the disk is nearly full: {self._path} ends after {counted(self._frames, 'frame')}")
        self._looks += 1
        picture = annotate(view.image, view.observation, top=self._top)
        captured_at = view.observation.captured_at
        if self._writer is None:
            self._writer = self._open(picture)
            self._started_at = self._last_at = captured_at
        gap = captured_at - self._last_at
        if gap < 0 or (self._live and gap > LONGEST_GAP_SECONDS):
            # Another film, or a camera that was away: it goes on right after the last frame.
            self._started_at += gap - 1.0 / self._fps
        self._last_at = captured_at
        try:
            self._writer.add(_fit(picture, self._size), captured_at - self._started_at)
        except SinkError as exc:
            self._give_up()
            raise SinkError(f"cannot write {self._path}: {exc}") from None
        self._frames = self._writer.frames

    def close(self) -> None:
        """Finish the file and give it its name; nothing stays behind where no frame came. May be called again.

        Raises:
            SinkError: the file is incomplete, for example because the disk is full.
        """
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        try:
            writer.finish()
            # Encoders do not always say where they could not write.
            if not holds_frames(self._part, writer.frames, even=isinstance(writer, EvenWriter)):
                raise SinkError("not all of it arrived on the disk; is it full?")
            with self._part.open("rb") as file:
                os.fsync(file.fileno())
            self._part.replace(self._path)
        except SinkError as exc:
            raise SinkError(f"cannot write {self._path}: {exc}") from None
        except OSError as exc:
            raise SinkError(f"cannot write {self._path}: {exc.strerror or exc}") from exc
        finally:
            self._part.unlink(missing_ok=True)

    def _give_up(self) -> None:
        writer, self._writer, self._full = self._writer, None, True
        with contextlib.suppress(SinkError):
            if writer is not None:
                writer.finish()
        self._part.unlink(missing_ok=True)

    def _open(self, picture: Image) -> EvenWriter | FilmWriter:
        height, width = picture.shape[:2]
        # Colours are stored for blocks of 2x2 pixels: odd sides are cut by one, and 2 is the least.
        self._size = (max(2, width // 2 * 2), max(2, height // 2 * 2))
        create_private(self._part)
        try:
            if self._film is None:
                return EvenWriter(self._part, self._size, self._fps, self._live)
            from edge_fer.sinks.film import FilmWriter

            writer = FilmWriter(self._part, self._size, self._fps, self._film.sound, self._film.threads)
            if writer.lost_sound:
                log.warning("%s: %s", one_line(str(self._path)), one_line(writer.lost_sound))
            return writer
        except SinkError as exc:
            self._part.unlink(missing_ok=True)
            raise SinkError(f"cannot write {self._path}: {exc}") from None


class EvenWriter:
    """What OpenCV writes: one rate, and no sound."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float, repeats: bool) -> None:
        """Begin the file.

        Args:
            path: of the file, whose suffix decides on the container and codec.
            size: width and height in pixels.
            fps: its rate.
            repeats: repeat pictures and leave some out, so that they come at their times.

        Raises:
            SinkError: it cannot be begun.
        """
        codec = cv2.VideoWriter.fourcc(*CODEC_BY_SUFFIX[path.suffix.lower()])
        self._writer = cv2.VideoWriter(str(path), codec, fps, size)
        self._fps, self._repeats = fps, repeats
        self.frames = 0
        if not self._writer.isOpened():
            raise SinkError(f"OpenCV cannot encode {size[0]}x{size[1]} here")

    def add(self, picture: Image, seconds: float) -> None:
        """Append a picture, as often as it is shown."""
        copies = max(0, round(seconds * self._fps) + 1 - self.frames) if self._repeats else 1
        for _ in range(copies):
            self._writer.write(picture)
        self.frames += copies

    def finish(self) -> None:
        """Close the file; OpenCV does not say whether it could be written."""
        self._writer.release()


def create_private(path: Path) -> None:
    """Make an empty file that its owner alone can read, for a library that opens it by name; an old one goes.

    Raises:
        SinkError: it cannot be made.
    """
    try:
        path.unlink(missing_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE))
    except OSError as exc:
        raise SinkError(f"cannot write {path}: {exc.strerror or exc}") from exc


def holds_frames(path: Path, frames: int, *, even: bool = True) -> bool:
    """Whether a video file can be opened and its index names about so many frames.

    Args:
        path: of the file.
        frames: that were written.
        even: whether they all last equally long; else it is enough that there are some, where the file gives no
            number.
    """
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        # A Matroska file gives its length in time only.
        count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        if not even and path.suffix.lower() == ".mkv":
            return capture.isOpened() and count > 0
        return abs(count - frames) <= max(1.0, 0.02 * frames)
    finally:
        capture.release()


def free(folder: Path) -> int:
    """Bytes that are left in a folder for users who are no administrators; a large number where that is unknown."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return LEAST_FREE_BYTES


def _fit(picture: Image, size: tuple[int, int]) -> Image:
    width, height = size
    if (picture.shape[1], picture.shape[0]) == size:
        return picture
    scale = min(width / picture.shape[1], height / picture.shape[0])
    if 0 <= picture.shape[1] - width <= 1 and 0 <= picture.shape[0] - height <= 1:
        return picture[:height, :width]
    inner = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    canvas = np.zeros((height, width, 3), dtype=np.uint8)
    x, y = (width - inner[0]) // 2, (height - inner[1]) // 2
    canvas[y : y + inner[1], x : x + inner[0]] = cv2.resize(picture, inner, interpolation=cv2.INTER_AREA)
    return canvas
