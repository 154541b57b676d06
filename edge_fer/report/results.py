"""Results as they were written, read one frame at a time: JSON lines, CSV, and the Parquet files of an archive.

What a file holds is decided by its first bytes. Results may come from strangers: what is no result is counted and left
out, and nothing in a file decides how much memory is taken.
"""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from edge_fer.errors import MissingExtra, SourceError
from edge_fer.sinks.csv import FIXED_COLUMNS, POSITION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LONGEST_LINE_BYTES = 16 * 2**20
MOST_LABELS = 1000
LONGEST_TEXT = 4096
LARGEST_SECONDS = 1e11
MOST_EVENTS = 10_000
"""Of a report; further ones are counted and left out."""
PARQUET = b"PAR1"
STANDARD_INPUT = "-"


class SeenFace(NamedTuple):
    """A face of a frame."""

    person: int | str | None
    """Its id; None where faces were not followed."""
    emotion: str
    scores: dict[str, float]


class SeenFrame(NamedTuple):
    """A frame with what was seen in it."""

    source: str
    seq: int
    position: float | None
    """Seconds in the film; None for pictures and live sources."""
    time: float
    """Seconds since 1970 UTC at which it was read; NaN where that is not known."""
    faces: Sequence[SeenFace]


class SeenEvent(NamedTuple):
    """Something that happened, as `edge-fer run --events` writes it."""

    source: str
    name: str
    position: float | None
    """Seconds in the film; None for live sources."""
    time: float
    """Seconds since 1970 UTC at which its frame was read."""
    person: int | None
    """The id of the face that it is of; None for one of the whole frame."""


@dataclass(slots=True)
class LeftOutLines:
    """What a file holds beside frames."""

    count: int = 0
    first: int = 0
    """Number of the first such line, from 1."""
    of_file: dict[str, tuple[int, int]] = field(default_factory=dict)
    """For each file that has any, how many and the first."""
    events: list[SeenEvent] = field(default_factory=list)
    """Events of all files, in the order in which they were written."""

    def add(self, line: int) -> None:
        """Count a line."""
        self.first = self.first or line
        self.count += 1

    def end_of(self, name: str) -> None:
        """Keep the count of this file, and begin the next."""
        if self.count:
            self.of_file[name] = (self.count, self.first)
        self.count = self.first = 0


def read_results(path: Path, stream: IO[bytes], left_out: LeftOutLines) -> Iterator[SeenFrame]:
    """The frames of one file of results, in its order.

    Args:
        path: of the file, for messages; the Parquet of an archive is opened by it.
        stream: the open file.
        left_out: counts lines that are no results.

    Raises:
        SourceError: it is none of the three kinds, or cannot be read.
        MissingExtra: it is Parquet, and pyarrow is not installed.
    """
    buffered = io.BufferedReader(stream, 2**16) if isinstance(stream, io.RawIOBase) else stream
    try:
        first = _readline(buffered)
        if first.startswith(PARQUET):
            yield from _parquet_frames(path)
        elif first.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") or not first.strip():
            yield from _json_frames(first, buffered, left_out)
        else:
            yield from _csv_frames(path, first, buffered, left_out)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from error
    left_out.end_of(str(path))


def _readline(stream: IO[bytes]) -> bytes:
    """The next line, or as much of it as may be kept; the rest of a longer one is passed over."""
    line = stream.readline(LONGEST_LINE_BYTES)
    if len(line) < LONGEST_LINE_BYTES or line.endswith(b"\n"):
        return line
    while rest := stream.readline(LONGEST_LINE_BYTES):
        if rest.endswith(b"\n"):
            break
    return b"(too long)\n"


def _json_frames(first: bytes, stream: IO[bytes], left_out: LeftOutLines) -> Iterator[SeenFrame]:
    number, line = 1, first.removeprefix(b"\xef\xbb\xbf")
    while line:
        if line.strip():
            frame = event = None
            try:
                record = json.loads(line.decode())
                event = _event_of(record)
                frame = None if event is not None else _frame_of(record)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                pass  # cut off by a loss of power, or of something else
            if frame is not None:
                yield frame
            elif event is not None and len(left_out.events) < MOST_EVENTS:
                left_out.events.append(event)
            else:
                left_out.add(number)
        line = _readline(stream)
        number += 1


def _frame_of(record: Any) -> SeenFrame | None:
    if not record["schema"].startswith("edge-fer/"):
        return None
    position = record.get(POSITION)
    time = _time_of(record["time"]) if position is None else math.nan
    faces = [_face(face["id"], face["emotion"], face["scores"]) for face in record["faces"]]
    return _checked(record["source"], record["seq"], position, time, faces)


def _event_of(record: Any) -> SeenEvent | None:
    if not record["schema"].startswith("edge-fer-event/"):
        return None
    source, name, person = record["source"], record["event"], (record.get("face") or {}).get("id")
    if not all(type(text) is str and len(text) <= LONGEST_TEXT for text in (source, name)):
        raise ValueError("no event")
    if not (person is None or type(person) is int):
        raise ValueError("no id")
    frame = _checked(source, record["seq"], record.get(POSITION), _time_of(record["time"]), ())
    return SeenEvent(source, name, frame.position, frame.time, person)


