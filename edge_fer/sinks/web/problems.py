"""Refusals as data: problem documents (RFC 9457) with one line that names the fault and the way out."""

from __future__ import annotations

import json
import math
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """A request that is refused."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})

    def response(self) -> Response:
        """The refusal as a response."""
        return Response(problem_body(self.status, self.detail), self.status, self.headers, MEDIA_TYPE)


def too_many(wait_seconds: float) -> Problem:
    """The refusal of a client that did too much: the words and `Retry-After` give the same whole seconds."""
    seconds = max(1, math.ceil(wait_seconds))
    return Problem(429, f"too many requests: try again in {seconds} s", {"Retry-After": str(seconds)})


def problem_body(status: int, detail: str) -> bytes:
    """The document, one line of JSON."""
    title = HTTPStatus(status).phrase
    return json.dumps({"title": title, "status": status, "detail": " ".join(detail.split())}).encode()
