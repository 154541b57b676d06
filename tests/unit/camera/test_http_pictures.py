"""HTTP cameras in every dialect: what stands between the pictures does not matter."""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge_fer.camera.settings import CameraSettings
from edge_fer.camera.streams import open_stream
from edge_fer.errors import SourceError, SourceLost
from tests.stream_servers import LONG, Connection, Server, frames_until, jpeg

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS = CameraSettings(open_timeout_seconds=LONG, snapshot_fps=100.0)
B = "123456789000000000000987654321"
MIXED = "multipart/x-mixed-replace"


def stream(
    content_type: str = f"{MIXED};boundary={B}",
    *,
    dash: str = "--",
    line: str = "\r\n",
    first: bool = True,
    length: Callable[[bytes], str] | None = lambda picture: str(len(picture)),
    kind: str = "image/jpeg",
    more: str = "",
    trail: str = "\r\n",
    chunked: bool = False,
    between: bytes = b"",
    seconds: float = 0.02,
    **headers: str,
) -> Callable[[Connection], None]:
    """A camera that writes multipart/x-mixed-replace in this way."""

    def handler(connection: Connection) -> None:
        if chunked:
            headers["Transfer_Encoding"] = "chunked"
        connection.head(**{"Content_Type": content_type, **headers} if content_type else headers)
        for number, picture in enumerate(connection.frames(seconds)):
            boundary = f"{dash}{B}{line}" if first or number else ""
            size = "" if length is None else f"Content-Length: {length(picture)}{line}"
            part = (
                f"{boundary}Content-Type: {kind}{line}{size}{more}{line}".encode() + picture + trail.encode() + between
            )
            connection.send(f"{len(part):x}\r\n".encode() + part + b"\r\n" if chunked else part)

    return handler


def bare(content_type: str) -> Callable[[Connection], None]:
    """A camera that writes one JPEG after the other and nothing else."""

    def handler(connection: Connection) -> None:
        connection.head(Content_Type=content_type)
        for picture in connection.frames():
            connection.send(picture)

    return handler


def other_parts(connection: Connection) -> None:
    connection.head(Content_Type=f"{MIXED};boundary={B}")
    for picture in connection.frames():
        words = f'--{B}\r\nContent-Type: application/json\r\n\r\n{{"motion": 1, "size": "\xff"}}\r\n'.encode("latin-1")
        connection.send(words, f"--{B}\r\nContent-Type: image/jpeg\r\n\r\n", picture, "\r\n")


def no_end_markers(connection: Connection) -> None:
    connection.head(Content_Type=MIXED)
    for picture in connection.frames(0.05):
        connection.send("--x\r\nContent-Type: image/jpeg\r\n\r\n", picture.removesuffix(b"\xff\xd9"), "\r\n")


def drips(connection: Connection) -> None:
    connection.head(Content_Type=f"{MIXED};boundary={B}")
    for picture in connection.frames():
        part = f"--{B}\r\nContent-Type: image/jpeg\r\n\r\n".encode() + picture
        for start in range(0, len(part), 97):
            connection.send(part[start : start + 97])


