"""A small HTTP server for one text: few clients, each with little time, so that none can hold up the others."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from edge_fer.sinks.listening import Address

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_CLIENTS = 8
"""At once; one more is turned away."""
CLIENT_SECONDS = 5.0
"""A client that has not asked and taken the answer by then is cut off."""
CHECK_SECONDS = 0.25


class MetricsServer:
    """Answers `GET /metrics` in threads of its own until it is closed."""

    def __init__(
        self,
        listener: socket.socket,
        render: Callable[[str], tuple[bytes, str]],
        *,
        client_seconds: float = CLIENT_SECONDS,
    ) -> None:
        """Begin to answer.

        Args:
            listener: a socket that listens; closed at the end.
            render: makes the text and its content type from the request's Accept header; called in several threads.
            client_seconds: how long a client may take.
        """
        host, port = listener.getsockname()[:2]
        self.address = Address(host, port)
        self._server = _Server(listener, render, client_seconds)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(CHECK_SECONDS,), name="metrics", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop to answer; may be called more than once."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.end()


class _Server(ThreadingHTTPServer):
    """Holds each connection to its time."""

    daemon_threads = True
    block_on_close = False

    def __init__(
        self, listener: socket.socket, render: Callable[[str], tuple[bytes, str]], client_seconds: float
    ) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.render = render
        self._client_seconds = client_seconds
        self._ends: dict[socket.socket, float] = {}
        self._lock = threading.Lock()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        with self._lock:
            if len(self._ends) >= MOST_CLIENTS:
                return False
            self._ends[request] = time.monotonic() + self._client_seconds
        return True

    def service_actions(self) -> None:
        now = time.monotonic()
        with self._lock:
            late = [request for request, end in self._ends.items() if now >= end]
        for request in late:
            _cut(request)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._ends.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that vanishes is no fault, and nobody else asks."""

    def end(self) -> None:
        """Close the listener and cut off all clients."""
        self.server_close()
        with self._lock:
            requests = list(self._ends)
        for request in requests:
            _cut(request)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "edge-fer", ""
    # For each wait alone; the server ends the whole.
    timeout = CLIENT_SECONDS

    def do_GET(self) -> None:
        """The metrics, or a hint where they are."""
        if self.path.split("?", 1)[0] == "/metrics":
            body, content_type = self.server.render(self.headers.get("Accept", ""))
            self._answer(200, body, content_type)
        else:
            self._answer(404, b"The metrics are at /metrics\n", "text/plain; charset=utf-8")

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are no news."""


def _cut(request: socket.socket) -> None:
    with contextlib.suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)
