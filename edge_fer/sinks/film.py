"""H.264 with the times of the frames as they were, and the sound of the film that they are from (extra `video`).

PyAV's wheels bring an FFmpeg with x264.
"""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_fer.errors import MissingExtra, SinkError
from edge_fer.ffmpeg_formats import FILE_FORMATS, FILE_PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_fer.types import Image

FILM_SUFFIXES = (".m4v", ".mkv", ".mov", ".mp4")
"""Containers that hold H.264 at any times; AVI knows one rate only."""
ENCODERS = ("libx264", "libopenh264")
OPTIONS = {"libx264": {"preset": "veryfast", "crf": "23", "bf": "0"}}
PLAYED_IN_MP4 = frozenset({"aac", "ac3", "alac", "eac3", "flac", "mp3", "opus"})
"""Kinds of sound that players expect in an MP4; FFmpeg would put more into it."""
TIME_BASE = Fraction(1, 90_000)
LIMITS = {"format_whitelist": FILE_FORMATS, "protocol_whitelist": FILE_PROTOCOLS}
LOOK_BACK_SECONDS = 30
END_SECONDS = 1.0
"""A film whose pictures were written up to this close to its end was written whole, and its sound is, too."""
BT601_LIMITED = {"colorspace": 5, "color_primaries": 5, "color_trc": 6, "color_range": 1}
"""What OpenCV's pixels are turned into, said in the file: without it players guess by the size."""


def import_av() -> Any:
    """PyAV, silent.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import av
        import av.logging
    except ImportError:
        raise MissingExtra("H.264 with sound", "video") from None
    av.logging.set_level(av.logging.PANIC)
    return av


def encoder_of(av: Any) -> str | None:
    """The first encoder of H.264 that this PyAV has; None where it has none."""
    for name in ENCODERS:
        with contextlib.suppress(Exception):
            av.codec.Codec(name, "w")
            return name
    return None


class FilmWriter:
    """Writes one film."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float, sound: Path | None, threads: int = 1) -> None:
        """Begin the file.

        Args:
            path: of the file, whose suffix decides on the container.
            size: width and height in pixels, both even.
            fps: about how many frames per second will come.
            sound: the film whose sound is copied; None for none.
            threads: of the encoder.

        Raises:
            SinkError: it cannot be begun.
        """
        self._av = av = import_av()
        name = encoder_of(av)
        if name is None:
            raise SinkError("this PyAV has no encoder of H.264; end the name in .avi")
        self._seconds = 1.0 / fps
        self._last_pts = -1
        self._held: Any = None
        self.frames = 0
        self.lost_sound = ""
        """Why the sound could not be copied; empty where it was, or there is none."""
        self._sound: Sound | None = None
        try:
            self._file = av.open(str(path), "w")
            self._video = self._file.add_stream(
                name, rate=Fraction(fps).limit_denominator(1001), options=OPTIONS.get(name, {})
            )
            self._video.width, self._video.height = size
            self._video.pix_fmt = "yuv420p"
            self._video.codec_context.time_base = self._video.time_base = TIME_BASE
            self._video.codec_context.thread_count = threads
            for key, value in BT601_LIMITED.items():
                setattr(self._video.codec_context, key, value)
            if sound is not None:
                self._take_sound(sound)
        except (OSError, ValueError, av.error.FFmpegError) as error:
            raise SinkError(f"H.264 of {size[0]}x{size[1]} cannot be written: {_why(error)}") from None

    @property
    def shift_seconds(self) -> float:
        """How much later than the beginning of the file the pictures begin: as much as after the sound."""
        return 0.0 if self._sound is None else self._sound.shift_seconds

    def add(self, picture: Image, seconds: float) -> None:
        """Append a picture.

        Args:
            picture: uint8 BGR of the size of the film.
            seconds: when it is shown, from the first picture on; times that do not go up are moved on a little.

        Raises:
            SinkError: it cannot be written.
        """
        av = self._av
        pts = max(self._last_pts + 1, round((seconds + self.shift_seconds) / TIME_BASE))
        self._last_pts = pts
        try:
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=av.video.reformatter.Colorspace.ITU601)
            frame.pts, frame.time_base = pts, TIME_BASE
            for packet in self._video.encode(frame):
                self._mux(packet)
            if self._sound is not None:
                self._copy_sound(float(pts * TIME_BASE))
        except (OSError, ValueError, av.error.FFmpegError) as error:
            raise SinkError(_why(error)) from None
        self.frames += 1

    def finish(self) -> None:
        """Write what is left and close the file.

        Raises:
            SinkError: not all of it could be written.
        """
        av = self._av
        try:
            for packet in self._video.encode(None):
                self._mux(packet)
            end = float(self._last_pts * TIME_BASE) + self._seconds
            if self._sound is not None:
                whole = end + END_SECONDS >= self._sound.pictures_end_seconds()
                self._copy_sound(float("inf") if whole else end)
            if self._held is not None:
                self._held.duration = max(1, round(self._seconds / TIME_BASE))
                self._file.mux(self._held)
            self._file.close()
        except (OSError, ValueError, av.error.FFmpegError) as error:
            raise SinkError(_why(error)) from None
        finally:
            self._release()

    def _release(self) -> None:
        with contextlib.suppress(Exception):
            self._file.close()
        if self._sound is not None:
            self._sound.close()

    def _mux(self, packet: Any) -> None:
        # One behind: how long a picture is shown is known with the next.
        if self._held is not None:
            self._held.duration = max(1, packet.pts - self._held.pts)
            self._file.mux(self._held)
        self._held = packet

    def _take_sound(self, path: Path) -> None:
        try:
            sound = Sound(self._av, path)
        except (OSError, self._av.error.FFmpegError) as error:
            self.lost_sound = f"the sound of {path} cannot be read and is left out: {_why(error)}"
            return
        fitting = PLAYED_IN_MP4 if path_suffix(self._file.name) in (".mp4", ".m4v") else self._file.supported_codecs
        for stream in sound.streams:
            # Decoders are called after what they make of it, such as mp3float.
            name = stream.codec_context.name.removesuffix("float")
            if name in fitting:
                sound.copies[stream.index] = self._file.add_stream_from_template(stream)
            else:
                self.lost_sound = f"sound as {name} does not fit into such a file, and is left out; end it in .mkv"
        if sound.copies:
            self._sound = sound
        else:
            sound.close()

    def _copy_sound(self, until_seconds: float) -> None:
        assert self._sound is not None
        for packet in self._sound.packets(until_seconds):
            self._file.mux(packet)


