"""Pictures over HTTP: streams of JPEGs, whatever stands between them, and addresses that give one picture at a time.

Cameras disagree on multipart/x-mixed-replace in every detail: how a boundary is announced and written, whether one
stands before the first picture, whether a length is given and whether it is true. JPEGs say themselves where they begin
and end, so only they are looked for.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge_fer import native_stderr
from edge_fer.camera._jpeg_stream import START, JpegStream
from edge_fer.camera.jpeg_end import all_pixels_are_there
from edge_fer.camera.picture_bytes import picture_from_bytes
from edge_fer.camera.picture_headers import looks_like_picture, read_header
from edge_fer.errors import SourceError, SourceLost, SourceTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.camera._http import Answer, HttpClient
    from edge_fer.types import Image

MEASURE_SECONDS, MEASURE_PICTURES = 1.0, 16
"""How long, and over how many pictures at most, the rate of a stream is measured before its first picture is given."""
LARGEST_SNAPSHOT_BYTES = 64 * 2**20
SNAPSHOT_SILENCE_SECONDS = 60.0
"""An address with one picture may keep it this long: many renew it once in a while only."""
FAILURES_UNTIL_LOST = 3
"""Requests in a row that may fail: small cameras have their hands full now and then."""


class HttpPictures:
    """A stream of JPEGs as a capture. `interrupt` of the client ends a read."""

    def __init__(
        self, client: HttpClient, answer: Answer, start: bytes, name: str, max_picture_px: int, deadline: float
    ) -> None:
        """Wait for the first picture and measure the rate.

        Args:
            client: closed by `release`.
            answer: whose body holds the pictures.
            start: what was read of it already.
            name: of the stream, without secrets.
            max_picture_px: pictures with more pixels are thrown away.
            deadline: on `time.monotonic`, for the first picture.

        Raises:
            SourceError: there is none in time.
        """
        self._client, self._answer, self._name, self._max_picture_px = client, answer, name, max_picture_px
        self._pictures = JpegStream(is_whole=self._is_whole)
        self._waiting: list[bytes] = []
        self._too_large = ""
        self.fps: float | None = None
        """Measured at the beginning; None where the pictures come too slowly for that."""
        self.single: bytes | None = None
        """The picture, where it was the only one of the answer."""
        began = time.monotonic()
        self._take(start)
        self._wait_for_first(deadline, deadline - began)
        self._measure()

    def _wait_for_first(self, deadline: float, seconds: float) -> None:
        self._answer.until(deadline)
        while not self._waiting:
            try:
                data = self._answer.read()
            except TimeoutError:
                raise SourceError(
                    f"{self._name} answers but has sent no picture within {seconds:.0f} s: is its camera on?"
                ) from None
            if not data:
                raise SourceError(f"{self._name} ended without a whole picture")
            self._take(data)

    def _measure(self) -> None:
        first = last = time.monotonic()
        seen, ended = len(self._waiting), False
        try:
            while seen <= MEASURE_PICTURES and not ended and self._answer.has_more_by(first + MEASURE_SECONDS):
                data = self._answer.read()
                ended = not data
                if self._take(data):
                    seen, last = seen + 1, time.monotonic()
        except (TimeoutError, SourceLost):
            ended = True
        if seen >= 3 and last > first:
            self.fps = (seen - 1) / (last - first)
        if seen == 1 and (ended or self._answer.content_type.startswith("image/")):
            self.single = self._waiting[0]
        del self._waiting[:-1]
        self._answer.wait_at_most(None)

    def _is_whole(self, picture: bytes) -> bool:
        try:
            header = read_header(picture)
        except ValueError:
            return False
        return header.width * header.height <= self._max_picture_px and all_pixels_are_there(picture)

    def _take(self, data: bytes) -> bool:
        found = self._pictures.feed(data) if data else []
        self._waiting += found
        return bool(found)

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether pictures may come."""
        return True

    def read(self) -> tuple[bool, Any]:
        """Wait for the next picture, for as long as the server sends none; False where it is damaged.

        Raises:
            SourceLost: the connection has ended.
        """
        while not self._waiting:
            data = self._answer.read()
            if not data:
                raise SourceLost(f"{self._name} ended the stream")
            self._take(data)
        # What came meanwhile is old: only the newest is worth decoding.
        picture = self._waiting.pop()
        self._waiting.clear()
        image = decoded(picture, self._max_picture_px)
        return image is not None, image

    def get(self, propId: int) -> float:  # noqa: N803 - OpenCV's name
        """The rate; nothing else is known beside the pictures."""
        return self.fps or 0.0 if propId == cv2.CAP_PROP_FPS else 0.0

    def set(self, propId: int, value: float) -> bool:  # noqa: N803 - OpenCV's name
        """Nothing can be changed."""
        return False

    def release(self) -> None:
        """Close the connection."""
        self._answer.close()


