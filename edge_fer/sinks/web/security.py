"""The guard before every route: who may ask, under which name, from which page; denied unless a rule allows it."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse

from edge_fer.sinks.listening import is_loopback
from edge_fer.sinks.web.problems import Problem
from edge_fer.sinks.web.token import COOKIE_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from edge_fer.sinks.web.token import Token

HEADERS: dict[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With no-referrer browsers would send forms with `Origin: null`, which cannot be told from a foreign page.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
"""With every response. Scripts, styles and pictures come from this server alone, and no other page may embed it."""

LOGIN_PATH = "/login"
PAGES = ("/", LOGIN_PATH)
"""Paths that a link on another page may lead to."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What the guard goes by."""

    hosts: frozenset[str]
    """Names under which the server may be asked, in lower case."""
    loopback_only: bool
    """True allows no address but those of this computer."""
    token: Token | None
    """None lets everybody in who passes the other checks."""
    open_paths: Collection[str]
    """Paths that need no token."""


def own_names(host: str, names: Collection[str]) -> frozenset[str]:
    """Names under which a server that listens on this host may be asked: its own, and those given."""
    found = {"localhost", host.lower(), *(name.lower() for name in names)}
    if not is_loopback(host):
        own = socket.gethostname().lower()
        found |= {own, own.split(".")[0], f"{own.split('.')[0]}.local"}
    return frozenset(name for name in found if name)


class Guard:
    """Checks host, origin and token before the application sees a request, and puts the headers on each response."""

    def __init__(self, app: ASGIApp, gate: Gate, report: Callable[[str], None]) -> None:
        """Stand before an application.

        Args:
            app: what answers the requests that pass.
            gate: the rules.
            report: is told in one line of faults of the application; never of what a client sent.
        """
        self._app, self._gate, self._report = app, gate, report

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        try:
            check(scope, self._gate)
            await self._app(scope, receive, send_with_headers)
        except Problem as problem:
            response = problem.response()
            if problem.status == 401 and _is_page_visit(scope, Headers(scope=scope)):
                response = RedirectResponse(LOGIN_PATH, 303)
            await response(scope, receive, send_with_headers)
        except Exception as error:  # a fault of ours: one line, and nothing of it to the client
            self._report(f"page: {scope['method']} {scope['path']!r} failed: {type(error).__name__}")
            if not started:
                await Problem(500, "the server failed").response()(scope, receive, send_with_headers)


def check(scope: Scope, gate: Gate) -> None:
    """Let a request pass.

    Raises:
        Problem: 400 without a single Host, 401 without a valid token, 403 for a foreign host or page.
    """
    headers = Headers(scope=scope)
    if len(headers.getlist("host")) != 1:
        raise Problem(400, "give one Host header")
    if not _host_allowed(headers["host"], gate):
        raise Problem(403, "this is not a name of this server: use its address, or start it with --serve-name")
    # Browsers tell where a request comes from; what comes from other pages stays outside, but for plain links.
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not _is_page_visit(scope, headers):
        raise Problem(403, "requests from other pages are not answered")
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != headers["host"].lower():
        raise Problem(403, "requests from other pages are not answered")
    if gate.token is not None and scope["path"] not in gate.open_paths and not is_signed_in(headers, gate.token):
        raise Problem(401, "sign in, or send the token as: Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})


def is_signed_in(headers: Headers, token: Token) -> bool:
    """Whether a request carries the token, or the cookie of a browser that signed in."""
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.is_secret(secret.strip())
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE_NAME)
    except CookieError:
        return False
    return cookie is not None and token.is_cookie(cookie.value)


def _host_allowed(given: str, gate: Gate) -> bool:
    try:
        parts = urlsplit(f"//{given}")
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if host is None or parts.netloc != given or parts.username is not None:
        return False
    host = host.rstrip(".")
    if host in gate.hosts:
        return True
    # A name can be made to point here by anybody who owns one; an address cannot.
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or not gate.loopback_only


def _is_page_visit(scope: Scope, headers: Headers) -> bool:
    wants_page = headers.get("sec-fetch-mode", "navigate") == "navigate" and "text/html" in headers.get("accept", "")
    return scope["method"] == "GET" and scope["path"] in PAGES and wants_page
