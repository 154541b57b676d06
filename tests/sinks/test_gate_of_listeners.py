"""Every route of every listener behind the one gate; a new route that lacks it fails here."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pytest

pytest.importorskip("uvicorn", reason="needs the extra web")
pytest.importorskip("prometheus_client", reason="needs the extra metrics")

from edge_fer.sinks.gate import HEADERS
from edge_fer.sinks.health import HealthMonitor
from edge_fer.sinks.metrics import open_metrics
from edge_fer.sinks.metrics_server import ROUTES
from edge_fer.sinks.net import Address
from edge_fer.sinks.web.routes import routes
from edge_fer.sinks.web.settings import WebLimits
from edge_fer.types import SourceInfo
from tests.fakes import FakeClock
from tests.waiting import until
from tests.web.serving import SECRET, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = [("page", route.method, route.path) for route in routes()]
METRICS = [("metrics", method, path) for path in ROUTES for method in ("GET", "HEAD")]
EVERY_ROUTE = PAGE + METRICS
LINKED = {"/", "/login"}
"""What a link on another page may lead to."""
PROMETHEUS = "Prometheus/2.53.0"


class Listeners(NamedTuple):
    page: int
    metrics: int
    show: Callable[[], object]
    """Gives the page a new frame: one that is old makes /healthz answer 503."""

    def port(self, name: str) -> int:
        return self.page if name == "page" else self.metrics


@pytest.fixture(scope="module")
def listeners() -> Iterator[Listeners]:
    monitor = HealthMonitor(lambda: SourceInfo("camera 0", True, 640, 480, 30.0), FakeClock())
    metrics = open_metrics(Address("127.0.0.1", 0), monitor.snapshot)
    with serving() as served:
        served.show()
        yield Listeners(served.page.port, metrics.address.port, served.show)
    metrics.close()


def ask(port: int, method: str, path: str, *lines: str) -> tuple[int, bytes]:
    """The status and the beginning of an answer to a request with these header lines and no others."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(
            "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "Connection: close", "", ""]).encode("latin-1")
        )
        answer = b""
        while b"\r\n\r\n" not in answer and (part := client.recv(65536)):
            answer += part
    return int(answer.split(b" ")[1]), answer


def test_both_listeners_have_routes() -> None:
    assert len(PAGE) >= 15
    assert METRICS == [("metrics", "GET", "/metrics"), ("metrics", "HEAD", "/metrics")]


@pytest.mark.parametrize(("listener", "method", "path"), EVERY_ROUTE)
@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("Host: localhost", "Host: localhost"),
        ("Host: evil.example",),
        ("Host: 127.0.0.1.evil.example",),
        ("Host: 192.168.1.5",),
        ("Host: 0.0.0.0",),
        ("Host: localhost", "Origin: null"),
        ("Host: localhost", "Origin: http://evil.example"),
        ("Host: localhost", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"),
        ("Host: localhost", "Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors"),
        ("Host: localhost", "Referer: http://evil.example/"),
    ],
)
def test_no_route_answers_another_page(
    listeners: Listeners, listener: str, method: str, path: str, lines: tuple[str, ...]
) -> None:
    status, answer = ask(listeners.port(listener), method, path, *lines)
    assert status in (400, 403)
    for name in HEADERS:
        assert name.lower().encode() in answer.lower()


