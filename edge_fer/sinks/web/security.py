"""The guard before every route of the page: the gate that all listeners share, and the token or a session behind it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.responses import RedirectResponse

from edge_fer.sinks.gate import FORWARDED_FOR, HEADERS, GateRules, Refused, check, client_of, values, wants_page
from edge_fer.sinks.outages import Seldom
from edge_fer.sinks.web.problems import Problem, too_many

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from edge_fer.sinks.gate import Headers
    from edge_fer.sinks.web.limits import RateLimiter
    from edge_fer.sinks.web.sessions import Sessions
    from edge_fer.sinks.web.token import Token

log = logging.getLogger("edge_fer.web")

LOGIN_PATH = "/login"
PAGES = frozenset({"/", LOGIN_PATH})
"""Paths that a link on another page may lead to."""
WITHOUT_TOKEN = "sign in, or send the token as: Authorization: Bearer TOKEN"


@dataclass(frozen=True, slots=True)
class Access:
    """Whom a page with a token lets in."""

    token: Token
    sessions: Sessions
    rate: RateLimiter
    """Of wrong tokens, by client."""

    def admit(self, headers: Headers, client: str) -> Callable[[], bool]:
        """Let a request in that carries the token, or the cookie of a browser that signed in.

        Returns:
            Whether it still holds, for answers that last.

        Raises:
            Problem: 401 without either, 429 where this client sent too many wrong tokens.
        """
        for given in values(headers, b"authorization"):
            scheme, _, secret = given.partition(" ")
            if scheme.lower() == "bearer":
                return self._by_token(secret.strip(), client)
        cookies = (cookie for cookie in values(headers, b"cookie"))
        for secret in self.sessions.found_in(cookies):
            if self.sessions.holds(secret):
                return lambda: self.sessions.holds(secret)
        raise Problem(401, WITHOUT_TOKEN, {"WWW-Authenticate": "Bearer"})

    def _by_token(self, secret: str, client: str) -> Callable[[], bool]:
        # Where too many were wrong, the right one must look like another wrong one.
        if not self.rate.left(client):
            raise too_many(self.rate.wait_seconds(client))
        if self.token.is_secret(secret):
            return lambda: True
        self.rate.wait_seconds(client)
        raise Problem(401, WITHOUT_TOKEN, {"WWW-Authenticate": "Bearer"})


class Guard:
    """Checks each request before the application sees it, and puts the headers on each response."""

    def __init__(self, app: ASGIApp, rules: GateRules, access: Access | None, open_paths: Collection[str]) -> None:
        """Stand before an application.

        Args:
            app: what answers the requests that pass; it finds `client` and `admitted` in the scope's state.
            rules: which requests pass.
            access: who is let in; None lets everybody in who passes.
            open_paths: paths that need no token.
        """
        self._app, self._rules, self._access, self._open_paths = app, rules, access, open_paths
        self._proxy_named = False
        self._faults = Seldom(log, time.monotonic)

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
            self._let_pass(scope)
            await self._app(scope, receive, send_with_headers)
        except Refused as refused:
            await Problem(refused.status, refused.detail).response()(scope, receive, send_with_headers)
        except Problem as problem:
            response = problem.response()
            visit = scope["method"] in ("GET", "HEAD") and scope["path"] in PAGES
            if problem.status == 401 and visit and wants_page(scope["headers"]):
                response = RedirectResponse(LOGIN_PATH, 303)
            await response(scope, receive, send_with_headers)
        except Exception as error:  # a fault of ours: one line, and nothing of it to the client
            self._faults.failed(f"page: {scope['method']} {scope['path']!r} failed: {type(error).__name__}")
            if not started:
                await Problem(500, "the server failed").response()(scope, receive, send_with_headers)

    def _let_pass(self, scope: Scope) -> None:
        headers, peer = scope["headers"], (scope.get("client") or (None,))[0]
        target_bytes = len(scope["raw_path"]) + len(scope["query_string"]) + 1
        check(scope["method"], scope["path"], target_bytes, headers, self._rules)
        client = client_of(peer, headers, self._rules.proxies)
        admitted: Callable[[], bool] = lambda: True  # noqa: E731
        if self._access is not None and scope["path"] not in self._open_paths:
            admitted = self._access.admit(headers, client)
        scope.setdefault("state", {}).update(client=client, admitted=admitted)
        if not self._proxy_named and not self._rules.proxies and self._access and values(headers, FORWARDED_FOR):
            self._proxy_named = True
            log.info("page: requests come through a proxy: --trusted-proxy %s counts its clients one by one", peer)
