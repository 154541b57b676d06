from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from edge_fer.errors import SinkError
from edge_fer.sinks.annotated import AnnotatedFolder
from edge_fer.types import Box
from tests.fakes import observation, picture, scored_face

SEEN = observation(scored_face(Box(5, 5, 30, 30)))


@pytest.mark.parametrize(
    ("name", "written"), [("a.JPG", "a-annotated.JPG"), ("b.png", "b-annotated.png"), ("c.tiff", "c-annotated.png")]
)
def test_copies_keep_name_and_kind_where_possible(tmp_path: Path, name: str, written: str) -> None:
    path = AnnotatedFolder(tmp_path / "new" / "deep").save(Path("else") / name, picture(), SEEN)
    assert path.name == written
    assert cv2.imread(str(path)) is not None
    assert [one.name for one in path.parent.iterdir()] == [written]


def test_equal_names_do_not_overwrite_each_other(tmp_path: Path) -> None:
    folder = AnnotatedFolder(tmp_path)
    names = {folder.save(Path(parent) / "x.png", picture(), SEEN).name for parent in ("a", "b", "c")}
    assert names == {"x-annotated.png", "x-annotated-2.png", "x-annotated-3.png"}


def test_small_pictures_are_enlarged_so_that_words_fit(tmp_path: Path) -> None:
    path = AnnotatedFolder(tmp_path).save(Path("x.png"), picture(48, 48), SEEN)
    assert cv2.imread(str(path)).shape == (336, 336, 3)


def test_a_copy_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = AnnotatedFolder(tmp_path).save(Path("x.png"), picture(), SEEN)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="cannot make the folder"):
        AnnotatedFolder(tmp_path / "file")


def test_a_copy_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "x-annotated.png").mkdir()
    with pytest.raises(SinkError, match="cannot write"):
        AnnotatedFolder(tmp_path).save(Path("x.png"), picture(), SEEN)
    assert [one.name for one in tmp_path.iterdir()] == ["x-annotated.png"]