def half_pictures(connection: Connection) -> None:
    connection.head(Content_Type=f"{MIXED};boundary={B}")
    for number, picture in enumerate(connection.frames()):
        shown = picture if number % 2 else picture[: len(picture) * (number % 7) // 7]
        connection.send(f"--{B}\r\nContent-Type: image/jpeg\r\n\r\n", shown, "\r\n")


def garbage(connection: Connection) -> None:
    connection.head(Content_Type=f"{MIXED};boundary={B}")
    noise = np.random.default_rng(1).integers(0, 255, 300_000, np.uint8).tobytes()
    for picture in connection.frames():
        connection.send(noise, picture)


def bare_line_ends(connection: Connection) -> None:
    connection.send(f"HTTP/1.1 200 OK\nContent-Type: {MIXED}; boundary={B}\n\n")
    for picture in connection.frames():
        connection.send(f"--{B}\nContent-Type: image/jpeg\n\n", picture, "\n")


def no_head(connection: Connection) -> None:
    for picture in connection.frames():
        connection.send(f"--{B}\r\nContent-Type: image/jpeg\r\n\r\n", picture, "\r\n")


def no_reason(connection: Connection) -> None:
    connection.send(f"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200\r\ncontent-type:{MIXED}\r\n\r\n")
    for picture in connection.frames():
        connection.send(f"--{B}\r\n\r\n", picture)


def thumbnails(connection: Connection) -> None:
    """Each picture holds a smaller one in a segment of its own, with an end marker."""
    connection.head(Content_Type=MIXED)
    for picture in connection.frames():
        small = b"Exif\0\0" + jpeg(1, 16, 16)
        segment = b"\xff\xe1" + (len(small) + 2).to_bytes(2, "big") + small
        connection.send("--x\r\n\r\n", picture[:2] + segment + picture[2:], "\r\n")


def other_jpegs(connection: Connection) -> None:
    """Progressive, grey and with restart markers."""
    connection.head(Content_Type=MIXED)
    ways = [[cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [], [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]]
    for number, picture in enumerate(connection.frames()):
        image = cv2.imdecode(np.frombuffer(picture, np.uint8), int(number % 3 != 1))
        connection.send("--x\r\n\r\n", cv2.imencode(".jpg", image, ways[number % 3])[1].tobytes(), "\r\n")


def false_beginnings(connection: Connection) -> None:
    connection.head(Content_Type=MIXED)
    for picture in connection.frames():
        connection.send(b"--x\r\nX: \xff\xd8 \xff\xd8\xff\xe0\x00 \xff\xd9\r\n\r\n", picture, "\r\n")


def byte_chunks(connection: Connection) -> None:
    connection.head(Content_Type=MIXED, Transfer_Encoding="chunked")
    for picture in connection.frames():
        part = b"--x\r\n\r\n" + picture
        pieces = [part[:1], part[1:30], part[30:]]
        connection.send(b"".join(b"%x;name=value\r\n%b\r\n" % (len(piece), piece) for piece in pieces))


DIALECTS: dict[str, Callable[[Connection], None]] = {
    "as the textbook has it": stream(),
    "line ends without CR": stream(line="\n", trail="\n"),
    "line ends without CR in the head too": bare_line_ends,
    "no length": stream(length=None),
    "a length that is too small": stream(length=lambda picture: str(len(picture) // 2)),
    "a length that is too large": stream(length=lambda picture: str(len(picture) + 1000)),
    "a length of 0": stream(length=lambda _: "0"),
    "a length that is no number": stream(length=lambda _: "unknown"),
    "a length of the whole answer": stream(Content_Length="0"),
    "quoted boundary": stream(f'{MIXED}; boundary="{B}"'),
    "boundary announced with its dashes": stream(f"{MIXED}; boundary=--{B}"),
    "boundary with dashes, sent with more": stream(f"{MIXED}; boundary=--{B}", dash="----"),
    "boundary sent without dashes": stream(dash=""),
    "another boundary than announced": stream(f"{MIXED}; boundary=other"),
    "no boundary announced": stream(MIXED),
    "no boundary before the first picture": stream(first=False),
    "spaces around the boundary": stream(f"{MIXED}; boundary = {B}"),
    "other letters": stream(f"Multipart/X-Mixed-Replace; Boundary={B}"),
    "no line end after a picture": stream(trail=""),
    "more headers in each part": stream(more="X-Timestamp: 12.345\r\nX-Framerate: 10\r\n"),
    "parts called something else": stream(kind="application/octet-stream"),
    "chunks": stream(chunked=True),
    "a connection that is kept": stream(Connection="keep-alive"),
    "preamble and comments": stream(more="X-Comment: --" + B + "\r\n", between=b"\r\npreamble --\r\n"),
    "a type that lies": stream("text/html"),
    "no type at all": stream(""),
    "mixed": stream("multipart/mixed; boundary=x"),
    "parts that are no pictures": other_parts,
    "JPEGs in a row": bare("video/x-motion-jpeg"),
    "JPEGs in a row called one picture": bare("image/jpeg"),
    "JPEGs in a row called nothing known": bare("application/octet-stream"),
    "no status and no headers": no_head,
    "a status without a reason": no_reason,
    "pictures with pictures inside": thumbnails,
    "progressive and grey pictures": other_jpegs,
    "false beginnings between pictures": false_beginnings,
    "chunks of a byte, with extensions": byte_chunks,
    "pictures without their end marker": no_end_markers,
    "drop by drop": drips,
    "every other picture cut": half_pictures,
    "garbage between pictures": garbage,
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_gives_whole_pictures(dialect):
    with Server(DIALECTS[dialect]) as server:
        source = open_stream(server.url("/video"), SETTINGS)
        frames = [source.read(LONG) for _ in range(4)]
        source.close()
    assert source.info.live
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
    assert not any(np.array_equal(one.image, other.image) for one, other in pairwise(frames))


@pytest.mark.parametrize("chunked", [True, False])
def test_measuring_the_rate_does_not_lose_the_place_in_a_slow_stream(chunked):
    """The time for measuring ends within a chunk, whose head comes in two pieces."""

    def handler(connection: Connection) -> None:
        connection.head(Content_Type=MIXED, **({"Transfer_Encoding": "chunked"} if chunked else {}))
        for picture in connection.frames(0.3):
            part = b"--x\r\n\r\n" + picture
            for piece in (part[:100], part[100:]):
                head = b"%x\r\n" % len(piece) if chunked else b""
                for text in (head[:1], head[1:], piece, b"\r\n" if chunked else b""):
                    connection.send(text)
                    connection.closing.wait(0.06)

    with Server(handler) as server:
        source = open_stream(server.url(), SETTINGS)
        assert {source.read(LONG).image.shape for _ in range(4)} == {(48, 64, 3)}
        source.close()


@pytest.mark.parametrize("seconds", [0.02, 0.1])
def test_the_rate_is_the_measured_one(seconds):
    with Server(stream(seconds=seconds)) as server:
        source = open_stream(server.url(), SETTINGS)
        source.read(LONG)
        source.close()
    assert source.info.fps is not None
    assert source.info.fps <= 2 / seconds


def test_damaged_pictures_leave_no_line_in_the_log(capfd):
    def handler(connection: Connection) -> None:
        connection.head(Content_Type=MIXED)
        for picture in connection.frames():
            middle = len(picture) // 2
            connection.send("--x\r\n\r\n", picture[:middle] + bytes(40) + picture[middle + 100 :])

    with Server(handler) as server:
        source = open_stream(server.url(), SETTINGS)
        for _ in range(3):
            source.read(LONG)
        source.close()
    assert capfd.readouterr().err == ""


def test_a_stream_that_ends_is_lost():
    def handler(connection: Connection) -> None:
        connection.head(Content_Type=f"{MIXED};boundary={B}")
        for number in range(5):
            connection.send(f"--{B}\r\n\r\n", jpeg(number))

    with Server(handler) as server:
        source = open_stream(server.url(), SETTINGS)
        assert "ended the stream" in frames_until(source, SourceLost)[1]
        source.close()


def test_closing_ends_a_read_of_a_server_that_says_nothing():
    def handler(connection: Connection) -> None:
        connection.head(Content_Type=f"{MIXED};boundary={B}")
        for number in range(3):
            connection.send(f"--{B}\r\n\r\n", jpeg(number))
        connection.hold()

    with Server(handler) as server:
        source = open_stream(server.url(), SETTINGS)
        source.read(LONG)
        source.close()
        assert source.released


def test_pictures_with_more_pixels_than_allowed_are_refused():
    with Server(stream()) as server, pytest.raises(SourceError, match="64x48 pixels"):
        open_stream(server.url(), CameraSettings(open_timeout_seconds=LONG, max_picture_px=1000))


class Snapshot:
    """A server of one picture at a time, which is renewed at every other question."""

    def __init__(self, **headers: str) -> None:
        self.headers = headers
        self.asked = 0
        self.enough = threading.Event()

    def __call__(self, connection: Connection) -> None:
        self.asked += 1
        if self.asked > 12:
            self.enough.set()
        number = self.asked // 2
        tag = f'"{number}"'
        if "ETag" in self.headers and connection.request.headers.get("if-none-match") == tag:
            connection.head("304 Not Modified", ETag=tag)
            return
        more = {**self.headers, **({"ETag": tag} if "ETag" in self.headers else {})}
        connection.answer(self.body(number), "image/jpeg", **more)

    def body(self, number: int) -> bytes:
        return jpeg(number)


@pytest.mark.parametrize("headers", [{}, {"ETag": ""}, {"Last_Modified": "Sun, 06 Nov 1994 08:49:37 GMT"}], ids=str)
def test_an_address_with_one_picture_is_asked_again_and_each_picture_comes_once(headers):
    snapshot = Snapshot(**headers)
    with Server(snapshot) as server:
        source = open_stream(server.url("/snapshot.jpg"), SETTINGS)
        frames = [source.read(LONG) for _ in range(4)]
        source.close()
    assert source.info.fps == SETTINGS.snapshot_fps
    assert source.silence_seconds >= 60
    assert not any(np.array_equal(one.image, other.image) for one, other in pairwise(frames))


def png(number: int) -> bytes:
    return cv2.imencode(".png", cv2.imdecode(np.frombuffer(jpeg(number), np.uint8), 1))[1].tobytes()


def test_other_kinds_of_pictures_are_polled_too():
    snapshot = Snapshot()
    snapshot.body = png  # type: ignore[method-assign]
    with Server(snapshot) as server:
        source = open_stream(server.url("/snapshot"), SETTINGS)
        assert source.read(LONG).image.shape == source.read(LONG).image.shape == (48, 64, 3)
        source.close()


@pytest.mark.parametrize("length", [-200, 0, 200])
def test_a_picture_of_another_length_than_announced(length):
    def handler(connection: Connection) -> None:
        picture = jpeg(len(server.requests))
        connection.head(Content_Type="image/jpeg", Content_Length=str(len(picture) + length))
        connection.send(picture)

    with Server(handler) as server:
        source = open_stream(server.url(), SETTINGS)
        assert {source.read(LONG).image.shape for _ in range(3)} == {(48, 64, 3)}
        source.close()


def test_a_failing_snapshot_is_asked_again_before_it_counts_as_lost():
    def handler(connection: Connection) -> None:
        if 3 <= len(server.requests) <= 4 or len(server.requests) > 8:
            connection.head("503 Busy", Content_Length="0")
            return
        connection.answer(jpeg(len(server.requests)), "image/jpeg")

    with Server(handler) as server:
        source = open_stream(server.url(), SETTINGS)
        frames, why = frames_until(source, SourceLost)
        source.close()
    assert frames[-1].seq == 5
    assert "503" in why
