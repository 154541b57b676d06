"""Events and a receiver of webhooks that behaves as told, for tests."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from edge_fer.events.event import Event
from edge_fer.types import Box
from tests.fakes import observation, scored_face

if TYPE_CHECKING:
    from pathlib import Path

Behaviour: TypeAlias = Literal["takes", "hangs", "drips", "redirects", "breaks off"] | int


def event(number: int = 1, name: str = "smile", *, blind: bool = False, emotion: str = "happy") -> Event:
    """The event of a face with that number as its id."""
    face = scored_face(Box(1, 2, 30, 40), emotion, 0.9, number)
    seen = replace(observation(face, seq=number), position=1.5)
    return Event(f"run-{number}", name, f"{name}: {emotion} > 0.8", 2.0, seen, face, blind)


class Receiver:
    """An HTTP server on a port of this computer that keeps what it has taken."""

    def __init__(self, behaviour: Behaviour = "takes", *, port: int = 0, certificate: Path | None = None) -> None:
        self.behaviour = behaviour
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.asked = 0
        self._ended = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked += 1
                outer.answer(self, body)

            def log_message(self, *_: Any) -> None:
                """Print nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_: Any) -> None:
                """A client that gives up is no fault of the test."""

        self._server = Server(("127.0.0.1", port), Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=very-secret"

    @property
    def ids(self) -> list[str]:
        return [json.loads(body)["id"] for _, body in self.requests]

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        behaviour = self.behaviour
        if behaviour == "hangs":
            self._ended.wait(30)
        elif behaviour == "drips":
            for char in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10_000:
                if self._ended.wait(0.05):
                    return
                handler.wfile.write(bytes([char]))
        elif behaviour == "breaks off":
            handler.connection.shutdown(socket.SHUT_RDWR)
        elif behaviour == "redirects":
            handler.send_response(307)
            handler.send_header("Location", f"http://127.0.0.1:{self.port}/elsewhere")
            handler.end_headers()
        else:
            if behaviour == "takes":
                self.requests.append((dict(handler.headers.items()), body))
            handler.send_response(204 if behaviour == "takes" else int(behaviour))
            handler.end_headers()

    def stop(self) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()


def wait_a_little() -> None:
    """Give what should not happen a time to happen."""
    time.sleep(0.3)