class Sound:
    """The sound of a film, packet by packet."""

    def __init__(self, av: Any, path: Path) -> None:
        """Open the film a second time.

        Raises:
            OSError: it cannot be opened.
        """
        self._av, self._name = av, str(path.absolute())
        self._file = av.open(self._name, options=LIMITS, metadata_errors="replace")
        self.streams = tuple(one for one in self._file.streams.audio if one.codec_context is not None)
        self.copies: dict[int, Any] = {}
        """Of each stream, the one that it is copied to."""
        pictures = self._file.streams.video
        starts = [_seconds(one.start_time, one.time_base) for one in (*pictures[:1], *self.streams)]
        self._begin = min(starts, default=0.0)
        self.shift_seconds = starts[0] - self._begin if pictures else 0.0
        self._packets: Iterator[Any] = self._file.demux(*self.streams) if self.streams else iter(())
        self._next: Any = None

    def packets(self, until_seconds: float) -> Iterator[Any]:
        """The packets that begin before a time, ready to be written."""
        while (packet := self._next or next(self._packets, None)) is not None:
            self._next = packet
            copy = self.copies.get(packet.stream.index)
            if packet.pts is None or packet.dts is None or copy is None:  # the end of a stream, or damage
                self._next = None
                continue
            if _seconds(packet.pts, packet.time_base) - self._begin >= until_seconds:
                return
            self._next = None
            back = round(self._begin / packet.time_base)
            packet.pts, packet.dts = packet.pts - back, packet.dts - back
            packet.stream = copy
            yield packet

    def pictures_end_seconds(self) -> float:
        """When the last picture of the film is shown; infinite where that cannot be seen."""
        if not self._file.streams.video:
            return 0.0
        video = self._file.streams.video[0]
        if video.duration is not None:
            return self.shift_seconds + _seconds(video.duration, video.time_base)
        # Matroska says how long all of it is, sound included: the last pictures are looked for.
        last = float("-inf")
        with contextlib.suppress(OSError, ValueError), self._av.open(self._name, options=LIMITS) as film:
            again = film.streams.video[0]
            film.seek(max(0, (film.duration or 0) - LOOK_BACK_SECONDS * self._av.time_base))
            for packet in film.demux(again):
                if packet.pts is not None:
                    last = max(last, _seconds(packet.pts, packet.time_base))
        return last - self._begin if last > float("-inf") else float("inf")

    def close(self) -> None:
        """Close the film."""
        with contextlib.suppress(Exception):
            self._file.close()


def path_suffix(name: str) -> str:
    """The suffix of a file, in small letters."""
    return Path(name).suffix.lower()


def _seconds(value: int | None, time_base: Fraction | None) -> float:
    return 0.0 if value is None or time_base is None else float(value * time_base)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