@pytest.mark.parametrize(("listener", "method", "path"), EVERY_ROUTE)
def test_a_link_leads_to_a_page_alone(listeners: Listeners, listener: str, method: str, path: str) -> None:
    link = ("Host: localhost", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Accept: text/html")
    status, _ = ask(listeners.port(listener), method, path, *link)
    assert (status != 403) == (path in LINKED and method == "GET")


@pytest.mark.parametrize(("listener", "method", "path"), EVERY_ROUTE)
@pytest.mark.parametrize("length", [17_000, 40_000, 60_000])
def test_no_route_takes_more_headers_than_promised(
    listeners: Listeners, listener: str, method: str, path: str, length: int
) -> None:
    assert ask(listeners.port(listener), method, path, "Host: localhost", "X: " + "a" * length)[0] == 431
    many = [f"X-{number}: {'a' * 90}" for number in range(length // 100)]
    assert ask(listeners.port(listener), method, path, "Host: localhost", *many)[0] == 431
    assert ask(listeners.port(listener), method, f"{path}?{'a' * length}", "Host: localhost")[0] == 431


@pytest.mark.parametrize("listener", ["page", "metrics"])
def test_headers_that_have_no_end_are_refused(listeners: Listeners, listener: str) -> None:
    with socket.create_connection(("127.0.0.1", listeners.port(listener)), timeout=30) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000)
        assert client.recv(65536).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(("listener", "path"), [(one, path) for one, method, path in EVERY_ROUTE if method == "GET"])
def test_head_is_answered_wherever_get_is(listeners: Listeners, listener: str, path: str) -> None:
    listeners.show()
    status, answer = ask(listeners.port(listener), "HEAD", path, "Host: localhost")
    assert status == 200
    assert answer.endswith(b"\r\n\r\n"), "without a body"


def test_prometheus_is_answered(listeners: Listeners) -> None:
    lines = (
        "Host: localhost:9309",
        f"User-Agent: {PROMETHEUS}",
        "Accept: text/plain",
        "X-Prometheus-Scrape-Timeout-Seconds: 10",
    )
    assert ask(listeners.metrics, "GET", "/metrics", *lines)[0] == 200


@pytest.mark.parametrize(
    ("address", "sent"), [("127.0.0.1", b""), ("127.0.0.2", b"GET /"), ("127.0.0.1", b"GET / HTTP/1.1\r\nX: ")]
)
def test_silent_clients_of_one_address_keep_nobody_out(listeners: Listeners, address: str, sent: bytes) -> None:
    for port, path in ((listeners.page, "/icon.svg"), (listeners.metrics, "/metrics")):
        silent = []
        for _ in range(140):
            client = socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(address, 0))
            client.sendall(sent)
            silent.append(client)
        answers = [httpx.get(f"http://127.0.0.1:{port}{path}").status_code for _ in range(5)]
        for client in silent:
            client.close()
        assert answers == [200] * 5


def test_a_flood_of_connections_keeps_nobody_out_and_takes_no_handles(listeners: Listeners) -> None:
    for port, path in ((listeners.page, "/icon.svg"), (listeners.metrics, "/metrics")):
        ended, opened = threading.Event(), list[socket.socket]()

        def flood(port: int = port, ended: threading.Event = ended, opened: list[socket.socket] = opened) -> None:
            while not ended.is_set():
                with contextlib.suppress(OSError):
                    client = socket.create_connection(("127.0.0.1", port), timeout=1)
                    opened.append(client)
                    client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-a: ")

        floods = [threading.Thread(target=flood) for _ in range(2)]
        for one in floods:
            one.start()
        most = 0
        for _ in range(10):
            assert httpx.get(f"http://127.0.0.1:{port}{path}", timeout=30).status_code == 200
            most = max(most, server_side(port))
        ended.set()
        for one in floods:
            one.join()
        for client in opened:
            client.close()
        assert most < 500


def server_side(port: int) -> int:
    """Connections to that port that the server has not closed."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    established, close_wait = "01", "08"
    return sum(row[1].endswith(f":{port:04X}") and row[3] in (established, close_wait) for row in rows)


def test_clients_that_take_no_answer_keep_nobody_out(listeners: Listeners) -> None:
    for port, path in ((listeners.page, "/app.js"), (listeners.metrics, "/metrics")):
        greedy = []
        for _ in range(120):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.settimeout(0.2)
            with contextlib.suppress(OSError):
                client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 200)
            greedy.append(client)

        def answered(port: int = port, path: str = path) -> bool:
            return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=30).status_code == 200

        until(answered, "who takes an answer gets it")
        for client in greedy:
            client.close()


def test_slow_uploads_keep_no_photo_out() -> None:
    head = b"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: 10000\r\n\r\n"
    with serving(WebLimits(photos_per_minute=100_000, photos_at_once=100_000)) as served:
        slow = [served.connect() for _ in range(5)]
        for client in slow:
            client.sendall(head + b"\xff")

        def taken() -> bool:
            answer = httpx.post(
                f"{served.base}/api/predict", headers={"Content-Type": "image/png"}, content=b"no photo"
            )
            return answer.status_code == 415

        until(taken, "a photo is looked at while slow ones arrive")
        for client in slow:
            client.close()


def test_slow_bodies_of_the_form_keep_nobody_out() -> None:
    head = (
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 100\r\n\r\n"
    )
    with serving(secret=SECRET) as served:
        slow = [served.connect() for _ in range(200)]
        for client in slow:
            client.sendall(head)
        assert httpx.get(f"{served.base}/icon.svg").status_code == 200
        for client in slow:
            client.close()
