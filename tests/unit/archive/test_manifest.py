"""The manifest: every file once, in rows that never change, and shards that hold every row once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from edge_fer.errors import SourceError

pytest.importorskip("pyarrow", reason="needs the extra archive")

from edge_fer.archive import manifest as module
from edge_fer.archive.manifest import Plan, plan, rows_of, shards
from tests.unit.camera.test_files import write_picture, write_video

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.png", "b.png", "deep/c.png"):
        write_picture(folder / name)
    write_video(folder / "film.avi")
    (folder / "notes.txt").write_text("words")
    return folder


def planned(folder: Path, *sources: object, recursive: bool = True) -> Plan:
    folder.mkdir(exist_ok=True)
    return plan(folder, [str(source) for source in sources], recursive=recursive, max_picture_px=10**7)


def rows(folder: Path) -> list[dict[str, Any]]:
    return [row for _, some in rows_of(folder, set(shards(folder))) for row in some]


def test_every_file_is_a_row(tmp_path: Path, pictures: Path) -> None:
    result = planned(tmp_path / "out", pictures)
    assert (result.rows, result.added, result.left_out.line()) == (4, 4, "skipped: 1 not a picture or video")
    found = rows(tmp_path / "out")
    assert [row["id"] for row in found] == [0, 1, 2, 3]
    assert [(os.path.relpath(row["path"], pictures), row["kind"]) for row in found] == [
        ("a.png", "picture"),
        ("b.png", "picture"),
        ("film.avi", "film"),
        ("deep/c.png", "picture"),
    ]


def test_what_is_there_keeps_its_row_and_what_was_added_is_added(tmp_path: Path, pictures: Path) -> None:
    planned(tmp_path / "out", pictures)
    before = rows(tmp_path / "out")
    write_picture(pictures / "aa.png")
    write_picture(pictures / "b.png", 30)
    os.utime(pictures / "b.png", (1, 1))
    result = planned(tmp_path / "out", pictures)
    assert (result.rows, result.added, result.changed) == (5, 1, 1)
    found = rows(tmp_path / "out")
    assert found[:4] == before
    assert (found[4]["id"], os.path.basename(found[4]["path"])) == (4, "aa.png")  # noqa: PTH119
    assert planned(tmp_path / "out", pictures).added == 0


def test_a_file_named_twice_is_one_row(tmp_path: Path, pictures: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text(f"{pictures / 'a.png'}\n\n{pictures}/deep\r\n")
    result = planned(tmp_path / "out", pictures / "a.png", f"{pictures}/*.png", pictures, f"@{names}")
    assert result.rows == 4


def test_names_that_are_no_utf8_have_a_row(tmp_path: Path, pictures: Path) -> None:
    odd = os.fsencode(pictures) + b"/\xff.png"
    os.rename(pictures / "a.png", odd)  # noqa: PTH104 - a name of bytes
    planned(tmp_path / "out", pictures)
    assert [row["path_bytes"] for row in rows(tmp_path / "out") if row["path_bytes"]] == [odd]
    assert planned(tmp_path / "out", pictures).added == 0


def test_a_long_film_is_divided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT_SECONDS", 1.0)
    write_video(tmp_path / "film.avi", frames=50)
    planned(tmp_path / "out", tmp_path / "film.avi")
    found = [(row["segment"], row["start"], row["end"]) for row in rows(tmp_path / "out")]
    assert found == [(0, 0.0, 1.0), (1, 1.0, 2.0), (2, 2.0, None)]


def test_shards_hold_every_row_once(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(2500):
        (tmp_path / "in" / f"{number:04}.jpg").touch()
    planned(tmp_path / "out", tmp_path / "in")
    counts = shards(tmp_path / "out")
    assert sum(counts.values()) == 2500
    assert max(counts.values()) == 12
    assert [row["id"] for row in rows(tmp_path / "out")] == list(range(2500))


@pytest.mark.parametrize("what", ["an empty folder", "nothing that is read", "no list"])
def test_nothing_to_read_is_one_line(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    if what == "nothing that is read":
        (folder / "notes.txt").write_text("words")
    source = f"@{tmp_path / 'none.txt'}" if what == "no list" else folder
    with pytest.raises(SourceError, match="cannot read the list" if what == "no list" else "nothing to read"):
        planned(tmp_path / "out", source)