class Snapshots:
    """An address that gives one picture, asked again and again, as a capture."""

    def __init__(
        self,
        client: HttpClient,
        answer: Answer,
        picture: bytes,
        name: str,
        max_picture_px: int,
        fps: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Go on after the first picture.

        Args:
            client: asks; what the server said of the picture's age goes along, so that it need not send it twice.
            answer: that brought the first picture.
            picture: the first one, the whole file.
            name: of the address, without secrets.
            max_picture_px: pictures with more pixels are refused.
            fps: how often to ask, in requests per second.
            clock: in seconds, never jumps.
        """
        self._client, self._name, self._max_picture_px = client, name, max_picture_px
        self._seconds, self._clock = 1.0 / fps, clock
        self._last = picture
        self._first: bytes | None = picture
        self._known = validators(answer)
        self._asked_at = clock()
        self._failures = 0
        self._ending = threading.Event()

    def interrupt(self) -> None:
        """End a read that is under way; from any thread."""
        self._ending.set()
        self._client.interrupt()

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether pictures may come."""
        return not self._ending.is_set()

    def read(self) -> tuple[bool, Any]:
        """Wait for a picture that is not the last one again; False where it is damaged.

        Raises:
            SourceLost: it cannot be had any more.
        """
        if self._first is not None:
            self._first = None
            return self._decoded(self._last)
        while not self._ending.wait(max(0.0, self._asked_at + self._seconds - self._clock())):
            self._asked_at = self._clock()
            try:
                picture = self._ask()
            except SourceError as error:
                self._failures += 1
                if self._failures >= FAILURES_UNTIL_LOST or self._ending.is_set():
                    raise SourceLost(str(error)) from None
                continue
            self._failures = 0
            if picture is not None and picture != self._last:
                self._last = picture
                return self._decoded(picture)
        raise SourceLost(f"{self._name} was closed")

    def _ask(self) -> bytes | None:
        answer = self._client.get(headers=self._known, also=(304,))
        try:
            if answer.status == 304:
                return None
            picture = whole_picture(answer, self._name)
            self._known = validators(answer)
            return picture
        finally:
            answer.close()

    def _decoded(self, picture: bytes) -> tuple[bool, Image | None]:
        if picture.startswith(START):
            image = decoded(picture, self._max_picture_px)
        else:
            try:
                image = picture_from_bytes(picture, self._name, self._max_picture_px)
            except SourceTimeout:
                raise
            except SourceError:
                image = None
        return image is not None, image

    def get(self, propId: int) -> float:  # noqa: N803 - OpenCV's name
        """How often it is asked; nothing else is known beside the pictures."""
        return 1.0 / self._seconds if propId == cv2.CAP_PROP_FPS else 0.0

    def set(self, propId: int, value: float) -> bool:  # noqa: N803 - OpenCV's name
        """Nothing can be changed."""
        return False

    def release(self) -> None:
        """Ask no more."""
        self._ending.set()


def decoded(picture: bytes, max_picture_px: int) -> Image | None:
    """A JPEG as uint8 [height, width, 3] in BGR order; None where it is damaged, or larger than allowed."""
    try:
        header = read_header(picture)
    except ValueError:
        return None
    if header.width * header.height > max_picture_px:
        raise SourceError(f"pictures of {header.width}x{header.height} pixels are more than {max_picture_px} in all")
    try:
        with native_stderr.hushed():
            return cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)  # type: ignore[return-value]
    except cv2.error:
        return None


def whole_picture(answer: Answer, name: str, start: bytes = b"") -> bytes:
    """The picture that an answer holds: up to the end marker of a JPEG, of another kind the whole body.

    Raises:
        SourceError: it does not come in time, is cut short or too large.
    """
    jpeg, data = JpegStream(LARGEST_SNAPSHOT_BYTES), b""
    found: list[bytes] = []
    try:
        while not found and (more := start or answer.read()):
            start, data = b"", data + more
            other = looks_like_picture(data[:32]) and not data.startswith(START)
            found = [] if other else jpeg.feed(more)
            if len(data) > LARGEST_SNAPSHOT_BYTES:
                raise SourceError(f"{name} sends a picture of more than {LARGEST_SNAPSHOT_BYTES // 2**20} MiB")
    except TimeoutError:
        raise SourceError(f"{name} began to send a picture but did not end it") from None
    if found:
        return found[0]
    if not data or data.startswith(START):
        raise SourceError(f"{name} ended without a whole picture")
    return data


def validators(answer: Answer) -> dict[str, str]:
    """The headers by which a server need not send the same picture twice (RFC 9110, 13.1)."""
    found = {}
    for given, asked in (("etag", "If-None-Match"), ("last-modified", "If-Modified-Since")):
        value = answer.headers.get(given)
        if value and value.isprintable() and value.isascii():
            found[asked] = value
    # A camera that stamps whole seconds has more than one picture within each.
    return found if "If-None-Match" in found or "If-Modified-Since" not in found else {}
