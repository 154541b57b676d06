"""Events as lines of the log, as JSON lines in a file, and as pictures in a folder."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import cv2

from edge_fer.atomic_files import PRIVATE_MODE, open_again, open_replacing, write_atomically
from edge_fer.errors import SinkError
from edge_fer.sinks.annotated import make_writable
from edge_fer.sinks.jsonl import compact_json, write_line
from edge_fer.types import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_fer.events.event import Event, EventView

log = logging.getLogger("edge_fer.events")

JPEG_QUALITY = 95


class EventLog:
    """Writes a line of the log for each event."""

    def write(self, event: Event) -> None:
        """Log one event, with its position in a film."""
        position = event.observation.position
        at = "" if position is None else f" at {position:.2f} s"
        log.info("%s%s", event.text(), at)

    def close(self) -> None:
        """Nothing is open."""


class EventFile:
    """Writes each event as a JSON line, schema `edge-fer-event/1`, as soon as it happens."""

    def __init__(self, path: Path, *, append: bool = False) -> None:
        """Create or replace the file; a link in its place is replaced, not followed.

        Args:
            path: the file.
            append: go on behind what is there already, as a service does that is started again.

        Raises:
            SinkError: it cannot be written.
        """
        try:
            begun = open_again(path) if append else None
            self._file = begun or open_replacing(path)
            if begun is not None:
                begun.seek(0, os.SEEK_END)
        except OSError as error:
            raise SinkError(f"cannot write {path}: {error.strerror or error}") from None

    def write(self, event: Event) -> None:
        """Write one line.

        Raises:
            SinkFinished: the reader of the file has closed it.
            SinkError: it could not be written, for example to a full disk.
        """
        write_line(self._file, compact_json(event.to_dict()))

    def close(self) -> None:
        """Close the file; may be called more than once."""
        self._file.close()


class SnapshotFolder:
    """Writes the picture of the frame in which an event happened; for its owner alone, as it shows people."""

    def __init__(self, folder: Path) -> None:
        """Make the folder where it is missing.

        Raises:
            SinkError: it cannot be made or written.
        """
        make_writable(folder)
        self._folder = folder

    def write(self, view: EventView) -> None:
        """Write one picture as JPEG, named by the event and its time.

        Raises:
            SinkError: it could not be written, for example to a full disk.
        """
        event = view.event
        time = rfc3339(event.observation.wall_time).replace(":", "").replace("-", "")
        # The number of the event keeps apart two of the same rule in one frame.
        path = self._folder / f"{event.name}-{time}-{event.id}.jpg"
        try:
            ok, data = cv2.imencode(".jpg", view.image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            if not ok:
                raise SinkError(f"cannot write {path}: OpenCV cannot encode it")
            write_atomically(path, data.tobytes(), PRIVATE_MODE)
        except (OSError, cv2.error) as error:
            raise SinkError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None

    def close(self) -> None:
        """Nothing is open."""


class EventMessages:
    """Publishes each event to the broker that the run is connected to."""

    def __init__(self, publish: Callable[[str, dict[str, Any]], None]) -> None:
        """Remember how: it takes the name of an event and its plain data, and raises SinkError where it cannot."""
        self._publish = publish

    def write(self, event: Event) -> None:
        """Publish one event.

        Raises:
            SinkError: the broker is away.
        """
        self._publish(event.name, event.to_dict())

    def close(self) -> None:
        """The connection is closed by the sink of the states."""
