"""The application: the table of routes behind the guard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request

from edge_fer.sinks.web.problems import Problem
from edge_fer.sinks.web.routes import routes
from edge_fer.sinks.web.security import Guard

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from edge_fer.sinks.gate import GateRules
    from edge_fer.sinks.web.routes import Parts


def make_app(parts: Parts, rules: GateRules) -> ASGIApp:
    """The whole application, guarded.

    Args:
        parts: what the handlers work with.
        rules: what requests must be like.
    """
    table = routes()
    by_path = {path: {one.method: one.handler for one in table if one.path == path} for path in {r.path for r in table}}
    open_paths = frozenset(one.path for one in table if one.open)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        methods = by_path.get(scope["path"])
        if methods is None:
            raise Problem(404, "there is nothing here: see /openapi.json")
        # HEAD is GET without the body, which the server leaves out.
        handler = methods.get("GET" if scope["method"] == "HEAD" else scope["method"])
        if handler is None:
            allowed = ", ".join(sorted([*methods, *(["HEAD"] if "GET" in methods else [])]))
            raise Problem(405, f"{scope['path']} takes {allowed}", {"Allow": allowed})
        response = await handler(Request(scope, receive), parts)
        await response(scope, receive, send)

    return Guard(answer, rules, parts.access, open_paths)
