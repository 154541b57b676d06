"""What a video may make FFmpeg open: nothing but itself, whatever it is a disguise of."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import cv2
import pytest

from edge_fer.camera import _ffmpeg
from edge_fer.camera.settings import CameraSettings
from edge_fer.camera.streams import open_stream
from edge_fer.camera.videos import open_video
from edge_fer.errors import SourceError
from tests.programs import run_python
from tests.stream_servers import LONG, Connection, Server

if TYPE_CHECKING:
    from pathlib import Path

MATROSKA = b"\x1aE\xdf\xa3"
SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video {port} RTP/AVP 33\r\n"
PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{url}\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile {url}\n"
DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S">'
    "<Period><AdaptationSet><Representation id='1' mimeType='video/mp4'><BaseURL>{url}</BaseURL>"
    "</Representation></AdaptationSet></Period></MPD>"
)


class Listener:
    """Notes whether anybody comes."""

    def __enter__(self) -> Listener:
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        self.tcp.settimeout(0.2)
        return self

    def __exit__(self, *_: object) -> None:
        self.tcp.close()

    @property
    def visited(self) -> bool:
        try:
            self.tcp.accept()[0].close()
        except TimeoutError:
            return False
        return True


DISGUISES = {
    "SDP behind a Matroska beginning": MATROSKA + b"\n" + SDP.encode(),
    "SDP": SDP.encode(),
    "SDP with a byte in front": b"\x00\x00\x01\xb3\r\n" + SDP.encode(),
    "playlist": PLAYLIST.encode(),
    "playlist behind a Matroska beginning": MATROSKA + b"\n" + PLAYLIST.encode(),
    "playlist with a zero behind": PLAYLIST.encode() + bytes(8),
    "concat script": CONCAT.encode(),
    "concat script behind a beginning": b"\x00\x00\x00\x01" + CONCAT.encode(),
    "DASH": DASH.encode(),
}


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".sdp", ".m3u8", ".ffconcat", ".mpd", ""])
@pytest.mark.parametrize("disguise", DISGUISES)
def test_scripts_behind_the_beginning_of_a_video_open_nothing(tmp_path: Path, disguise: str, suffix: str) -> None:
    with Listener() as listener:
        url = f"http://127.0.0.1:{listener.port}/x.ts"
        text = DISGUISES[disguise].replace(b"{port}", str(listener.port).encode()).replace(b"{url}", url.encode())
        path = tmp_path / f"film{suffix}"
        path.write_bytes(text)
        with pytest.raises(SourceError):
            open_video(path)
        # Past the look at its first bytes, too.
        assert not _ffmpeg.open_capture(str(path)).isOpened()
        assert not listener.visited


@pytest.mark.parametrize(
    "name",
    [
        "http://127.0.0.1:{port}/x.mp4",
        "concat:{film}",
        "subfile,,start,0,end,0,,:{film}",
        "cache:{film}",
        "crypto:{film}",
        "data:video/mp4;base64,AAAA",
        "pipe:0",
        "hls+http://127.0.0.1:{port}/x",
        "tcp://127.0.0.1:{port}",
        "gopher://127.0.0.1:{port}/x",
    ],
)
def test_other_protocols_are_refused(name: str, tmp_path: Path) -> None:
    film = tmp_path / "film.ts"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"mpg2"), 25.0, (64, 48))
    writer.release()
    with Listener() as listener:
        assert not _ffmpeg.open_capture(name.format(port=listener.port, film=film)).isOpened()
        assert not listener.visited


def test_options_of_the_user_stay_but_for_the_lists() -> None:
    made = _ffmpeg.options("rtsp_transport;udp|protocol_whitelist;file,http|timeout;5")
    assert made.startswith("rtsp_transport;udp|timeout;5|")
    assert made.count("protocol_whitelist") == 1
    assert "http" not in made
    assert _ffmpeg.options(made) == made
    assert "prefer_tcp" in _ffmpeg.options(None)
    assert _ffmpeg.options(None).endswith("protocol_whitelist;file")
    assert "file" not in _ffmpeg.options(None, stream=True)


def test_the_environment_of_a_library_s_user_is_left_as_it_was(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from edge_fer.camera.opening import open_source\n"
        "try:\n"
        "    open_source(sys.argv[1])\n"
        "except Exception as error:\n"
        "    print(type(error).__name__)\n"
        "print(os.environ.get('OPENCV_FFMPEG_CAPTURE_OPTIONS'))\n"
    )
    film = tmp_path / "film.mkv"
    film.write_bytes(MATROSKA + bytes(1000))
    plain = {name: value for name, value in os.environ.items() if name != _ffmpeg.VARIABLE}
    assert run_python(code, film, env=plain, check=True).stdout.split() == ["SourceError", "None"]


@pytest.mark.parametrize("kind", [PLAYLIST, SDP, CONCAT, DASH])
def test_what_a_server_sends_opens_nothing_of_another_kind(kind: str) -> None:
    with Listener() as listener:
        lead = kind.replace("{url}", f"tcp://127.0.0.1:{listener.port}/").replace("{port}", str(listener.port))

        def handler(connection: Connection) -> None:
            connection.answer(lead.encode(), "video/mp4")

        with Server(handler) as server, pytest.raises(SourceError):
            open_stream(server.url("/film.mp4"), CameraSettings(open_timeout_seconds=LONG))
        assert not listener.visited