def _face(person: Any, emotion: Any, scores: dict[str, float]) -> SeenFace:
    if not (person is None or type(person) is int) or type(emotion) is not str or len(scores) > MOST_LABELS:
        raise ValueError("no face")
    # Together: one that is no number, or none that is finite, makes the sum such.
    if not (emotion in scores and math.isfinite(math.fsum(scores.values()))):
        raise ValueError("no scores")
    return SeenFace(person, emotion, scores)


def _checked(source: Any, seq: Any, position: Any, time: float, faces: Sequence[SeenFace]) -> SeenFrame:
    if type(source) is not str or len(source) > LONGEST_TEXT or type(seq) is not int:
        raise ValueError("no frame")
    if position is not None:
        position = float(position)
        if not 0.0 <= position <= LARGEST_SECONDS:
            raise ValueError("no position")
    return SeenFrame(source, seq, position, time, faces)


def _time_of(text: str) -> float:
    seconds = datetime.fromisoformat(text).timestamp()
    return seconds if abs(seconds) <= LARGEST_SECONDS else math.nan


def _csv_frames(path: Path, first: bytes, stream: IO[bytes], left_out: LeftOutLines) -> Iterator[SeenFrame]:
    heading = next(csv.reader([first.decode("utf-8-sig", "replace")]), [])
    if heading[: len(FIXED_COLUMNS)] != list(FIXED_COLUMNS):
        raise SourceError(f"{path} holds no results: give JSON lines or CSV of `edge-fer run`, or an archive")
    positioned = heading[-1] == POSITION
    labels = heading[len(FIXED_COLUMNS) : -1 if positioned else None]
    if len(labels) > MOST_LABELS:
        raise SourceError(f"{path} holds no results: it has {len(heading)} columns")
    place = {name: index for index, name in enumerate(FIXED_COLUMNS)}
    face_at, id_at, emotion_at, labels_at = place["face"], place["id"], place["emotion"], len(FIXED_COLUMNS)
    key: list[str] | None = None
    faces: list[SeenFace] = []

    def done() -> Iterator[SeenFrame]:
        if key is not None:
            position = float(key[3]) if key[3] else None
            time = _time_of(key[1]) if position is None else math.nan
            yield _checked(key[2], int(key[0]), position, time, faces)

    number = 1
    while line := _readline(stream):
        number += 1
        try:
            [row] = csv.reader([line.decode("utf-8", "replace")])
            if len(row) != len(heading):
                raise ValueError("another number of fields")
            begin = [*row[:3], row[-1] if positioned else ""]
            face = None
            if row[emotion_at]:
                values = {label: float(value) for label, value in zip(labels, row[labels_at:], strict=False)}
                face = _face(int(row[id_at]) if row[id_at] else None, row[emotion_at], values)
            if begin != key or row[face_at] in ("0", ""):
                yield from done()
                key, faces = begin, []
            if face is not None:
                faces.append(face)
        except (ValueError, csv.Error):
            left_out.add(number)
    try:
        yield from done()
    except ValueError:
        left_out.add(number)


def _parquet_frames(path: Path) -> Iterator[SeenFrame]:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise MissingExtra(f"{path} is Parquet, and reading it", "archive") from None
    import pyarrow

    try:
        with parquet.ParquetFile(str(path.absolute())) as file:
            for batch in file.iter_batches(batch_size=256):
                for row in batch.to_pylist():
                    yield from _frames_of_row(path, row)
    except (pyarrow.ArrowException, KeyError, TypeError, AttributeError, ValueError) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise SourceError(f"{path} holds no rows of an archive, or is damaged: {why}") from error


def _frames_of_row(path: Path, row: dict[str, Any]) -> Iterator[SeenFrame]:
    """The frames of one row: a picture, or a stretch of a film, of which those with a face."""
    if row["error"] is not None:
        return
    if row["kind"] == "picture":
        faces = [_face(None, face["emotion"], _scores_of(face)) for face in row["faces"]]
        yield _checked(row["path"], 0, None, math.nan, faces)
        return
    at: dict[float, list[SeenFace]] = {}
    for face in row["faces"]:
        # An id is that of its stretch: faces are not followed from one to the next.
        person = None if face["id"] is None else f"{row['segment']}.{face['id']}"
        found = SeenFace(person, *_face(None, face["emotion"], _scores_of(face))[1:])
        at.setdefault(face["position"], []).append(found)
    for position, faces in sorted(at.items()):
        yield _checked(row["path"], round(1000 * position), position, math.nan, faces)


def _scores_of(face: dict[str, Any]) -> dict[str, float]:
    scores = face["scores"]
    return dict(scores) if isinstance(scores, list) else scores
