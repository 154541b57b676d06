"""What the server answers: one table of all paths, the handlers behind it, and nothing that is not in the table."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs

from starlette.responses import RedirectResponse, Response

from edge_fer.sinks.gate import Full, Place
from edge_fer.sinks.jsonl import compact_json
from edge_fer.sinks.web.openapi import description
from edge_fer.sinks.web.predict import busy, with_picture
from edge_fer.sinks.web.problems import Problem, too_many
from edge_fer.sinks.web.security import LOGIN_PATH
from edge_fer.sinks.web.sessions import HOST_PREFIX, SESSION_SECONDS
from edge_fer.sinks.web.streams import BOUNDARY, EndlessResponse, event_parts, picture_parts
from edge_fer.sinks.web.threads import in_thread
from edge_fer.sinks.web.upload import Arrival, read_body, read_photo

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from edge_fer.sinks.gate import Shares
    from edge_fer.sinks.web.limits import RateLimiter
    from edge_fer.sinks.web.newest import Newest
    from edge_fer.sinks.web.predict import PhotoQueue
    from edge_fer.sinks.web.security import Access
    from edge_fer.sinks.web.sessions import Sessions
    from edge_fer.sinks.web.settings import WebLimits

log = logging.getLogger("edge_fer.web")

STATIC = Path(__file__).with_name("static")
LOGIN_BYTES = 4096
REFUSED = b'<p class="refusal" role="alert">This is not the token.</p>'


@dataclass(frozen=True, slots=True)
class Parts:
    """What the handlers work with."""

    limits: WebLimits
    access: Access | None
    """None lets everybody in who can come."""
    state: Callable[[bool], dict[str, Any]]
    """Makes the state; True with the timeline."""
    pictures: Newest[bytes]
    states: Newest[str]
    viewers: Shares
    listeners: Shares
    photos: PhotoQueue
    photo_rate: RateLimiter


@dataclass(frozen=True, slots=True)
class Route:
    """One path and method."""

    method: Literal["GET", "POST"]
    path: str
    handler: Callable[[Request, Parts], Awaitable[Response]]
    open: bool = False
    """True lets clients without a token in."""


def static_file(name: str, media_type: str) -> Callable[[Request, Parts], Awaitable[Response]]:
    """A handler for one file, which is read now: no name of a client ever becomes a path."""
    content = (STATIC / name).read_bytes()

    async def handler(request: Request, parts: Parts) -> Response:
        return Response(content, media_type=media_type)

    return handler


async def live_picture(request: Request, parts: Parts) -> Response:
    """GET /stream.mjpg."""
    media_type = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
    content = picture_parts(parts.pictures, parts.limits.heartbeat_seconds)
    return EndlessResponse(content, media_type, parts.viewers, parts.limits.stalled_seconds)


async def events(request: Request, parts: Parts) -> Response:
    """GET /api/events."""
    content = event_parts(parts.states, parts.limits.heartbeat_seconds)
    return EndlessResponse(content, "text/event-stream", parts.listeners, parts.limits.stalled_seconds)


async def state(request: Request, parts: Parts) -> Response:
    """GET /api/state."""
    return as_json(parts.state(True))


async def health(request: Request, parts: Parts) -> Response:
    """GET /healthz: 200 while frames come, else 503; says nothing more, because it needs no token."""
    up = bool(parts.state(False)["health"]["camera"]["up"])
    return as_json({"status": "ok" if up else "no frames"}, 200 if up else 503)


async def openapi(request: Request, parts: Parts) -> Response:
    """GET /openapi.json."""
    return as_json(description(parts.limits, parts.access.sessions.cookie_name if parts.access else None))


async def predict(request: Request, parts: Parts) -> Response:
    """POST /api/predict."""
    allow(parts.photo_rate, request)
    wanted = request.query_params.get("annotated", "0")
    if wanted not in ("0", "1"):
        raise Problem(400, "annotated must be 0 or 1")
    as_picture = request.headers.get("accept", "").split(",")[0].split(";")[0].strip() == "image/jpeg"
    arrival = Arrival(asyncio.get_running_loop().time)
    place = Place(request.state.client, arrival.gives_way, arrival.rate, arrival.give_way)
    try:
        with parts.photos.places.held(place):
            photo = await read_photo(request, parts.limits.upload_bytes, parts.limits.upload_seconds, arrival)
            record, jpeg = await parts.photos.read(photo, picture=as_picture or wanted == "1")
    except Full:
        raise busy() from None
    if as_picture and jpeg is not None:
        return Response(jpeg, media_type="image/jpeg")
    return as_json(with_picture(record, jpeg))


async def login(request: Request, parts: Parts) -> Response:
    """POST /login: begins a session of the browser that knows the token."""
    if parts.access is None:
        return RedirectResponse("/", 303)
    access, sessions = parts.access, parts.access.sessions
    allow(access.rate, request)
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/x-www-form-urlencoded":
        raise Problem(415, "send the form of the page /login")
    body = await read_body(request, LOGIN_BYTES, parts.limits.header_seconds)
    given = parse_qs(body.decode("latin-1")).get("token", [""])[0].strip()
    if not access.token.is_secret(given):
        page = (STATIC / "login.html").read_bytes().replace(b"<!-- refusal -->", REFUSED)
        return Response(page, 401, media_type="text/html; charset=utf-8")
    response = RedirectResponse("/", 303)
    # Behind a proxy only the browser can see whether it speaks HTTPS; it shows that by the form's origin.
    secure = request.headers.get("origin", "").startswith("https://")
    name = HOST_PREFIX + sessions.cookie_name if secure else sessions.cookie_name
    for old in sessions.found_in(request.headers.getlist("cookie")):
        sessions.end(old)
    response.set_cookie(name, sessions.begin(), SESSION_SECONDS, secure=secure, httponly=True, samesite="strict")
    await keep(sessions)
    return response


async def logout(request: Request, parts: Parts) -> Response:
    """POST /logout: ends the session here, whatever the browser does with its cookie."""
    if parts.access is None:
        return RedirectResponse("/", 303)
    sessions = parts.access.sessions
    ended = [sessions.end(secret) for secret in sessions.found_in(request.headers.getlist("cookie"))]
    response = RedirectResponse(LOGIN_PATH, 303)
    for name in (sessions.cookie_name, HOST_PREFIX + sessions.cookie_name):
        response.delete_cookie(name, secure=name.startswith(HOST_PREFIX), httponly=True, samesite="strict")
    if any(ended):
        await keep(sessions)
    return response


async def keep(sessions: Sessions) -> None:
    """Write the sessions down, so that they outlive a restart; where that fails they last until then."""
    try:
        await in_thread("web-sessions", sessions.save)
    except OSError as error:
        log.warning("page: the sessions cannot be kept, and end with this run: %s", error.strerror or error)


def allow(rate: RateLimiter, request: Request) -> None:
    """Let a request pass.

    Raises:
        Problem: 429, the client sent too many.
    """
    wait = rate.wait_seconds(request.state.client)
    if wait > 0:
        raise too_many(wait)


def as_json(data: dict[str, Any], status: int = 200) -> Response:
    """A response of JSON, never with NaN in it."""
    return Response(compact_json(data).encode("utf-8", "backslashreplace"), status, media_type="application/json")


def routes() -> tuple[Route, ...]:
    """All that is answered; everything else is refused."""
    html, css, script = "text/html; charset=utf-8", "text/css; charset=utf-8", "text/javascript; charset=utf-8"
    return (
        Route("GET", "/", static_file("index.html", html)),
        Route("GET", "/app.js", static_file("app.js", script)),
        Route("GET", "/timeline.js", static_file("timeline.js", script)),
        Route("GET", "/photo.js", static_file("photo.js", script)),
        Route("GET", "/style.css", static_file("style.css", css), open=True),
        Route("GET", "/icon.svg", static_file("icon.svg", "image/svg+xml"), open=True),
        Route("GET", LOGIN_PATH, static_file("login.html", html), open=True),
        Route("POST", LOGIN_PATH, login, open=True),
        Route("POST", "/logout", logout),
        Route("GET", "/healthz", health, open=True),
        Route("GET", "/stream.mjpg", live_picture),
        Route("GET", "/api/state", state),
        Route("GET", "/api/events", events),
        Route("POST", "/api/predict", predict),
        Route("GET", "/openapi.json", openapi),
    )
