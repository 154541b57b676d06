"""The page as a sink: what the loop gives it, joined with the server that shows it."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING, Any

from edge_fer.sinks.jsonl import compact_json
from edge_fer.sinks.listening import Address
from edge_fer.sinks.web.app import make_app
from edge_fer.sinks.web.drawing import annotated_jpeg
from edge_fer.sinks.web.frames import PictureFeed
from edge_fer.sinks.web.limits import Places, RateLimiter
from edge_fer.sinks.web.newest import Newest
from edge_fer.sinks.web.predict import PhotoDesk
from edge_fer.sinks.web.routes import Parts
from edge_fer.sinks.web.security import own_names
from edge_fer.sinks.web.server import ServerThread, bind
from edge_fer.sinks.web.state import RunState
from edge_fer.sinks.web.streams import picture_part
from edge_fer.sinks.web.token import load_token, state_directory

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from edge_fer.protocols import Clock
    from edge_fer.sinks.health import Health
    from edge_fer.sinks.web.settings import WebSettings
    from edge_fer.sinks.web.token import Token
    from edge_fer.types import View

EVERY_ADDRESS = ("0.0.0.0", "::")
REPORTS = 8
"""Different faults that are told in a run."""


class PageSink:
    """Takes the newest frame and hands it to whoever looks; the loop never waits for it."""

    def __init__(
        self,
        settings: WebSettings,
        listener: socket.socket,
        token: Token | None,
        health: Callable[[], Health],
        open_reader: Callable[[], Callable[[bytes], View]],
        clock: Clock,
        *,
        top: int = 1,
        report: Callable[[str], None] = lambda message: None,
    ) -> None:
        """Start to serve.

        Args:
            settings: limits and names.
            listener: a bound socket; closed at the end.
            token: asked of everybody; None where only this computer can come.
            health: asks how the run fares.
            open_reader: loads what looks at photos; see `PhotoDesk`.
            clock: for rates and ages.
            top: emotions written at each face of the live picture.
            report: is told of faults in one line.
        """
        limits = settings.limits
        report = _once(report)
        self._settings, self._token, self._clock, self._report = settings, token, clock, report
        self._open_reader = open_reader
        self._state = RunState(clock, lambda: health().as_record())
        self._pictures: Newest[bytes] = Newest()
        self._states: Newest[str] = Newest()
        self._feed = PictureFeed(
            lambda view: annotated_jpeg(view, limits.picture_px, top=top),
            self._publish,
            clock,
            fps=limits.picture_fps,
            report=report,
        )
        self._viewers = Places(limits.streams, self._viewers_changed)
        self._listeners = Places(limits.listeners, self._listeners_changed)
        self.port: int = listener.getsockname()[1]
        self._server = ServerThread(listener, self._make_app, self._keep_telling, self._end, limits, report)

    @property
    def encoded(self) -> int:
        """Live pictures made so far; none while nobody looks."""
        return self._feed.encoded

    @property
    def viewers(self) -> int:
        """Clients that get the live picture now."""
        return self._viewers.taken

    @property
    def listeners(self) -> int:
        """Clients that get the events now."""
        return self._listeners.taken

    def write_view(self, view: View) -> None:
        """Keep the frame as the newest, and count what is seen in it."""
        self._state.note(view.observation)
        self._feed.put(view)

    def close(self) -> None:
        """Stop to serve; may be called more than once."""
        self._server.close()
        self._feed.close()

    def _make_app(self) -> ASGIApp:
        limits, address = self._settings.limits, self._settings.address
        parts = Parts(
            limits=limits,
            token=self._token,
            state=self._record,
            pictures=self._pictures,
            states=self._states,
            viewers=self._viewers,
            listeners=self._listeners,
            photos=PhotoDesk(self._open_reader, limits.photos_waiting),
            photo_rate=RateLimiter(limits.photos_per_minute, limits.photos_at_once, self._clock.monotonic),
            login_rate=RateLimiter(limits.logins_per_minute, limits.logins_per_minute, self._clock.monotonic),
        )
        return make_app(parts, own_names(address.host, self._settings.names), address.is_loopback, self._report)

    def _record(self, timeline: bool) -> dict[str, Any]:
        return self._state.record(timeline=timeline) | {"sign_in": self._token is not None}

    def _publish(self, jpeg: bytes) -> None:
        self._server.call(self._pictures.publish, picture_part(jpeg))

    def _viewers_changed(self, viewers: int) -> None:
        if viewers == 0:
            # Whoever comes next is to see what is there then.
            self._pictures.forget()
        self._feed.viewers_changed(viewers)

    def _listeners_changed(self, listeners: int) -> None:
        if listeners == 0:
            self._states.forget()

    async def _keep_telling(self) -> None:
        while not self._states.ended:
            if self._listeners.taken:
                try:
                    self._states.publish(compact_json(self._record(False)))
                except Exception as error:  # one bad number must not end the events
                    self._report(f"page: the state cannot be told: {type(error).__name__}: {error}")
            await asyncio.sleep(self._settings.limits.state_seconds)

    def _end(self) -> None:
        self._pictures.end()
        self._states.end()


def _once(report: Callable[[str], None]) -> Callable[[str], None]:
    """Tell each message once, and no more than a few: nobody who comes to the page shall fill a log."""
    told: set[str] = set()

    def tell(message: str) -> None:
        if message not in told and len(told) < REPORTS:
            told.add(message)
            report(message)

    return tell


def open_page(
    settings: WebSettings,
    health: Callable[[], Health],
    open_reader: Callable[[], Callable[[bytes], View]],
    clock: Clock,
    report: Callable[[str], None],
    *,
    top: int = 1,
) -> PageSink:
    """Bind the address, make or read the token where one is needed, serve, and say where.

    Raises:
        ConfigError: the token cannot be kept.
        SinkError: the address cannot be used.
    """
    token, kept_in = None, None
    if settings.needs_token:
        token, kept_in = load_token(state_directory(os.environ))
    sink = PageSink(settings, bind(settings.address), token, health, open_reader, clock, top=top, report=report)
    host = socket.gethostname() if settings.address.host in EVERY_ADDRESS else settings.address.host
    report(f"page: http://{Address(host, sink.port)}/")
    if kept_in is not None:
        report(f"page: sign in with the token in {kept_in}")
    return sink
