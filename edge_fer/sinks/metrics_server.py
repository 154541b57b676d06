"""A small HTTP server for one text: little time and memory for each client, so that none can hold up the others."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import threading
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from edge_fer.background import BackgroundThread
from edge_fer.sinks.gate import HEADERS, Full, GateRules, Place, Refused, Shares, check, client_key
from edge_fer.sinks.net import BACKLOG, Address
from edge_fer.sinks.outages import Seldom

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

log = logging.getLogger("edge_fer.metrics")

MOST_CLIENTS = 64
"""At once; the one that has waited longest makes room for one more."""
CLIENT_SECONDS = 5.0
"""A client that has not asked and taken the answer by then is cut off."""
LINGER_SECONDS = 1.0
"""How long what a client still sends is read after an answer, so that the answer gets through."""
CLOSE_SECONDS = 1.0
PLAIN = "text/plain; charset=utf-8"

REQUEST_LINE = re.compile(rb"([A-Za-z]{1,20}) (/[!-~]*|\*) HTTP/1\.[01]")
HEADER_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*")

ROUTES = ("/metrics",)
"""All paths that are answered, each by GET and HEAD."""


class MetricsServer:
    """Answers `GET /metrics` in a thread of its own until it is closed."""

    def __init__(
        self,
        listener: socket.socket,
        render: Callable[[str], tuple[bytes, str]],
        rules: GateRules,
        *,
        client_seconds: float = CLIENT_SECONDS,
    ) -> None:
        """Begin to answer.

        Args:
            listener: a socket that listens; closed at the end.
            render: makes the text and its content type from the request's Accept header; called in the server's thread.
            rules: what requests must be like.
            client_seconds: how long a client may take.
        """
        host, port = listener.getsockname()[:2]
        self.address = Address(host, port)
        self._listener, self._render, self._rules = listener, render, rules
        self._client_seconds = client_seconds
        self._shares = Shares(MOST_CLIENTS)
        self._faults = Seldom(log, time.monotonic)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread = BackgroundThread(self._work, "metrics")
        self._thread.start()
        self._ready.wait(CLOSE_SECONDS)

    @property
    def clients(self) -> int:
        """Connections that are held now."""
        return self._shares.taken

    def close(self) -> None:
        """Stop to answer; may be called more than once."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            if self._loop is not None and self._ended is not None:
                self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(CLOSE_SECONDS)

    def _work(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._ready.set()
            self._listener.close()

    async def _serve(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        # Clients that vanish are no fault, and one that breaks the server's own code ends its connection alone.
        self._loop.set_exception_handler(lambda loop, context: None)
        server = await asyncio.start_server(
            self._client, sock=self._listener, limit=self._rules.header_bytes, backlog=BACKLOG
        )
        self._ready.set()
        try:
            await self._ended.wait()
        finally:
            # What is still answered is cancelled at the end of the loop, which cuts off its client.
            server.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        transport = writer.transport
        # `drain` is to return when the system has taken all.
        transport.set_write_buffer_limits(0)
        # An answer is made in one go, so that it is always the client who has something to do: to ask, or to take it.
        place = Place(client_key((writer.get_extra_info("peername") or ("",))[0]), lambda: True, end=transport.abort)
        try:
            async with asyncio.timeout(self._client_seconds):
                try:
                    self._shares.enter(place)
                    head = await reader.readuntil(b"\r\n\r\n")
                    status, body, content_type, method = self._answer(head)
                except Full:
                    status, body, content_type, method = 503, b"Too many clients\n", PLAIN, ""
                except asyncio.LimitOverrunError:
                    status, body, content_type, method = 431, b"The request's headers are too long\n", PLAIN, ""
                writer.write(as_response(status, body, content_type, send_body=method != "HEAD"))
                await writer.drain()
                writer.write_eof()
                async with asyncio.timeout(LINGER_SECONDS):
                    while await reader.read(self._rules.header_bytes):
                        pass
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass
        finally:
            self._shares.leave(place)
            transport.abort()

    def _answer(self, head: bytes) -> tuple[int, bytes, str, str]:
        try:
            method, target, headers = parse_head(head)
        except ValueError:
            return 400, b"This is no HTTP request\n", PLAIN, ""
        path = target.split("?", 1)[0]
        try:
            check(method, path, len(target), headers, self._rules)
        except Refused as refused:
            return refused.status, f"{refused.detail}\n".encode(), PLAIN, method
        if path not in ROUTES:
            return 404, f"The metrics are at {ROUTES[0]}\n".encode(), PLAIN, method
        if method not in ("GET", "HEAD"):
            return 405, b"Ask with GET or HEAD\n", PLAIN, method
        accept = ", ".join(value.decode("latin-1") for name, value in headers if name == b"accept")
        try:
            body, content_type = self._render(accept)
        except Exception as error:  # the run is worth more than its metrics
            self._faults.failed(f"metrics: they cannot be made: {type(error).__name__}: {error}")
            return 500, b"The metrics cannot be made\n", PLAIN, method
        return 200, body, content_type, method


def parse_head(head: bytes) -> tuple[str, str, list[tuple[bytes, bytes]]]:
    """Method, target and headers of a request; names of headers in lower case.

    Raises:
        ValueError: this is no HTTP/1 request.
    """
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    request = REQUEST_LINE.fullmatch(first)
    found = [HEADER_LINE.fullmatch(line) for line in lines]
    if request is None:
        raise ValueError("no request line")
    headers = []
    for match in found:
        if match is None:
            raise ValueError("no header")
        headers.append((match[1].lower(), match[2]))
    return request[1].decode("ascii"), request[2].decode("ascii"), headers


def as_response(status: int, body: bytes, content_type: str, *, send_body: bool) -> bytes:
    """A whole response; the connection ends after it."""
    headers = {
        **HEADERS,
        "Content-Type": content_type,
        "Content-Length": str(len(body)),
        **({"Allow": "GET, HEAD"} if status == 405 else {}),
        "Connection": "close",
    }
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + (body if send_body else b"")
