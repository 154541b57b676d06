"""Standard output and standard error as the commands use them: results to the one, all else to the other."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, cast

import click

from edge_fer.errors import SinkError, one_line
from edge_fer.escaping import for_terminal_lines

if TYPE_CHECKING:
    from edge_fer.sinks.jsonl import ByteStream


def open_output() -> ByteStream:
    """Standard output for bytes, without a buffer where it is a real file or pipe.

    A thread that hangs in a write to a full pipe would otherwise hold the buffer's lock when Python exits.

    Raises:
        SinkError: standard output is closed.
    """
    if sys.stdout is None or sys.stdout.closed:
        raise SinkError("standard output is closed: leave it open, or send it to /dev/null")
    try:
        return os.fdopen(sys.stdout.fileno(), "wb", buffering=0, closefd=False)
    except (OSError, io.UnsupportedOperation):
        return cast("ByteStream", sys.stdout.buffer)


def tell(message: str) -> None:
    """Write one line for people to standard error; a closed one is no fault."""
    try:
        clear = "\r\x1b[K" if on_terminal(sys.stderr) else ""
        click.echo(clear + one_line(message), err=True)
    except (OSError, ValueError):
        pass


def say(text: str, *, to_people: bool = False) -> None:
    """Print a text of one or more lines, such as a table, with nothing in it that a terminal would act on.

    Args:
        text: names of files and labels of models in it may be anything.
        to_people: write to standard error, not to standard output.
    """
    click.echo(for_terminal_lines(text), err=to_people)


def on_terminal(stream: object) -> bool:
    """Whether a stream is a terminal; False for one that is closed or missing."""
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]
    except (AttributeError, ValueError):
        return False
