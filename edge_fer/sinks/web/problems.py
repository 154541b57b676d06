"""Refusals as data: problem documents (RFC 9457) with one line that names the fault and the way out."""

from __future__ import annotations

import json
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


def problem_body(status: int, detail: str) -> bytes:
    """The document, one line of JSON."""
    title = HTTPStatus(status).phrase
    return json.dumps({"title": title, "status": status, "detail": " ".join(detail.split())}).encode()
