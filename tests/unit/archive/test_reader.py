"""One row out for each row in, whatever the rows name, and in whichever kind of batch they come."""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING

import cv2
import pytest

from edge_fer.archive import Reader
from edge_fer.sinks.video import VideoSink
from edge_fer.types import SourceInfo, View
from tests.fakes import observation

if TYPE_CHECKING:
    from pathlib import Path

    from edge_fer.types import Image


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(detector="haar")


@pytest.fixture
def portrait(tmp_path: Path, astronaut: Image) -> Path:
    path = tmp_path / "portrait.jpg"
    cv2.imwrite(str(path), astronaut)
    return path


@pytest.fixture
def film(tmp_path: Path, astronaut: Image) -> Path:
    """Eight seconds of one face, with a frame per half a second."""
    path = tmp_path / "film.mp4"
    sink = VideoSink(path, SourceInfo("film", live=False, width=512, height=512, fps=2.0))
    for seq in range(16):
        sink.write_view(View(observation(seq=seq, captured_at=seq / 2), astronaut))
    sink.close()
    return path


def test_a_picture(reader: Reader, portrait: Path) -> None:
    row = reader.row({"id": 7, "path": str(portrait), "kind": "picture"})
    assert (row["id"], row["width"], row["height"], row["frames"], row["error"]) == (7, 512, 512, 1, None)
    [face] = row["faces"]
    assert face["emotion"] == "happy"
    assert sum(face["scores"].values()) == pytest.approx(1.0, abs=0.001)


def test_a_stretch_of_a_film_is_followed_from_before_and_reported_from_its_start(reader: Reader, film: Path) -> None:
    row = reader.row({"path": str(film), "kind": "film", "start": 4.0, "end": 6.0})
    assert (row["frames"], row["error"]) == (4, None)
    assert sorted({face["position"] for face in row["faces"]}) == [4.0, 4.5, 5.0, 5.5]
    assert {face["id"] for face in row["faces"]} == {1}


def test_a_last_stretch_that_holds_nothing_is_no_error(reader: Reader, film: Path) -> None:
    row = reader.row({"path": str(film), "kind": "film", "start": 600.0, "end": None})
    assert (row["frames"], row["faces"], row["error"]) == (0, [], None)


def test_one_frame_per_so_many_seconds(film: Path) -> None:
    row = Reader(detector="haar", every_seconds=2.0).row({"path": str(film)})
    assert (row["kind"], row["frames"]) == ("film", 4)
    assert {face["position"] for face in row["faces"]} == {0.0, 2.0, 4.0, 6.0}


@pytest.mark.parametrize("content", [None, b"", b"words", b"\xff\xd8\xff" + bytes(100), bytes(1000)], ids=str)
@pytest.mark.parametrize("kind", ["picture", "film", None])
def test_what_cannot_be_read_is_a_row_with_an_error(
    reader: Reader, tmp_path: Path, content: bytes | None, kind: str | None
) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    row = reader.row({"id": 3, "path": str(path), "kind": kind})
    assert (row["id"], row["faces"]) == (3, [])
    assert row["error"]


def test_a_name_that_is_no_utf8(reader: Reader, portrait: Path) -> None:
    odd = os.fsencode(portrait.parent) + b"/\xff\xfe.jpg"
    os.rename(portrait, odd)  # noqa: PTH104 - a name of bytes
    assert reader.row({"path": "shown", "path_bytes": odd, "kind": "picture"})["error"] is None


def test_batches_of_every_kind_give_the_same(reader: Reader, portrait: Path, film: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="needs the extra archive")
    columns = {"id": [4, 5, 6], "path": [str(portrait), str(portrait.parent / "none.jpg"), str(film)]}
    read = reader(columns)
    assert [len(read[name]) for name in read] == [3] * len(read)
    assert [error is None for error in read["error"]] == [True, False, True]
    table = reader(arrow.table(columns))
    assert table["id"].to_pylist() == [4, 5, 6]
    assert [len(faces) for faces in table["faces"].to_pylist()] == [len(faces) for faces in read["faces"]]


def test_a_reader_can_be_pickled(reader: Reader, portrait: Path) -> None:
    row = {"path": str(portrait)}
    assert pickle.loads(pickle.dumps(reader)).row(row) == reader.row(row)
