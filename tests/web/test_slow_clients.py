"""Clients that send too slowly, too much, or take nothing: each is let go, and nobody else notices."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import pytest

pytest.importorskip("uvicorn", reason="needs the extra web")

from edge_fer.errors import SinkError
from edge_fer.sinks.net import Address
from edge_fer.sinks.web.server import bind
from edge_fer.sinks.web.settings import WebLimits
from tests.fakes import picture
from tests.waiting import until
from tests.web.serving import PATIENCE_SECONDS, serving

if TYPE_CHECKING:
    import socket

    from tests.web.serving import Served

IMPATIENT = WebLimits(header_seconds=0.5, stalled_seconds=0.5, heartbeat_seconds=0.2)
LARGE = picture(960, 720)


def rest(client: socket.socket) -> bytes:
    """All that comes until the server closes; fails where it does not."""
    parts = []
    try:
        while part := client.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "])
def test_headers_that_never_end_are_cut_off(sent: bytes) -> None:
    with serving(IMPATIENT) as served, served.connect() as client:
        client.sendall(sent)
        assert rest(client) == b""


def test_headers_that_trickle_in_are_cut_off() -> None:
    def trickle() -> None:
        for _ in range(1000):
            client.sendall(b"X")
            time.sleep(0.02)

    with (
        serving(IMPATIENT) as served,
        served.connect() as client,
        pytest.raises((BrokenPipeError, ConnectionResetError)),
    ):
        trickle()


def test_a_slow_client_holds_up_nobody() -> None:
    with serving(IMPATIENT) as served:
        slow = [served.connect() for _ in range(20)]
        for client in slow:
            client.sendall(b"GET / HTTP/1.1\r\n")
        assert httpx.get(served.base).status_code == 200
        for client in slow:
            client.close()


def test_the_second_request_of_a_connection_has_the_same_time() -> None:
    with serving(IMPATIENT) as served, served.connect() as client:
        client.sendall(b"GET /icon.svg HTTP/1.1\r\nHost: localhost\r\n\r\nGET /icon")
        answer = rest(client)
    assert answer.count(b"HTTP/1.1 200 ") == 1


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 40_000, b"GET /" + b"a" * 40_000]
)
def test_headers_that_are_too_long_are_refused(served: Served, sent: bytes) -> None:
    with served.connect() as client:
        client.sendall(sent)
        answer = rest(client)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"Content-Security-Policy" in answer


@pytest.mark.parametrize(
    "sent", [b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 9 + b"\0"]
)
def test_what_is_no_http_is_refused(served: Served, sent: bytes) -> None:
    with served.connect() as client:
        client.sendall(sent + b"\r\n\r\n")
        answer = rest(client)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert served.reports == []


@pytest.mark.parametrize("path", ["/stream.mjpg", "/api/events"])
def test_a_client_that_takes_nothing_is_let_go(path: str) -> None:
    with serving(IMPATIENT) as served, served.connect() as client:
        served.show(LARGE)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        taken = "viewers" if path == "/stream.mjpg" else "listeners"
        until(lambda: getattr(served.page, taken) == 1, "the client")
        if path == "/api/events":
            # Events are small: some thousand fit into the system's buffers.
            client.shutdown(1)

        def left() -> bool:
            served.show(LARGE)
            return bool(getattr(served.page, taken) == 0)

        until(left, "the end of the client")


def test_frames_are_taken_at_once_while_a_client_reads_nothing() -> None:
    with serving() as served, served.connect() as client:
        client.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: served.page.viewers, "the client")
        longest = 0.0
        for _ in range(200):
            began_at = time.monotonic()
            served.show(LARGE)
            longest = max(longest, time.monotonic() - began_at)
        assert longest < PATIENCE_SECONDS / 10, "handing over a frame must never wait for a client"


def test_nothing_is_encoded_while_nobody_looks(served: Served) -> None:
    for _ in range(50):
        served.show()
    assert httpx.get(f"{served.base}/api/state").status_code == 200
    assert served.page.encoded == 0
    with httpx.stream("GET", f"{served.base}/stream.mjpg") as stream:
        assert b"\xff\xd8\xff" in next(stream.iter_bytes(1000))
    until(lambda: served.page.viewers == 0, "the end of the client")
    encoded = served.page.encoded
    assert encoded >= 1
    for _ in range(50):
        served.show()
    # One that was begun may still end.
    assert served.page.encoded <= encoded + 1


def test_many_lookers_share_one_encoding() -> None:
    with serving() as served:
        clients = [served.connect() for _ in range(10)]
        for client in clients:
            client.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: served.page.viewers == 10, "all clients")
        before = served.page.encoded
        served.show()
        for client in clients:
            got = b""
            while b"\xff\xd9\r\n--edge-fer-frame" not in got:
                got += client.recv(65536)
            client.close()
        assert served.page.encoded - before == 1


def test_the_number_of_lookers_is_limited() -> None:
    with serving(WebLimits(streams=1, listeners=1)) as served:
        served.show()
        for path in ("/stream.mjpg", "/api/events"):
            with httpx.stream("GET", served.base + path) as first:
                parts = first.iter_bytes()
                next(parts)
                second = httpx.get(served.base + path)
            assert (second.status_code, second.headers["retry-after"]) == (503, "10")
        until(lambda: served.page.viewers == 0 and served.page.listeners == 0, "free places")
        with httpx.stream("GET", f"{served.base}/stream.mjpg") as third:
            assert third.status_code == 200


def test_the_number_of_connections_is_limited() -> None:
    with serving(WebLimits(connections=4)) as served:
        held = [served.connect() for _ in range(3)]
        for client in held:
            client.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: served.page.viewers == 3, "the clients that take their share")
        with served.connect() as client:
            assert rest(client).startswith(b"HTTP/1.1 503 ")
        for client in held:
            client.close()
        until(lambda: httpx.get(f"{served.base}/icon.svg").status_code == 200, "a free place")


def test_a_quiet_event_stream_says_that_it_is_there() -> None:
    with (
        serving(WebLimits(state_seconds=60.0, heartbeat_seconds=0.1)) as served,
        httpx.stream("GET", f"{served.base}/api/events") as stream,
    ):
        assert any(line == ": still here" for line in stream.iter_lines())


def test_events_tell_the_newest_state(served: Served) -> None:
    with httpx.stream("GET", f"{served.base}/api/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        served.show(emotion="fear")
        assert any(line.startswith("data: ") and '"emotion":"fear"' in line for line in stream.iter_lines())


def test_the_end_of_the_run_ends_every_response() -> None:
    with serving() as served:
        served.show()
        clients = [served.connect() for _ in range(4)]
        for client, path in zip(clients, (b"/stream.mjpg", b"/api/events", b"/", b"/api/predict"), strict=True):
            client.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: served.page.viewers == 1 and served.page.listeners == 1, "the clients")
        served.page.close()
        for client in clients:
            rest(client)
            client.close()
        served.page.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(served.base)


def test_an_address_that_is_taken_is_told_with_the_way_out(served: Served) -> None:
    with pytest.raises(SinkError, match="give another port"):
        bind(Address("127.0.0.1", served.page.port))


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_computer_is_refused(host: str) -> None:
    with pytest.raises(SinkError, match="give an address of this computer"):
        bind(Address(host, 0))
