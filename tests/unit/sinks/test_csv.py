from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edge_fer.errors import ConfigError, SinkError
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


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A file with a heading and two rows."""
    path = tmp_path / "faces.csv"
    sink = CsvFileSink(path, FER_LABELS)
    sink.write(TWO)
    sink.close()
    return path


def write_more(path: Path) -> list[str]:
    sink = CsvFileSink(path, FER_LABELS, append=True)
    sink.write(TWO)
    sink.close()
    return path.read_text().splitlines()


def test_a_file_is_gone_on_with_where_asked(begun: Path) -> None:
    before = begun.read_text().splitlines()

    assert write_more(begun) == [*before, *before[1:]]


def test_a_file_is_replaced_where_not_asked(begun: Path) -> None:
    CsvFileSink(begun, FER_LABELS).close()

    assert len(begun.read_text().splitlines()) == 1


@pytest.mark.parametrize("content", [None, b"", b"seq,ti"], ids=["absent", "empty", "half a heading"])
def test_a_file_to_go_on_with_that_is_hardly_one_is_begun(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "faces.csv"
    if content is not None:
        path.write_bytes(content)

    lines = write_more(path)

    assert len(lines) == 3
    assert lines[0].startswith("seq,time,")


def test_a_row_that_a_loss_of_power_cut_is_taken_away(begun: Path) -> None:
    before = begun.read_text()
    begun.write_text(before + "4,2026-11-21T0")

    assert write_more(begun)[:3] == before.splitlines()


def test_rows_of_another_model_are_not_mixed_with_ours(begun: Path) -> None:
    content = begun.read_bytes()

    with pytest.raises(ConfigError, match=r"other columns.*move it away"):
        CsvFileSink(begun, ("bad", "good"), append=True)

    assert begun.read_bytes() == content
