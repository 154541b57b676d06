"""Films and endless streams over HTTP: fetched by our own client, with and without ranges and lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_fer.camera._newest import NewestFrameReader
from edge_fer.camera.settings import CameraSettings
from edge_fer.camera.streams import open_stream
from edge_fer.camera.videos import VideoFile, open_video
from edge_fer.errors import EndOfStream, SourceError, SourceLost
from tests.conftest import REPOSITORY
from tests.stream_servers import LONG, Connection, Server, frames_until
from tests.unit.camera.test_stream_failures import make_transport_stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.protocols import FrameSource

SETTINGS = CameraSettings(open_timeout_seconds=LONG)
FILM = REPOSITORY / "tests" / "faults" / "files" / "plain.mp4"


def served(body: bytes, *, ranges: bool = False, length: bool = True) -> Callable[[Connection], None]:
    def handler(connection: Connection) -> None:
        asked = connection.request.headers.get("range", "")
        start = int(asked[6:].partition("-")[0]) if ranges and asked else 0
        head = {"Content_Length": str(len(body) - start)} if length else {}
        more = {"Accept_Ranges": "bytes"} if ranges else {}
        connection.head("206 Partial Content" if start else "200 OK", Content_Type="video/mp4", **head, **more)
        connection.send(body[start:])

    return handler


def frames_of(source: FrameSource) -> int:
    return len(frames_until(source, EndOfStream)[0])


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("length", [True, False])
def test_a_film_is_read_frame_by_frame(ranges, length):
    expected = open_video(FILM)
    count = frames_of(expected)
    with Server(served(FILM.read_bytes(), ranges=ranges, length=length)) as server:
        source = open_stream(server.url("/clip.mp4?key=s3cret"), SETTINGS)
        assert isinstance(source, VideoFile)
        assert "s3cret" not in source.info.name
        assert frames_of(source) == count == source.info.frame_count
        source.close()


def test_a_transport_stream_without_an_end_is_live(tmp_path):
    stream = make_transport_stream(tmp_path)

    def handler(connection: Connection) -> None:
        connection.head(Content_Type="video/mp2t")
        for start in range(0, len(stream), 188):
            connection.send(stream[start : start + 188])

    with Server(handler) as server:
        source = open_stream(server.url("/tv"), SETTINGS)
        assert isinstance(source, NewestFrameReader)
        assert source.info.live
        frames, why = frames_until(source, SourceLost)
        source.close()
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
    assert "ended the stream" in why


def test_a_film_that_breaks_off_says_so():
    body = FILM.read_bytes()

    def handler(connection: Connection) -> None:
        connection.head(Content_Length=str(len(body)))
        connection.send(body[: len(body) // 2])

    with Server(handler) as server, pytest.raises(SourceError):
        frames_until(open_stream(server.url(), SETTINGS), EndOfStream)


def test_a_film_with_too_many_pixels_is_refused():
    small = CameraSettings(open_timeout_seconds=LONG, max_picture_px=64 * 48 - 1)
    with Server(served(FILM.read_bytes())) as server, pytest.raises(SourceError, match="64x48 pixels"):
        open_stream(server.url(), small)
