from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edge_fer.errors import SinkError
from edge_fer.sinks.csv import CsvFileSink, CsvSink
from edge_fer.types import FER_LABELS, Box
from tests.fakes import observation, scored_face

if TYPE_CHECKING:
    from pathlib import Path

TWO = observation(scored_face(Box(1, 2, 30, 40), "sad", track_id=5), scored_face(Box(9, 9, 20, 20)), seq=3)


def rows(stream: io.BytesIO) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(stream.getvalue().decode())))


def test_one_row_a_face() -> None:
    stream = io.BytesIO()
    CsvSink(stream, FER_LABELS).write(TWO)
    first, second = rows(stream)
    assert (first["seq"], first["face"], first["id"], first["x"], first["height"]) == ("3", "0", "5", "1", "40")
    assert (first["emotion"], first["score"], first["sad"]) == ("sad", "0.7000", "0.7000")
    assert (second["face"], second["id"], second["emotion"]) == ("1", "", "happy")


def test_a_frame_without_a_face_has_no_row_unless_asked_for() -> None:
    plain, full = io.BytesIO(), io.BytesIO()
    CsvSink(plain, FER_LABELS).write(observation())
    CsvSink(full, FER_LABELS, empty_rows=True).write(observation())
    assert rows(plain) == []
    [row] = rows(full)
    assert (row["source"], row["emotion"], row["neutral"]) == ("fake", "", "")


def test_names_with_commas_and_quotes_survive() -> None:
    stream = io.BytesIO()
    CsvSink(stream, FER_LABELS).write(replace(TWO, source='a, "b".jpg'))
    assert rows(stream)[0]["source"] == 'a, "b".jpg'


def test_rows_are_in_the_file_before_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    sink = CsvFileSink(path, FER_LABELS)
    sink.write(TWO)
    assert len(path.read_text().splitlines()) == 3
    sink.close()
    sink.close()


def test_a_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"cannot write .*faces\.csv: No such file or directory"):
        CsvFileSink(tmp_path / "none" / "faces.csv", FER_LABELS)
