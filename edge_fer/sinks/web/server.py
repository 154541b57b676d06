"""The HTTP server in a thread of its own, with its own event loop, and the time-outs that uvicorn leaves to others."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge_fer.background import BackgroundThread
from edge_fer.sinks.listening import open_listener
from edge_fer.sinks.web.problems import MEDIA_TYPE, problem_body
from edge_fer.sinks.web.security import HEADERS

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp

    from edge_fer.sinks.listening import Address
    from edge_fer.sinks.web.settings import WebLimits

SEND_BUFFER_BYTES = 131_072
"""What the system may hold for a client that takes nothing; little, so that pictures are new when they arrive."""
BACKLOG = 128
CHECK_SECONDS = 1.0
CLOSE_SECONDS = 0.3
"""How long open responses may take to end once the server is to stop."""


def bind(address: Address) -> socket.socket:
    """A socket that holds the address.

    Raises:
        SinkError: it is taken, not this computer's, or may not be used.
    """
    trouble = f"cannot serve the page on {address}"
    return open_listener(address, trouble, backlog=BACKLOG, send_buffer_bytes=SEND_BUFFER_BYTES)


def protocol_class(limits: WebLimits) -> type[H11Protocol]:
    """uvicorn's HTTP/1.1 with a limit to connections, and an end for clients that send or take too slowly."""

    class GuardedProtocol(H11Protocol):
        """One connection."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.waiting_since = self.loop.time()
            self.paused_since: float | None = None
            self.closing_since: float | None = None
            self.check_task = self.loop.call_later(CHECK_SECONDS, self.check)
            if len(self.connections) > limits.connections:
                self.transport.write(plain_response(503, "Service Unavailable", "too many connections"))
                self.transport.close()

        def connection_lost(self, exc: Exception | None) -> None:
            self.check_task.cancel()
            super().connection_lost(exc)

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
            self.transport.write(output)
            self.transport.close()

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
        report: Callable[[str], None],
    ) -> None:
        """Start to serve.

        Args:
            listener: a bound socket; closed at the end.
            make_app: makes the application, inside the event loop.
            beside: runs in the event loop beside the server, and is cancelled at the end.
            end: is called in the event loop when the server is to stop, so that endless responses end.
            limits: for the connections.
            report: is told in one line if the server fails.
        """
        self._listener, self._make_app, self._beside, self._end = listener, make_app, beside, end
        self._limits, self._report = limits, report
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: uvicorn.Server | None = None
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
            self._report(f"page: the server ended: {type(error).__name__}: {error}")
        finally:
            self._ready.set()
            self._listener.close()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._tell)
        config = uvicorn.Config(
            self._make_app(),
            http=protocol_class(self._limits),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=5,
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
            self._report(f"page: {type(error).__name__} in the server")
