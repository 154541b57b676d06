"""The page as a sink: what the loop gives it, joined with the server that shows it."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import TYPE_CHECKING, Any

from edge_fer.sinks.gate import GateRules, Shares, own_names
from edge_fer.sinks.jsonl import compact_json
from edge_fer.sinks.net import Address
from edge_fer.sinks.other_users import other_users
from edge_fer.sinks.outages import Outages
from edge_fer.sinks.web.app import make_app
from edge_fer.sinks.web.drawing import annotated_jpeg
from edge_fer.sinks.web.frames import PictureFeed
from edge_fer.sinks.web.limits import RateLimiter
from edge_fer.sinks.web.newest import Newest
from edge_fer.sinks.web.predict import PhotoQueue
from edge_fer.sinks.web.routes import Parts
from edge_fer.sinks.web.security import PAGES, Access
from edge_fer.sinks.web.server import ServerThread, bind
from edge_fer.sinks.web.sessions import Sessions
from edge_fer.sinks.web.state import RunState
from edge_fer.sinks.web.streams import picture_part
from edge_fer.sinks.web.token import load_token, state_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from starlette.types import ASGIApp

    from edge_fer.protocols import Clock
    from edge_fer.sinks.health import Health
    from edge_fer.sinks.web.settings import WebSettings
    from edge_fer.sinks.web.token import Token
    from edge_fer.types import View

log = logging.getLogger("edge_fer.web")

NAMED_USERS = 3
"""Other users that the warning names."""
EVERY_ADDRESS = ("0.0.0.0", "::")


class PageSink:
    """Takes the newest frame and hands it to all who look; the loop never waits for it."""

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
        sessions_in: Path | None = None,
    ) -> None:
        """Start to serve.

        Args:
            settings: limits and names.
            listener: a bound socket; closed at the end.
            token: asked of everybody; None where only this computer can come.
            health: asks how the run fares.
            open_reader: loads what looks at photos; see `PhotoQueue`.
            clock: for rates and ages.
            top: emotions written at each face of the live picture.
            sessions_in: file for the sessions of browsers; None keeps them in memory.
        """
        limits = settings.limits
        self._settings, self._clock = settings, clock
        self._open_reader = open_reader
        self._state = RunState(clock, lambda: health().as_record())
        self._pictures: Newest[bytes] = Newest()
        self._states: Newest[str] = Newest()
        self._feed = PictureFeed(
            lambda view: annotated_jpeg(view, limits.picture_px, top=top),
            self._publish,
            clock,
            fps=limits.picture_fps,
        )
        self._viewers = Shares(limits.streams, self._viewers_changed)
        self._listeners = Shares(limits.listeners, self._listeners_changed)
        self._outages = Outages(log, clock.monotonic)
        self.port: int = listener.getsockname()[1]
        self._access: Access | None = None
        if token is not None:
            sessions = Sessions(token, self.port, clock.wall_time, sessions_in)
            rate = RateLimiter(limits.logins_per_minute, limits.logins_per_minute, clock.monotonic)
            self._access = Access(token, sessions, rate)
        self._server = ServerThread(listener, self._make_app, self._keep_telling, self._end, limits, settings.proxies)

    @property
    def url(self) -> str:
        """Where people find the page: behind a proxy at the name that it was given, which speaks HTTPS by then."""
        address, names = self._settings.address, self._settings.names
        if names and address.is_loopback:
            return f"https://{names[0]}/"
        return self.own_url

    @property
    def own_url(self) -> str:
        """Where the server itself is reached."""
        address = self._settings.address
        host = socket.gethostname() if address.host in EVERY_ADDRESS else address.host
        return f"http://{Address(host, self.port)}/"

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
            access=self._access,
            state=self._record,
            pictures=self._pictures,
            states=self._states,
            viewers=self._viewers,
            listeners=self._listeners,
            photos=PhotoQueue(self._open_reader, limits.photos_waiting),
            photo_rate=RateLimiter(limits.photos_per_minute, limits.photos_at_once, self._clock.monotonic),
        )
        names = own_names(address.host, self._settings.names)
        rules = GateRules(names, address.is_loopback, PAGES, self._settings.proxies, limits.header_bytes)
        return make_app(parts, rules)

    def _record(self, timeline: bool) -> dict[str, Any]:
        return self._state.record(timeline=timeline) | {"sign_in": self._access is not None}

    def _publish(self, jpeg: bytes) -> None:
        self._server.call(self._pictures.publish, picture_part(jpeg))

    def _viewers_changed(self, viewers: int) -> None:
        if viewers == 0:
            # The next client is to see what is there then.
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
                    self._outages.works("page: the state can be shown again")
                except Exception as error:  # one bad number must not end the events
                    self._outages.failed(f"page: the state cannot be shown: {type(error).__name__}: {error}")
            await asyncio.sleep(self._settings.limits.state_seconds)

    def _end(self) -> None:
        self._pictures.end()
        self._states.end()


def open_page(
    settings: WebSettings,
    health: Callable[[], Health],
    open_reader: Callable[[], Callable[[bytes], View]],
    clock: Clock,
    *,
    top: int = 1,
) -> PageSink:
    """Bind the address, make or read the token where one is needed, serve, and log where.

    Raises:
        ConfigError: the token cannot be kept.
        SinkError: the address cannot be used.
    """
    token, kept_in, sessions_in = None, None, None
    if settings.needs_token:
        token, kept_in = load_token(state_directory(os.environ))
        if settings.address.port:
            sessions_in = kept_in.with_name(f"web-sessions-{settings.address.port}.json")
    listener = bind(settings.address)
    sink = PageSink(settings, listener, token, health, open_reader, clock, top=top, sessions_in=sessions_in)
    log.info("page: %s", sink.own_url)
    if kept_in is not None:
        log.info("page: sign in with the token in %s", kept_in)
    elif others := other_users():
        log.warning("page: %s", without_token(others))
    return sink


def without_token(others: Sequence[str]) -> str:
    """The warning that other users of this computer can open the page."""
    named = ", ".join(others[:NAMED_USERS]) + (f" and {len(others) - NAMED_USERS} more" if others[NAMED_USERS:] else "")
    return f"no token is asked for on this computer, which has other users ({named}): --serve-token asks them for it"
