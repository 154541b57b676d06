"""HTTP live streaming: every frame of every segment, at the pace of its timestamps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge_fer.camera._hls import HlsCapture, choose_variant, parse_playlist
from edge_fer.camera._http import HttpClient
from edge_fer.camera.addresses import parse_address
from edge_fer.camera.settings import CameraSettings
from edge_fer.camera.streams import open_stream
from edge_fer.camera.videos import VideoFile
from edge_fer.errors import EndOfStream, SourceError
from tests.camera_fakes import picture
from tests.fakes import FakeClock
from tests.stream_servers import LONG, Connection, Server, frames_until

if TYPE_CHECKING:
    from collections.abc import Callable

FPS, FRAMES, TARGET = 10.0, 20, 2
SETTINGS = CameraSettings(open_timeout_seconds=LONG)


@pytest.fixture(scope="module")
def segments(tmp_path_factory) -> list[bytes]:
    """Eight films of two seconds; the grey of a frame goes up from one to the next."""
    made = []
    for number in range(8):
        path = tmp_path_factory.mktemp("hls") / "segment.ts"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mpg2"), FPS, (64, 48))
        for frame in range(FRAMES):
            writer.write(picture(number * FRAMES + frame + 20))
        writer.release()
        made.append(path.read_bytes())
    return made


class Live:
    """A live playlist that grows by a segment each time it is asked for, and may come to an end."""

    def __init__(self, segments: list[bytes], *, ends: bool = True, missing: int = -1, first: int = 3) -> None:
        self.segments, self.ends, self.missing = segments, ends, missing
        self.there = first

    def __call__(self, connection: Connection) -> None:
        name = connection.request.path.rpartition("/")[2]
        if name.endswith(".m3u8"):
            first = max(0, self.there - 4)
            names = "".join(f"#EXTINF:{TARGET},\n{number}.ts\n" for number in range(first, self.there))
            over = "#EXT-X-ENDLIST\n" if self.ends and self.there == len(self.segments) else ""
            head = f"#EXTM3U\n#EXT-X-TARGETDURATION:{TARGET}\n#EXT-X-MEDIA-SEQUENCE:{first}\n"
            self.there = min(self.there + 1, len(self.segments))
            connection.answer((head + names + over).encode(), "application/vnd.apple.mpegurl")
        elif name == f"{self.missing}.ts":
            connection.head("404 Not Found", Content_Length="0")
        else:
            connection.answer(self.segments[int(name.partition(".")[0])], "video/mp2t")


def capture_of(server: Server, clock: FakeClock, pauses: list[float]) -> HlsCapture:
    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        clock.now += seconds
        return False

    client = HttpClient(parse_address(server.url("/live.m3u8")), LONG)
    return HlsCapture(
        client,
        client.get(),
        b"",
        "live",
        width=640,
        max_picture_px=10**6,
        timeout_seconds=LONG,
        clock=clock.monotonic,
        pause=pause,
    )


def greys(capture: HlsCapture) -> list[int]:
    seen = []
    while True:
        try:
            read, image = capture.read()
        except EndOfStream:
            return seen
        assert read
        seen.append(round(float(np.mean(image))))


def test_a_live_stream_loses_no_frame_and_keeps_its_pace(segments):
    clock, pauses = FakeClock(), []
    with Server(Live(segments)) as server:
        capture = capture_of(server, clock, pauses)
        seen = greys(capture)
        capture.release()
    assert len(seen) == len(segments) * FRAMES
    assert seen == sorted(seen)
    # As long as it lasts, but for the last frame, and evenly.
    assert sum(pauses) == pytest.approx(len(seen) / FPS, abs=0.3)
    assert max(pauses) < 3 / FPS
    assert capture.silence_seconds == 3 * TARGET


def test_a_segment_that_is_gone_is_left_out(segments):
    with Server(Live(segments, missing=4)) as server:
        capture = capture_of(server, FakeClock(), [])
        seen = greys(capture)
        capture.release()
    assert len(seen) == (len(segments) - 1) * FRAMES


def test_a_stream_that_grows_no_more_is_silent_and_can_be_closed(segments):
    with Server(Live(segments[:3], ends=False)) as server:
        source = open_stream(server.url("/live.m3u8"), SETTINGS)
        source.read(LONG)
        assert source.silence_seconds == 3 * TARGET
        assert source.info.fps == pytest.approx(FPS)
        source.close()
        assert source.released


def test_a_film_in_segments_is_read_to_its_end(segments):
    with Server(Live(segments, first=len(segments))) as server:
        # All of it is in the window of four.
        source = open_stream(server.url("/film.m3u8"), SETTINGS)
        assert isinstance(source, VideoFile)
        frames, _ = frames_until(source, EndOfStream)
        source.close()
    assert len(frames) == source.info.frame_count == 4 * FRAMES
    times = np.array([frame.captured_at for frame in frames])
    assert np.diff(times) == pytest.approx(1 / FPS, abs=0.02)


def lists(text: str, segments: list[bytes]) -> Callable[[Connection], None]:
    live = Live(segments, first=len(segments))

    def handler(connection: Connection) -> None:
        if connection.request.path == "/list.m3u8":
            connection.answer(text.encode(), "text/plain")
        else:
            live(connection)

    return handler


MASTER = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9000000,RESOLUTION=1920x1080\nbig.m3u8\n"


def test_a_list_of_lists_is_followed(segments):
    text = MASTER + '#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="mp4a",AUDIO="a,b"\nsound.m3u8\n'
    with Server(lists(text, segments)) as server:
        source = open_stream(server.url("/list.m3u8"), SETTINGS)
        source.close()
        assert [request.path for request in server.requests][:2] == ["/list.m3u8", "/big.m3u8"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("#EXTM3U\n#EXT-X-TARGETDURATION:2\n", "has no segment yet"),
        ('#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXTINF:2,\n0.ts\n', "is encrypted"),
        ("#EXTM3U\nsong.mp3\n", "names no video"),
        ("#EXTM3U\n#EXTINF:x\n0.ts\n", "damaged playlist"),
        ("#EXTM3U\n#EXTINF:2,\nfile:///etc/passwd\n", "unknown kind of address"),
        ("#EXTM3U\n#EXTINF:2,\nrtsp://127.0.0.1/x\n", "leads to rtsp://127.0.0.1/x"),
        ("#EXTM3U\n#EXTINF:2,\ndata:text/plain,x\n", "unknown kind of address"),
        ("#EXTM3U\n#EXTINF:2,\n/list.m3u8\n", "no known kind of video"),
        (MASTER.replace("big.m3u8", "list.m3u8"), "has no segment"),
    ],
)
def test_a_list_that_cannot_be_read_is_one_line(segments, text, said):
    with Server(lists(text, segments)) as server, pytest.raises(SourceError, match=said) as caught:
        open_stream(server.url("/list.m3u8"), SETTINGS)
    assert "\n" not in str(caught.value)


def test_parts_of_files_and_heads(segments):
    text = (
        '#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-MAP:URI="init.mp4",BYTERANGE="100@0"\n'
        "#EXTINF:2.5,a title\n#EXT-X-BYTERANGE:50@100\na.m4s\n#EXTINF:2,\n#EXT-X-BYTERANGE:60\na.m4s\n"
        "#EXTINF:2,\n#EXT-X-GAP\nb.m4s\n#EXTINF:2,\nc.m4s\n"
    )
    first, second, third = parse_playlist(text, "x").segments
    assert (first.number, second.number, third.number) == (7, 8, 10)
    assert (first.part.first, second.part.first, second.part.length) == (100, 150, 60)
    assert first.head is not None
    assert first.head.length == 100
    assert third.part.first is None


def test_the_smallest_version_that_is_wide_enough_is_chosen():
    offered = ((1920, 5, "a"), (640, 2, "b"), (1280, 3, "c"), (0, 1, "sound"))
    assert choose_variant(offered, 640) == "b"
    assert choose_variant(offered, 800) == "c"
    assert choose_variant(offered, 4000) == "a"
    assert choose_variant(((0, 5, "a"), (0, 6, "b")), 640) == "b"
