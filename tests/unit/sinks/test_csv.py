from __future__ import annotations

import csv
import io
import os
from dataclasses import replace
from pathlib import Path

import pytest

from edge_fer.errors import ConfigError, SinkError
from edge_fer.sinks.csv import CsvFileSink, CsvSink
from edge_fer.types import FER_LABELS, Box
from tests.fakes import observation, scored_face

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


@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize("way", ["a link", "a hard link", "a link to nothing"])
def test_another_file_of_the_same_name_is_not_written_over(tmp_path: Path, way: str, append: bool) -> None:
    other, path = tmp_path / "other.txt", tmp_path / "faces.csv"
    if way != "a link to nothing":
        other.write_text("mine")
    if way == "a hard link":
        path.hardlink_to(other)
        if append:
            with pytest.raises(ConfigError, match="other columns"):
                CsvFileSink(path, FER_LABELS, append=True)
            assert other.read_text() == "mine"
            return
    else:
        path.symlink_to(other)
    CsvFileSink(path, FER_LABELS, append=append).close()
    assert path.read_text().startswith("seq,time,")
    assert not path.is_symlink()
    assert not other.exists() if way == "a link to nothing" else other.read_text() == "mine"
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted({"faces.csv", *(["other.txt"] * other.exists())})


def test_a_file_that_is_replaced_keeps_its_mode(begun: Path) -> None:
    begun.chmod(0o640)
    CsvFileSink(begun, FER_LABELS).close()
    assert begun.stat().st_mode & 0o777 == 0o640


def test_a_pipe_and_a_device_are_written_to(tmp_path: Path) -> None:
    CsvFileSink(Path("/dev/null"), FER_LABELS).close()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        CsvFileSink(pipe, FER_LABELS).close()
        assert os.read(reader, 100).startswith(b"seq,time,")
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_the_position_in_a_film_is_the_last_column() -> None:
    stream = io.BytesIO()
    sink = CsvSink(stream, FER_LABELS, empty_rows=True)
    for seen in (replace(TWO, position=12.3456), TWO, replace(observation(), position=0.0)):
        sink.write(seen)
    assert stream.getvalue().decode().splitlines()[0].endswith(",neutral,position")
    assert [row["position"] for row in rows(stream)] == ["12.346", "12.346", "", "", "0.000"]


def test_a_file_that_an_earlier_version_began_is_gone_on_with_in_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    sink = CsvFileSink(path, FER_LABELS)
    sink.write(TWO)
    sink.close()
    old = "".join(line.rpartition(",")[0] + "\n" for line in path.read_text().splitlines())
    path.write_text(old)

    assert write_more(path) == [*old.splitlines(), *old.splitlines()[1:]]
