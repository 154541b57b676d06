"""The HTTP server in a thread of its own, with its own event loop, and the time-outs that uvicorn leaves to others."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge_fer.background import BackgroundThread
from edge_fer.sinks.gate import HEADERS, Full, Place, Shares, client_key, is_proxy
from edge_fer.sinks.net import open_listener
from edge_fer.sinks.outages import Seldom
from edge_fer.sinks.web.problems import MEDIA_TYPE, problem_body

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.types import ASGIApp

    from edge_fer.sinks.gate import Network
    from edge_fer.sinks.net import Address
    from edge_fer.sinks.web.settings import WebLimits

log = logging.getLogger("edge_fer.web")

SEND_BUFFER_BYTES = 131_072
"""What the system may hold for a client that takes nothing; little, so that pictures are new when they arrive."""
BACKLOG = 32
"""Connections that the system holds until they are taken, and that are taken in one go: few, so that a flood of them
waits, or is turned away, in the system and not as open handles of this process."""
CHECK_SECONDS = 1.0
PATIENCE_SECONDS = 2.0
"""How long a client that takes nothing keeps its place where others wait for one."""
CLOSE_SECONDS = 0.3
"""How long open responses may take to end once the server is to stop."""


def bind(address: Address) -> socket.socket:
    """A socket that holds the address.

    Raises:
        SinkError: it is taken, not this computer's, or may not be used.
    """
    trouble = f"cannot serve the page on {address}"
    return open_listener(address, trouble, backlog=BACKLOG, send_buffer_bytes=SEND_BUFFER_BYTES)


def protocol_class(limits: WebLimits, proxies: Sequence[Network] = ()) -> type[H11Protocol]:
    """uvicorn's HTTP/1.1 with shares of the connections, and an end for clients that send or take too slowly."""
    shares = Shares(limits.connections)

    class GuardedProtocol(H11Protocol):
        """One connection."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.waiting_since = self.loop.time()
            self.paused_since: float | None = None
            self.closing_since: float | None = None
            self.refused = False
            self.check_task = self.loop.call_later(CHECK_SECONDS, self.check)
            peer = self.client[0] if self.client else None
            self.place = Place(client_key(peer), self.waits_for_client, end=transport.abort)
            try:
                shares.enter(self.place, whole=is_proxy(peer, proxies))
            except Full:
                self.refused = True
                self.transport.write(plain_response(503, "Service Unavailable", "too many connections"))
                self.transport.close()

        def connection_lost(self, exc: Exception | None) -> None:
            self.check_task.cancel()
            shares.leave(self.place)
            super().connection_lost(exc)

        def waits_for_client(self) -> bool:
            """Whether it is for the client to do something: to send a whole request, or to take an answer."""
            if self.paused_since is not None and self.loop.time() - self.paused_since > PATIENCE_SECONDS:
                return True
            return self.refused or self.cycle is None or self.cycle.response_complete or self.cycle.more_body

        def data_received(self, data: bytes) -> None:
            # What follows a refusal is read, so that the refusal gets through, and thrown away.
            if not self.refused:
                super().data_received(data)

        def eof_received(self) -> None:
            if self.refused:
                self.transport.close()

        def pause_writing(self) -> None:
            self.paused_since = self.loop.time()
            super().pause_writing()

        def resume_writing(self) -> None:
            self.paused_since = None
            super().resume_writing()

        def on_response_complete(self) -> None:
            self.waiting_since = self.loop.time()
            super().on_response_complete()

        def send_400_response(self, msg: str) -> None:
            # What could not be read is either no HTTP or too long.
            if len(self.conn.trailing_data[0]) > limits.header_bytes:
                output = plain_response(431, "Request Header Fields Too Large", "the request's headers are too long")
            else:
                output = plain_response(400, "Bad Request", "this is no HTTP request")
            self.refused = True
            self.closing_since = self.loop.time()
            self.transport.write(output)
            if self.transport.can_write_eof():
                self.transport.write_eof()

        def check(self) -> None:
            """Cut off a client that is too slow: with its headers, with taking what it asked for, or with its end."""
            now = self.loop.time()
            if self.transport.is_closing() and self.closing_since is None:
                self.closing_since = now
            waits_for_request = self.cycle is None or self.cycle.response_complete
            too_slow = (
                (waits_for_request and now - self.waiting_since > limits.header_seconds)
                or (self.paused_since is not None and now - self.paused_since > limits.stalled_seconds)
                or (self.closing_since is not None and now - self.closing_since > CLOSE_SECONDS)
            )
            if too_slow:
                self.transport.abort()
            else:
                self.check_task = self.loop.call_later(CHECK_SECONDS, self.check)

    return GuardedProtocol


def plain_response(status: int, phrase: str, detail: str) -> bytes:
    """A whole refusal as bytes, for connections that never reach the application."""
    body = problem_body(status, detail)
    headers = {**HEADERS, "Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), "Connection": "close"}
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("ascii") + body


class ServerThread:
    """Runs an application until it is closed."""

    def __init__(
        self,
        listener: socket.socket,
        make_app: Callable[[], ASGIApp],
        beside: Callable[[], Awaitable[None]],
        end: Callable[[], None],
        limits: WebLimits,
        proxies: Sequence[Network] = (),
    ) -> None:
        """Start to serve.

        Args:
            listener: a bound socket; closed at the end.
            make_app: makes the application, inside the event loop.
            beside: runs in the event loop beside the server, and is cancelled at the end.
            end: is called in the event loop when the server is to stop, so that endless responses end.
            limits: for the connections.
            proxies: that speak for many clients.
        """
        self._listener, self._make_app, self._beside, self._end = listener, make_app, beside, end
        self._limits, self._proxies = limits, proxies
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: uvicorn.Server | None = None
        self._faults = Seldom(log, time.monotonic)
        self._ready = threading.Event()
        self._thread = BackgroundThread(self._work, "web-server")
        self._thread.start()
        self._ready.wait(5)

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in the event loop, soon; nothing happens after the end."""
        with contextlib.suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(function, *arguments)

    def close(self, timeout_seconds: float = 0.9) -> None:
        """Stop to serve and end all responses; may be called more than once."""
        self.call(self._stop)
        self._thread.join(timeout_seconds)

    @property
    def running(self) -> bool:
        """Whether the thread lives."""
        return self._thread.is_alive()

    def _work(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # the run is worth more than its page
            log.error("page: the server ended: %s: %s", type(error).__name__, error)
        finally:
            self._ready.set()
            self._listener.close()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._tell)
        config = uvicorn.Config(
            self._make_app(),
            http=protocol_class(self._limits, self._proxies),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=5,
            backlog=BACKLOG,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=self._limits.header_bytes,
        )
        self._server = uvicorn.Server(config)
        beside = asyncio.ensure_future(self._beside())
        self._ready.set()
        try:
            await self._server.serve(sockets=[self._listener])
        finally:
            beside.cancel()

    def _stop(self) -> None:
        if self._server is None or self._loop is None or self._server.should_exit:
            return
        self._end()
        self._server.should_exit = True
        self._loop.call_later(CLOSE_SECONDS, self._abort)

    def _abort(self) -> None:
        if self._server is not None:
            for connection in list(self._server.server_state.connections):
                if connection.transport is not None:
                    connection.transport.abort()

    def _tell(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        # Clients that vanish are no fault.
        if error is not None and not isinstance(error, OSError):
            self._faults.failed(f"page: {type(error).__name__} in the server")
