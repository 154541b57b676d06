"""Photos that are sent: one at a time, with a detector and a classifier of their own, in memory, and then forgotten."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

from edge_fer.errors import ModelError, NotAPicture, PictureTooLarge, SourceError
from edge_fer.sinks.gate import Shares
from edge_fer.sinks.web.drawing import annotated_jpeg
from edge_fer.sinks.web.problems import Problem
from edge_fer.sinks.web.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.types import View

PHOTO_PX = 1280
"""Longer side of an annotated photo at most."""
TOP = 3
"""Emotions written at each face."""
BUSY_SECONDS = 5
"""After how long a client that found the queue full may try again."""


class PhotoQueue:
    """Takes photos one after the other; the model is loaded with the first."""

    def __init__(self, open_reader: Callable[[], Callable[[bytes], View]], waiting: int) -> None:
        """Nothing is loaded yet.

        Args:
            open_reader: loads a detector and a classifier, and returns what makes a view of a picture file's bytes.
            waiting: photos that may wait while one is looked at.
        """
        self._open_reader = open_reader
        self._reader: Callable[[bytes], View] | None = None
        self._turn = asyncio.Lock()
        self.places = Shares(1 + waiting)

    async def read(self, photo: bytes, *, picture: bool) -> tuple[dict[str, Any], bytes | None]:
        """What is seen in a photo, as plain data, and the annotated JPEG where it is asked for.

        Raises:
            Problem: 413 for too many pixels, 415 for no picture, 422 for a damaged one, 503 where the model fails.
        """
        async with self._turn:
            return await in_thread("web-photo", lambda: self._read(photo, picture))

    def _read(self, photo: bytes, picture: bool) -> tuple[dict[str, Any], bytes | None]:
        try:
            if self._reader is None:
                self._reader = self._open_reader()
            view = self._reader(photo)
        except PictureTooLarge as error:
            raise Problem(413, str(error)) from error
        except NotAPicture as error:
            raise Problem(415, str(error)) from error
        except SourceError as error:
            raise Problem(422, str(error)) from error
        except ModelError as error:
            raise Problem(503, str(error)) from error
        record = view.observation.to_dict()
        for face, scored in zip(record["faces"], view.observation.faces, strict=True):
            face["top"] = [[label, round(score, 4)] for label, score in scored.scores.top_k(TOP)]
        return record, annotated_jpeg(view, PHOTO_PX, top=TOP) if picture else None


def busy() -> Problem:
    """The refusal of a photo for which there is no place."""
    return Problem(503, "busy with other photos: try again in a moment", {"Retry-After": str(BUSY_SECONDS)})


def with_picture(record: dict[str, Any], jpeg: bytes | None) -> dict[str, Any]:
    """The data with the annotated picture inside it."""
    if jpeg is None:
        return record
    return record | {"annotated": {"type": "image/jpeg", "base64": base64.b64encode(jpeg).decode("ascii")}}
