"""Results are read as they were written; what is no result is counted and left out."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge_fer.errors import SourceError
from edge_fer.report.results import LeftOutLines, SeenFrame, read_results
from edge_fer.sinks.csv import CsvSink
from edge_fer.sinks.jsonl import json_line
from edge_fer.types import FER_LABELS, Box
from tests.fakes import observation, scored_face

if TYPE_CHECKING:
    from edge_fer.types import Observation

TWO = replace(
    observation(scored_face(Box(1, 2, 30, 40), "sad", track_id=5), scored_face(Box(9, 9, 20, 20)), seq=3), position=0.12
)
SEEN = [TWO, replace(observation(seq=4), position=0.16), replace(TWO, seq=5, position=0.2)]
LINES = "".join(json_line(one) + "\n" for one in SEEN).encode()
LINE = LINES.splitlines()[0]
RECORD = json.loads(LINE)


def read(content: bytes, left_out: LeftOutLines | None = None) -> list[SeenFrame]:
    return list(read_results(Path("results"), io.BytesIO(content), left_out or LeftOutLines()))


def table(seen: list[Observation]) -> bytes:
    stream = io.BytesIO()
    sink = CsvSink(stream, FER_LABELS, empty_rows=True)
    for one in seen:
        sink.write(one)
    return stream.getvalue()


def test_json_lines() -> None:
    frames = read(LINES)
    assert [(frame.source, frame.seq, frame.position, len(frame.faces)) for frame in frames] == [
        ("fake", 3, 0.12, 2),
        ("fake", 4, 0.16, 0),
        ("fake", 5, 0.2, 2),
    ]
    assert [(face.person, face.emotion) for face in frames[0].faces] == [(5, "sad"), (None, "happy")]


def test_csv_gives_the_same() -> None:
    assert repr(read(table(SEEN))) == repr(read(LINES))  # the times of films are NaN


def test_csv_of_an_earlier_version_and_of_a_spreadsheet() -> None:
    old = "".join(line.rpartition(",")[0] + "\r\n" for line in table(SEEN).decode().splitlines())
    frames = read(b"\xef\xbb\xbf" + old.encode())
    assert [(one.seq, one.position, len(one.faces)) for one in frames] == [(3, None, 2), (4, None, 0), (5, None, 2)]
    assert frames[0].time == 1_700_000_000.25


@pytest.mark.parametrize(
    "line",
    [
        LINE[:-40],
        b"{}",
        b"[1, 2]",
        b"words",
        b'{"schema":"other/1"}',
        b"[" * 100_000,
        json.dumps({**RECORD, "position": -1}).encode(),
        json.dumps({**RECORD, "position": 1e300}).encode(),
        json.dumps({**RECORD, "seq": "1"}).encode(),
        json.dumps({**RECORD, "source": None}).encode(),
        json.dumps({**RECORD, "faces": {}, "time": 5, "position": None}).encode(),
        LINE.replace(b'"emotion":"sad"', b'"emotion":"none of these"'),
        LINE.replace(b"0.7,", b"NaN,"),
        LINE.replace(b"0.7,", b'"0.7",'),
        b"\xff\xfe\x00",
    ],
    ids=range(15),
)
def test_lines_that_are_no_results_are_counted_and_left_out(line: bytes) -> None:
    left_out = LeftOutLines()
    assert repr(read(LINES + line + b"\n" + LINES, left_out)) == repr(read(LINES) * 2)
    assert left_out.of_file == {"results": (1, 4)}


def test_a_row_that_was_cut_is_left_out() -> None:
    left_out = LeftOutLines()
    assert repr(read(table(SEEN) + b"6,2025-01-3", left_out)) == repr(read(LINES))
    assert left_out.of_file == {"results": (1, 7)}


@pytest.mark.parametrize("content", [b"one,two\n1,2\n", b"\x89PNG\r\n\x1a\n", b"words\n"])
def test_a_file_of_something_else_is_one_line(content: bytes) -> None:
    with pytest.raises(SourceError, match="holds no results"):
        read(content)
