"""HTTP live streaming (RFC 8216): a playlist that names short films, fetched by our own client one after the other.

Each segment is decoded from memory, so that nothing in it or in the playlist makes a library open anything. Segments
come in lumps of some seconds; frames are given at their own pace, and the next segments are fetched meanwhile.
"""

from __future__ import annotations

import os
import queue
import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cv2

from edge_fer.background import BackgroundThread
from edge_fer.camera._ffmpeg import open_capture
from edge_fer.camera._opencv import positive, read_picture_from
from edge_fer.camera.addresses import redacted
from edge_fer.camera.videos import CONTAINERS
from edge_fer.errors import EndOfStream, SourceError, SourceLost

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.camera._http import Answer, HttpClient

LARGEST_PLAYLIST_BYTES, LARGEST_SEGMENT_BYTES = 2**20, 64 * 2**20
MOST_SEGMENTS = 50_000
SEGMENTS_FROM_END = 3
"""Where a live stream is joined (RFC 8216, 6.3.3: no less than three target durations from its end)."""
SEGMENTS_AHEAD = 2
LATE_SECONDS = 1.0
"""A frame that is later than this is not hurried after: the clock of the stream is set by it again."""
FAR_SECONDS = 30.0
"""Timestamps that jump further ahead than this are not waited for."""
FAILURES_UNTIL_LOST = 3
MOST_BACK = 3
"""Segments that a playlist may be behind the one before, as from another server of the same stream."""
ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a file that a playlist names."""

    reference: str
    first: int | None = None
    """First byte; None for the whole file."""
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """One short film of a playlist."""

    number: int
    """Goes on from one version of the playlist to the next."""
    seconds: float
    part: Part
    head: Part | None = None
    """What must stand before it to be a film (EXT-X-MAP)."""


@dataclass(frozen=True, slots=True)
class Playlist:
    """What a playlist says."""

    segments: tuple[Segment, ...] = ()
    target_seconds: float = 0.0
    """No segment is longer."""
    ended: bool = False
    """Nothing will be added."""
    variants: tuple[tuple[int, int, str], ...] = ()
    """Width (0 where it is not said), bits a second and reference of each playlist that this one offers."""


def parse_playlist(text: str, name: str) -> Playlist:
    """Read a playlist.

    Args:
        text: of the file.
        name: of its address, for messages.

    Raises:
        SourceError: it is none, or of a kind that is not read.
    """
    lines = [line.strip() for line in text.removeprefix("\ufeff").splitlines()]
    if not lines or not lines[0].startswith("#EXTM3U"):
        raise SourceError(f"{name} is no playlist of HTTP live streaming")
    made = _Reader(name)
    for line in lines[1:]:
        made.take(line)
    if not made.segments and not made.variants and not made.target_seconds:
        raise SourceError(f"{name} is a playlist that names no video for HTTP live streaming")
    return Playlist(tuple(made.segments), made.target_seconds, made.ended, tuple(made.variants))


@dataclass(slots=True)
class _Reader:
    """What is known of a playlist so far."""

    name: str
    segments: list[Segment] = field(default_factory=list)
    variants: list[tuple[int, int, str]] = field(default_factory=list)
    target_seconds: float = 0.0
    ended: bool = False
    number: int = 0
    seconds: float | None = None
    variant: tuple[int, int] | None = None
    head: Part | None = None
    span: tuple[int | None, int] | None = None
    next_byte: int = 0
    gap: bool = False

    def take(self, line: str) -> None:
        tag, _, value = line.partition(":")
        try:
            if not line.startswith("#"):
                self._reference(line)
            elif tag == "#EXTINF":
                self.seconds = min(3600.0, max(0.0, float(value.split(",")[0])))
            elif tag == "#EXT-X-TARGETDURATION":
                self.target_seconds = min(3600.0, max(0.0, float(value)))
            elif tag == "#EXT-X-MEDIA-SEQUENCE":
                self.number = int(value) + len(self.segments)
            elif tag == "#EXT-X-ENDLIST":
                self.ended = True
            elif tag == "#EXT-X-STREAM-INF":
                known = attributes(value)
                width = re.match(r"\d{1,5}", known.get("RESOLUTION", "0"))
                self.variant = (int(width[0]) if width else 0, int(known.get("BANDWIDTH", "0")))
            elif tag == "#EXT-X-MAP":
                known = attributes(value)
                length, _, first = known.get("BYTERANGE", "").partition("@")
                self.head = Part(known["URI"], int(first or 0) if length else None, int(length) if length else None)
            elif tag == "#EXT-X-BYTERANGE":
                length, at, first = value.partition("@")
                self.span = (int(first) if at else None, int(length))
            elif tag == "#EXT-X-GAP":
                self.gap = True
            elif tag == "#EXT-X-KEY" and attributes(value).get("METHOD", "NONE") != "NONE":
                raise SourceError(f"{self.name} is encrypted, and its frames cannot be read; ask for an open stream")
        except (ValueError, KeyError):
            raise SourceError(f"{self.name} is a damaged playlist: {line[:80]}") from None

    def _reference(self, line: str) -> None:
        if not line:
            return
        if self.variant is not None:
            self.variants.append((*self.variant, line))
            self.variant = None
        elif self.seconds is not None:
            part = Part(line)
            if self.span is not None:
                first = self.next_byte if self.span[0] is None else self.span[0]
                part = Part(line, first, self.span[1])
                self.next_byte = first + self.span[1]
            if not self.gap and len(self.segments) < MOST_SEGMENTS:
                self.segments.append(Segment(self.number, self.seconds, part, self.head))
            self.number += 1
            self.seconds, self.span, self.gap = None, None, False


def attributes(text: str) -> dict[str, str]:
    """The attributes of a tag, without their quotes."""
    return {name: value.strip('"') for name, value in ATTRIBUTE.findall(text)}


def choose_variant(variants: tuple[tuple[int, int, str], ...], width: int) -> str:
    """The smallest version that is as wide as wanted, else the widest; of equals the one with the fewest bits."""
    wide = [one for one in variants if one[0] >= width]
    if wide:
        return min(wide)[2]
    sized = [one for one in variants if one[0]]
    if sized:
        return max(sized, key=lambda one: (one[0], -one[1]))[2]
    return max(variants, key=lambda one: one[1])[2]


class HlsCapture:
    """A stream or film of a playlist, as a capture."""

    def __init__(
        self,
        client: HttpClient,
        answer: Answer,
        start: bytes,
        name: str,
        *,
        width: int,
        max_picture_px: int,
        timeout_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        """Read the playlist and open its first segment.

        Args:
            client: fetches everything.
            answer: that holds the playlist.
            start: what was read of it already.
            name: of the address, without secrets.
            width: in pixels, that is wanted where the playlist offers several versions.
            max_picture_px: films with more pixels per frame are refused.
            timeout_seconds: for each playlist and segment.
            clock: in seconds, never jumps.
            pause: waits so many seconds, and returns true where the capture was interrupted meanwhile.

        Raises:
            SourceError: there is no video, or none that can be read.
        """
        self._client, self._name, self._clock = client, name, clock
        self._max_picture_px, self._timeout_seconds = max_picture_px, timeout_seconds
        self._address = answer.url
        playlist = self._read_playlist(answer, start)
        if playlist.variants:
            self._address = self._address.joined(choose_variant(playlist.variants, width))
            playlist = self._fetch_playlist()
        if not playlist.segments:
            raise SourceError(f"{name} answers but has no segment yet: is its camera on?")
        self.live = not playlist.ended
        self.target_seconds = max(playlist.target_seconds, *(one.seconds for one in playlist.segments))
        self._seconds = sum(one.seconds for one in playlist.segments)
        self._heads: dict[Part, bytes] = {}
        self._ending = threading.Event()
        self._pause = pause or self._ending.wait
        self._problem: SourceError | None = None
        self._ready: queue.Queue[bytes | None] = queue.Queue(SEGMENTS_AHEAD)
        self._film: cv2.VideoCapture | None = None
        self._base = self._position = 0.0
        self.fps: float | None = None
        """By the timestamps of the first segment."""
        self._began_at: float | None = None
        first = playlist.segments[max(0, len(playlist.segments) - SEGMENTS_FROM_END)] if self.live else None
        self._next_number = first.number if first else playlist.segments[0].number
        begin = next(one for one in playlist.segments if one.number >= self._next_number)
        self._next_number = begin.number + 1
        self._open(self._fetch(begin))
        assert self._film is not None
        self.fps = positive(self._film.get(cv2.CAP_PROP_FPS), 1000.0)
        self._thread = BackgroundThread(lambda: self._fetch_all(playlist), f"fetch {name}")
        self._thread.start()

    @property
    def silence_seconds(self) -> float:
        """How long nothing may come: a live playlist grows by a segment at a time."""
        return 3 * self.target_seconds

    def interrupt(self) -> None:
        """End a read that is under way; from any thread."""
        self._ending.set()
        self._client.interrupt()

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether frames may come."""
        return not self._ending.is_set()

    def read(self) -> tuple[bool, Any]:
        """Give the next frame when its time has come, if the stream is live; else at once.

        Raises:
            EndOfStream: a live stream is over.
            SourceLost: it broke, or was closed.
        """
        while (image := None if self._film is None else read_picture_from(self._film)) is None:
            data = self._next_segment()
            if data is None:
                if self.live:
                    raise EndOfStream(f"{self._name} is over")
                return False, None
            self._base += self._position + 1.0 / (self.fps or 25.0)
            self._open(data)
        assert self._film is not None
        position = self._film.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
        self._position = (
            max(self._position, position) if position < FAR_SECONDS + self.target_seconds else self._position
        )
        if self.live:
            self._wait_until(self._base + self._position)
        return True, image

    def get(self, propId: int) -> float:  # noqa: N803 - OpenCV's name
        """Size, rate, position and, of a film, the number of frames."""
        if propId == cv2.CAP_PROP_FPS:
            return self.fps or 0.0
        if propId == cv2.CAP_PROP_FRAME_COUNT:
            return 0.0 if self.live else round(self._seconds * (self.fps or 0.0))
        if propId == cv2.CAP_PROP_POS_MSEC:
            return (self._base + self._position) * 1000.0
        return 0.0 if self._film is None else self._film.get(propId)

    def set(self, propId: int, value: float) -> bool:  # noqa: N803 - OpenCV's name
        """Nothing can be changed."""
        return False

    def release(self) -> None:
        """End everything."""
        self.interrupt()
        if self._film is not None:
            self._film.release()
        self._film = None

    def _wait_until(self, seconds: float) -> None:
        now = self._clock()
        ahead = 0.0 if self._began_at is None else self._began_at + seconds - now
        if self._began_at is None or not -LATE_SECONDS <= ahead <= FAR_SECONDS:
            self._began_at = now - seconds
        elif ahead > 0 and self._pause(ahead):
            raise SourceLost(f"{self._name} was closed")

    def _next_segment(self) -> bytes | None:
        while True:
            try:
                return self._ready.get(timeout=0.2)
            except queue.Empty:
                if self._ending.is_set():
                    raise SourceLost(f"{self._name} was closed") from None
                if self._problem is not None:
                    raise self._problem from None

    def _open(self, data: bytes) -> None:
        if self._film is not None:
            self._film.release()
        self._film, self._position = None, 0.0
        if not CONTAINERS.match(data[:512]):
            raise SourceError(f"{self._name} names segments of no known kind of video")
        film = film_of(data)
        width, height = (int(film.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if not film.isOpened() or width * height > self._max_picture_px:
            film.release()
            if width * height > self._max_picture_px:
                raise SourceError(f"{self._name} has frames of {width}x{height} pixels, more than allowed")
            raise SourceError(f"{self._name} names segments without a video that can be read")
        self._film = film

    def _fetch_all(self, playlist: Playlist) -> None:
        """Body of the thread: segments as they appear."""
        failures = 0

        def failed(error: SourceError) -> None:
            nonlocal failures
            failures += 1
            if failures >= FAILURES_UNTIL_LOST:
                raise error

        try:
            while not self._ending.is_set():
                for segment in playlist.segments:
                    if segment.number < self._next_number or self._ending.is_set():
                        continue
                    self._next_number = segment.number + 1
                    try:
                        data = self._fetch(segment)
                    except SourceError as error:
                        failed(error)  # one that is gone is left out
                        continue
                    failures = 0
                    self._put(data)
                if playlist.ended:
                    self._put(None)
                    return
                # Half a target duration (RFC 8216, 6.3.4), and never a flood.
                self._ending.wait(max(0.2, self.target_seconds / 2))
                try:
                    playlist = self._fetch_playlist()
                except SourceError as error:
                    failed(error)
                    continue
                if playlist.segments and playlist.segments[-1].number < self._next_number - MOST_BACK:
                    self._next_number = playlist.segments[0].number  # the server began again
        except SourceError as error:
            self._problem = SourceLost(str(error))
        except Exception as error:  # whatever it is must reach the reader, not die with this thread
            self._problem = SourceLost(f"fetching {self._name} failed: {type(error).__name__}")

    def _put(self, data: bytes | None) -> None:
        while not self._ending.is_set():
            try:
                self._ready.put(data, timeout=0.2)
            except queue.Full:
                continue
            return

    def _fetch(self, segment: Segment) -> bytes:
        head = b""
        if segment.head is not None:
            if segment.head not in self._heads:
                self._heads = {segment.head: self._fetch_part(segment.head)}
            head = self._heads[segment.head]
        return head + self._fetch_part(segment.part)

    def _fetch_part(self, part: Part) -> bytes:
        headers = {}
        if part.first is not None and part.length is not None:
            headers["Range"] = f"bytes={part.first}-{part.first + part.length - 1}"
        answer = self._client.get(self._address.joined(part.reference), headers, also=(206,))
        try:
            data = read_body(answer, LARGEST_SEGMENT_BYTES, self._name, self._timeout_seconds)
        finally:
            answer.close()
        if headers and answer.status == 200:
            assert part.first is not None
            assert part.length is not None
            data = data[part.first : part.first + part.length]
        return data

    def _fetch_playlist(self) -> Playlist:
        return self._read_playlist(self._client.get(self._address), b"")

    def _read_playlist(self, answer: Answer, start: bytes) -> Playlist:
        try:
            data = read_body(answer, LARGEST_PLAYLIST_BYTES, self._name, self._timeout_seconds, start)
        finally:
            answer.close()
        return parse_playlist(data.decode("utf-8", "replace"), redacted(answer.url.text))


def film_of(data: bytes) -> cv2.VideoCapture:
    """A capture over a film in memory.

    It goes through a file without a name: OpenCV reads Python objects too, but keeps some memory of every read.
    """
    descriptor = os.memfd_create("segment", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(data)
        return open_capture(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def read_body(answer: Answer, most_bytes: int, name: str, timeout_seconds: float, start: bytes = b"") -> bytes:
    """The whole body of an answer.

    Raises:
        SourceError: it is too large, or does not come in time.
    """
    parts, size = [start], len(start)
    answer.until(time.monotonic() + max(timeout_seconds, 1.0))
    try:
        while data := answer.read():
            parts.append(data)
            size += len(data)
            if size > most_bytes:
                raise SourceError(f"{name} sends more than {most_bytes // 2**20} MiB in one piece")
    except TimeoutError:
        raise SourceError(f"{name} did not send a whole piece within {timeout_seconds:g} s") from None
    return b"".join(parts)
