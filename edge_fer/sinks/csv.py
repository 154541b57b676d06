"""One CSV row per face, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
import os
from typing import TYPE_CHECKING

from edge_fer.atomic_files import open_again, open_replacing
from edge_fer.errors import ConfigError, SinkError
from edge_fer.escaping import for_csv
from edge_fer.sinks.jsonl import write_line
from edge_fer.types import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import FileIO
    from pathlib import Path

    from edge_fer.sinks.jsonl import ByteStream
    from edge_fer.types import Observation

FIXED_COLUMNS = ("seq", "time", "source", "face", "id", "x", "y", "width", "height", "emotion", "score")
"""Columns before those of the labels; `face` counts the faces of a frame from 0, largest first."""

POSITION = "position"
"""The last column: where the frame stands in its film, in seconds; empty for pictures and live sources."""

LONGEST_ROW_BYTES = 65_536
"""Further back nobody looks for the end of a row that was cut."""


class CsvSink:
    """Writes a heading and one row per face; a frame without a face has no row unless `empty_rows` is set."""

    def __init__(
        self,
        stream: ByteStream,
        labels: Sequence[str],
        *,
        empty_rows: bool = False,
        heading: bool = True,
        positions: bool = True,
    ) -> None:
        """Write the heading, where asked.

        Args:
            stream: takes the lines.
            labels: as the model has them.
            empty_rows: write a row for a frame without a face, too.
            heading: begin with one.
            positions: end rows with the position; False goes on with a file that an earlier version began.

        Raises:
            SinkFinished: the reader of the stream has closed it.
            SinkError: it could not be written.
        """
        self._stream = stream
        self._labels = tuple(labels)
        self._empty_rows, self._positions = empty_rows, positions
        if heading:
            write_line(stream, csv_line(columns(labels) if positions else columns(labels)[:-1]))

    def write(self, observation: Observation) -> None:
        """Write the rows of one observation.

        Raises:
            SinkFinished: the reader of the stream has closed it.
            SinkError: they could not be written, for example to a full disk.
        """
        start = (str(observation.seq), rfc3339(observation.wall_time), observation.source)
        position = "" if observation.position is None else f"{observation.position:.3f}"
        end = (position,) if self._positions else ()
        for number, scored in enumerate(observation.faces):
            box, scores = scored.face.box, scored.scores.as_dict()
            track = "" if scored.face.track_id is None else str(scored.face.track_id)
            place = (str(value) for value in (box.x, box.y, box.width, box.height))
            values = (f"{scores[label]:.4f}" for label in self._labels)
            score = f"{scores[scored.emotion]:.4f}"
            row = [*start, str(number), track, *place, scored.emotion, score, *values, *end]
            write_line(self._stream, csv_line(row))
        if self._empty_rows and not observation.faces:
            blanks = [""] * (len(FIXED_COLUMNS) - len(start) + len(self._labels))
            write_line(self._stream, csv_line([*start, *blanks, *end]))

    def close(self) -> None:
        """Nothing is buffered here."""


class CsvFileSink(CsvSink):
    """Writes rows to a file as they come, so that a long run can be followed and a power cut costs one row."""

    def __init__(self, path: Path, labels: Sequence[str], *, append: bool = False, empty_rows: bool = False) -> None:
        """Create or replace the file and write the heading; a link in its place is replaced, not followed.

        Args:
            path: the file.
            labels: as the model has them.
            append: go on behind the rows that are there already, as a service does that is started again.
            empty_rows: write a row for a frame without a face, too.

        Raises:
            SinkError: the file cannot be created.
            ConfigError: the file to go on with has other columns.
        """
        try:
            begun = open_again(path) if append else None
            self._file = begun or open_replacing(path)
            there = None if begun is None else _go_to_end(begun, labels, path)
        except OSError as exc:
            raise SinkError(f"cannot write {path}: {exc.strerror or exc}") from exc
        positions = there is None or POSITION in there
        super().__init__(self._file, labels, empty_rows=empty_rows, heading=there is None, positions=positions)

    def close(self) -> None:
        """Close the file; may be called more than once."""
        self._file.close()


def columns(labels: Sequence[str]) -> list[str]:
    """The columns of a table, for a model with these labels."""
    return [*FIXED_COLUMNS, *labels, POSITION]


def _go_to_end(file: FileIO, labels: Sequence[str], path: Path) -> Sequence[str] | None:
    """Go behind the last whole row, cutting off what a loss of power left of another; the columns that are there."""
    present = columns(labels)
    longest = csv_line(present).encode() + b"\n"
    begin = file.read(len(longest))
    if longest.startswith(begin) and begin != longest:  # nothing, or a heading that was cut
        file.seek(0)
        file.truncate()
        return None
    # Earlier versions wrote no position; a service that is started again after an update goes on with its file.
    known = (present, present[:-1])
    there = next((names for names in known if begin.startswith(csv_line(names).encode() + b"\n")), None)
    if there is None:
        file.close()
        raise ConfigError(f"{path} has other columns, those of another model: move it away, or name another file")
    end = file.seek(0, os.SEEK_END)
    begins_at = max(0, end - LONGEST_ROW_BYTES)
    file.seek(begins_at)
    end_of_row = begins_at + file.read().rfind(b"\n") + 1
    file.seek(end_of_row)
    file.truncate()
    return there


def csv_line(fields: Sequence[str]) -> str:
    """The fields as one CSV line without a line end, none of them a formula, quoted where RFC 4180 asks for it."""
    text = io.StringIO()
    # The writer quotes the characters of its line end, and with another one not the line ends within a field.
    csv.writer(text, lineterminator="\r\n").writerow([for_csv(field) for field in fields])
    return text.getvalue().removesuffix("\r\n")
