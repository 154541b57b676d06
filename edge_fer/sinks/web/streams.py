"""Responses without an end: the live picture and the events; a client that takes nothing is let go."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from starlette.responses import Response

from edge_fer.sinks.gate import Full, Place
from edge_fer.sinks.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import Receive, Scope, Send

    from edge_fer.sinks.gate import Shares
    from edge_fer.sinks.web.newest import Newest

BOUNDARY = "edge-fer-frame"
PART_HEAD = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\n".encode()
"""Sent ahead of each picture, right behind the one before: Chromium shows a picture once it has the next one's headers.
There is no Content-Length in it, because nobody knows the next picture yet."""
RETRY_SECONDS = 10
"""After how long a client that found no place may try again."""


class EndlessResponse(Response):
    """Sends parts as they come, until the client goes, signs out, takes nothing for too long, or the server ends."""

    def __init__(self, parts: AsyncIterator[bytes], media_type: str, places: Shares, stalled_seconds: float) -> None:
        """Make a response; the place is taken when it is sent.

        Args:
            parts: what to send; its end ends the response.
            media_type: as in the Content-Type header.
            places: where a place is held while it lasts.
            stalled_seconds: how long the client may take nothing.
        """
        super().__init__(media_type=media_type)
        del self.headers["content-length"]
        self._parts, self._places, self._stalled_seconds = parts, places, stalled_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response.

        Raises:
            Problem: 503, there is no place.
        """
        if scope["method"] == "HEAD":
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": b""})
            return
        try:
            with self._places.held(Place(scope["state"]["client"])):
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                await self._until_one_ends(receive, send, scope["state"]["admitted"])
        except Full:
            raise Problem(
                503, "too many clients look already: try again later", {"Retry-After": str(RETRY_SECONDS)}
            ) from None

    async def _until_one_ends(self, receive: Receive, send: Send, admitted: Callable[[], bool]) -> None:
        tasks = {asyncio.create_task(self._send_all(send, admitted)), asyncio.create_task(_until_gone(receive))}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, TimeoutError, OSError):
                    await task

    async def _send_all(self, send: Send, admitted: Callable[[], bool]) -> None:
        async for part in self._parts:
            # After signing out nothing more is shown, in other windows neither.
            if not admitted():
                break
            async with asyncio.timeout(self._stalled_seconds):
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def picture_parts(pictures: Newest[bytes], silence_seconds: float) -> AsyncIterator[bytes]:
    """The live picture as parts of multipart/x-mixed-replace."""
    yield PART_HEAD
    version = 0
    while not pictures.ended:
        found = await pictures.after(version, silence_seconds)
        if found is not None:
            version, part = found
            yield part


def picture_part(jpeg: bytes) -> bytes:
    """One part of the live picture, ready to send; made once for all clients."""
    return jpeg + b"\r\n" + PART_HEAD


async def event_parts(states: Newest[str], heartbeat_seconds: float) -> AsyncIterator[bytes]:
    """Server-sent events: `state` with the newest data, and a comment where nothing is new for a while."""
    yield b"retry: 2000\n\n"
    version = 0
    while not states.ended:
        found = await states.after(version, heartbeat_seconds)
        if found is None:
            yield b": still here\n\n"
        else:
            version, text = found
            yield f"event: state\ndata: {text}\n\n".encode()
