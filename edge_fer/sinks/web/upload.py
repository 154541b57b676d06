"""A photo out of a request's body: bounded in size and time, in memory only, whatever the client claims."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from edge_fer.sinks.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

MULTIPART = "multipart/form-data"
RAW_TYPES = ("image/", "application/octet-stream")
"""Beginnings of the content types under which the body is the photo itself."""

HOW_TO_SEND = "send a picture as the body with a Content-Type such as image/jpeg, or as a file of multipart/form-data"
MAX_PARTS = 10
PATIENCE_SECONDS = 2.0
"""How long an upload keeps its place however slow it is."""


class Arrival:
    """How a body arrives: one that comes slowly gives way where others wait for its place."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Nothing has arrived."""
        self._monotonic, self._began_at = monotonic, monotonic()
        self._deadline: asyncio.Timeout | None = None
        self._received = 0

    def gives_way(self) -> bool:
        """Whether it has had some time and is not there yet."""
        return self._deadline is not None and self.seconds > PATIENCE_SECONDS

    @property
    def seconds(self) -> float:
        """Since it began."""
        return self._monotonic() - self._began_at

    def rate(self) -> float:
        """Bytes a second so far."""
        return self._received / max(self.seconds, 1e-3)

    def give_way(self) -> None:
        """End it now."""
        if self._deadline is not None:
            self._deadline.reschedule(0.0)

    def begin(self, deadline: asyncio.Timeout) -> None:
        """It is being read, and ends with this."""
        self._deadline = deadline

    def more(self, size: int) -> None:
        """So many bytes came."""
        self._received += size

    def end(self) -> None:
        """All is there."""
        self._deadline = None


async def read_photo(request: Request, max_bytes: int, timeout_seconds: float, arrival: Arrival | None = None) -> bytes:
    """The bytes of the photo in a request.

    Args:
        request: with the photo as its body, or in a form.
        max_bytes: of the photo.
        timeout_seconds: in which it must have arrived.
        arrival: is kept up to date, and may end it.

    Raises:
        Problem: 400 for a broken form, 408 when it came too slowly, 413 when it is too large, 415 for another type,
            422 when there is no photo in it.
    """
    content_type = request.headers.get("content-type", "")
    kind = content_type.split(";")[0].strip().lower()
    if kind != MULTIPART and not kind.startswith(RAW_TYPES):
        raise Problem(415, HOW_TO_SEND)
    # The parts' headers around the photo need some room too.
    body = await read_body(request, max_bytes + (4096 if kind == MULTIPART else 0), timeout_seconds, arrival)
    photo = file_of_form(body, content_type) if kind == MULTIPART else body
    if not photo:
        raise Problem(422, f"there is no picture in the request: {HOW_TO_SEND}")
    return photo


async def read_body(request: Request, max_bytes: int, timeout_seconds: float, arrival: Arrival | None = None) -> bytes:
    """The whole body.

    Args:
        request: whose body is read.
        max_bytes: of it.
        timeout_seconds: in which it must have arrived.
        arrival: is kept up to date, and may end it.

    Raises:
        Problem: 400 for a wrong length or a client that goes, 408 when it came too slowly, 413 when it is larger.
    """
    too_large = Problem(413, f"more than {max_bytes} bytes: send a smaller picture", {"Connection": "close"})
    claimed = request.headers.get("content-length")
    if claimed is not None:
        # HTTP servers check the number too; this is for those that do not.
        if not claimed.isascii() or not claimed.isdigit():
            raise Problem(400, "Content-Length is no number", {"Connection": "close"})
        if len(claimed) > 15 or int(claimed) > max_bytes:
            raise too_large
    parts, size = [], 0
    arrival = arrival or Arrival(asyncio.get_running_loop().time)
    try:
        async with asyncio.timeout(timeout_seconds) as deadline:
            arrival.begin(deadline)
            async for part in request.stream():
                size += len(part)
                arrival.more(len(part))
                if size > max_bytes:
                    raise too_large
                parts.append(part)
    except ClientDisconnect as error:
        raise Problem(400, "the request was broken off", {"Connection": "close"}) from error
    except TimeoutError as error:
        slow = "the request came too slowly, and others wait: try again"
        if arrival.seconds >= timeout_seconds:
            slow = f"the request did not arrive within {timeout_seconds:g} s"
        raise Problem(408, slow, {"Connection": "close"}) from error
    finally:
        arrival.end()
    return b"".join(parts)


@dataclass(slots=True)
class _Form:
    """What is found while a form is read: the content of its first file."""

    field_name: bytes = b""
    field_value: bytes = b""
    is_file: bool = False
    parts: int = 0
    files: list[bytearray] = field(default_factory=list)

    def on_part_begin(self) -> None:
        self.parts += 1
        self.is_file, self.field_name, self.field_value = False, b"", b""
        if self.parts > MAX_PARTS:
            raise Problem(400, f"the form has more than {MAX_PARTS} parts: send one file")

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self.field_name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self.field_value += data[start:end]

    def on_header_end(self) -> None:
        if self.field_name.lower() == b"content-disposition":
            self.is_file = b"filename" in parse_options_header(self.field_value)[1]
        self.field_name, self.field_value = b"", b""

    def on_headers_finished(self) -> None:
        if self.is_file:
            self.files.append(bytearray())

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self.is_file and len(self.files) == 1:
            self.files[0] += data[start:end]


def file_of_form(body: bytes, content_type: str) -> bytes:
    """The first file of a form; empty where it has none.

    The usual way, `Request.form`, writes files of more than a megabyte to the disk.

    Raises:
        Problem: 400, it is no such form.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:
        raise Problem(400, "the form has no boundary of 1 to 70 characters")
    form = _Form()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": form.on_part_begin,
                "on_header_field": form.on_header_field,
                "on_header_value": form.on_header_value,
                "on_header_end": form.on_header_end,
                "on_headers_finished": form.on_headers_finished,
                "on_part_data": form.on_part_data,
            },
        )
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise Problem(400, "the form is broken") from error
    return bytes(form.files[0]) if form.files else b""
