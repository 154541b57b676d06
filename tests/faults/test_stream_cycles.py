"""Streams opened and closed many times: nothing is left over."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge_fer.camera.settings import CameraSettings
from edge_fer.camera.streams import open_stream
from tests.stream_servers import LONG, Connection, Server, rtsp_camera
from tests.unit.camera.test_hls import Live
from tests.unit.camera.test_http_pictures import Snapshot, stream
from tests.unit.camera.test_stream_failures import make_transport_stream
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS = CameraSettings(open_timeout_seconds=LONG, snapshot_fps=50.0)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_transport_stream(tmp_path_factory.mktemp("film"))


def server_of(kind: str, film: bytes) -> tuple[Callable[[Connection], None], str]:
    def endless(connection: Connection) -> None:
        connection.head()
        connection.send(film)
        connection.hold()

    return {
        "pictures": (stream(), "http"),
        "snapshots": (Snapshot(), "http"),
        "playlist": (Live([film] * 8, ends=False), "http"),
        "transport stream": (endless, "http"),
        "rtsp": (rtsp_camera(film), "rtsp"),
    }[kind]


@pytest.mark.parametrize("kind", ["pictures", "snapshots", "playlist", "transport stream", "rtsp"])
def test_no_thread_and_no_handle_is_left(kind: str, film: bytes) -> None:
    handler, scheme = server_of(kind, film)
    path = "/live.m3u8" if kind == "playlist" else "/live"

    def cycle() -> None:
        source = open_stream(server.url(path, scheme), SETTINGS)
        source.read(LONG)
        source.close()
        until(lambda: source.released, "the reader has ended")
        # The server's own threads and sockets end a moment later.
        until(lambda: all(not thread.is_alive() for thread in server.threads[1:]), "the server is done")

    def left() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    with Server(handler) as server:
        cycle()
        first = left()
        for _ in range(8):
            cycle()
        until(lambda: left() <= first, f"as after the first time: {first}")
