"""One JSON line per frame, schema `edge-fer/1`."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Protocol

from edge_fer.errors import SinkError
from edge_fer.escaping import for_json
from edge_fer.sinks.runner import SinkFinished

if TYPE_CHECKING:
    from edge_fer.types import Observation

RETRY_SECONDS = 0.005
"""Pause before trying again to write to a full pipe that may not wait."""


class ByteStream(Protocol):
    """What the lines are written to."""

    def write(self, data: bytes, /) -> int | None:
        """Write some or all of the bytes; return how many."""

    def flush(self) -> None:
        """Hand over what is buffered."""


class JsonLinesSink:
    """Writes each observation as one compact line and flushes it; the stream stays the caller's."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def write(self, observation: Observation) -> None:
        """Write one line.

        Raises:
            SinkFinished: the reader of the stream has closed it.
            SinkError: it could not be written, for example to a full disk.
        """
        write_line(self._stream, json_line(observation))

    def close(self) -> None:
        """Nothing is buffered here."""


def json_line(observation: Observation) -> str:
    """The observation as one line of JSON without a line end; never NaN or Infinity.

    Raises:
        ValueError: a number in it is not finite.
    """
    return compact_json(observation.to_dict())


def compact_json(record: dict[str, Any]) -> str:
    """Plain data as one line of JSON without a space too many; never NaN or Infinity.

    Raises:
        ValueError: a number in it is not finite.
    """
    return for_json(json.dumps(record, separators=(",", ":"), allow_nan=False, ensure_ascii=False))


def write_line(stream: ByteStream, line: str) -> None:
    """Write a line and its end as UTF-8, and flush.

    Raises:
        SinkFinished: the reader of the stream has closed it.
        SinkError: it could not be written.
    """
    # A path may hold bytes that are no text; they must not stop the line.
    rest = memoryview((line + "\n").encode("utf-8", "backslashreplace"))
    try:
        while rest:
            # A raw stream writes in parts when a pipe is nearly full, and nothing where it may not wait.
            written = stream.write(rest.tobytes())
            if written is None:
                time.sleep(RETRY_SECONDS)
            else:
                rest = rest[written:]
        stream.flush()
    except BrokenPipeError as exc:
        raise SinkFinished("", ends_run=True) from exc
    except OSError as exc:
        raise SinkError(f"cannot write to the output: {exc.strerror or exc}") from exc
