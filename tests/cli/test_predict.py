from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner, Result

from edge_fer.cli.predict import command, expand
from edge_fer.types import FER_LABELS, Image
from tests.fakes import picture


@pytest.fixture
def folder(tmp_path: Path, astronaut: Image, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("astronaut.png", astronaut)
    cv2.imwrite("nobody.jpg", picture(320, 240))
    cv2.imwrite("face.png", picture(48, 48))
    cv2.imwrite("one.png", picture(1, 1))
    Path("text.jpg").write_text("hello")
    Path("empty.jpg").write_bytes(b"")
    Path("short.png").write_bytes(Path("astronaut.png").read_bytes()[:5000])
    return tmp_path


def predict(model: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--model", str(model)], catch_exceptions=False)


def test_every_face_is_told_with_its_box_and_best_emotions(folder: Path, tiny_model: Path) -> None:
    result = predict(tiny_model, "astronaut.png", "nobody.jpg", "--top", "3")
    assert result.exit_code == 0
    first, second = result.stdout.splitlines()
    assert first.startswith("astronaut.png: 1")
    assert first.count(" %") == 3
    assert second == "nobody.jpg: no face"


def test_json_has_one_line_a_picture_in_the_schema(folder: Path, tiny_model: Path) -> None:
    result = predict(tiny_model, "./astronaut.png", "nobody.jpg", "--json")
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert list(first) == ["schema", "seq", "time", "source", "size", "faces", "ms"]
    assert (first["source"], first["size"], first["seq"]) == ("./astronaut.png", [512, 512], 0)
    [face] = first["faces"]
    assert tuple(face["scores"]) == FER_LABELS
    assert face["score"] == max(face["scores"].values())
    assert (second["source"], second["faces"], second["seq"]) == ("nobody.jpg", [], 1)


def test_csv_has_a_row_for_every_face_and_every_picture_without_one(folder: Path, tiny_model: Path) -> None:
    result = predict(tiny_model, "astronaut.png", "nobody.jpg", "--csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [(row["source"], bool(row["emotion"])) for row in rows] == [("astronaut.png", True), ("nobody.jpg", False)]


def test_every_face_of_a_group_is_reported(folder: Path, tiny_model: Path, astronaut: Image) -> None:
    cv2.imwrite("group.png", cv2.hconcat([astronaut, cv2.flip(astronaut, 1), astronaut]))
    result = predict(tiny_model, "group.png", "--json")
    assert len(json.loads(result.stdout)["faces"]) == 3


def test_a_whole_picture_is_one_face(folder: Path, tiny_model: Path) -> None:
    result = predict(tiny_model, "face.png", "nobody.jpg", "--whole", "--json")
    boxes = [json.loads(line)["faces"][0]["box"] for line in result.stdout.splitlines()]
    assert boxes == [[0, 0, 48, 48], [0, 0, 320, 240]]


def test_annotated_copies_are_written(folder: Path, tiny_model: Path) -> None:
    assert predict(tiny_model, "astronaut.png", "face.png", "--annotate", "out").exit_code == 0
    assert {one.name for one in (folder / "out").iterdir()} == {"astronaut-annotated.png", "face-annotated.png"}


def test_bad_pictures_are_told_and_counted_and_the_others_done(folder: Path, tiny_model: Path) -> None:
    bad = ["text.jpg", "empty.jpg", "short.png", "none.jpg"]
    result = predict(tiny_model, *bad, "astronaut.png", "one.png", "--json")
    assert result.exit_code == 1
    assert [json.loads(line)["source"] for line in result.stdout.splitlines()] == ["astronaut.png", "one.png"]
    lines = result.stderr.splitlines()
    assert len(lines) == 5
    for name, line in zip(bad, lines, strict=False):
        assert name in line
    assert lines[-1] == "4 of 6 pictures could not be done"


def test_when_no_picture_can_be_opened_the_exit_code_is_3(folder: Path, tiny_model: Path) -> None:
    result = predict(tiny_model, "text.jpg")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (3, "", 1)


def test_folders_and_patterns_stand_for_their_pictures(folder: Path) -> None:
    (folder / "sub").mkdir()
    for name in ("b.jpg", "a.png", ".hidden.png", "notes.txt"):
        (folder / "sub" / name).write_bytes(b"x")
    assert expand(["sub"]) == ["sub/a.png", "sub/b.jpg"]
    assert expand(["sub/*.txt", "sub/?.jpg"]) == ["sub/notes.txt", "sub/b.jpg"]
    assert expand(["x*.jpg", "none.png"]) == ["x*.jpg", "none.png"]
    (folder / "[1].png").write_bytes(b"x")
    assert expand(["[1].png"]) == ["[1].png"]


def test_an_empty_folder_is_told(folder: Path, tiny_model: Path) -> None:
    (folder / "hollow").mkdir()
    result = predict(tiny_model, "hollow")
    assert result.exit_code == 3
    assert "hollow" in result.stderr


@pytest.mark.parametrize(
    "arguments", [(), ("a.png", "--json", "--csv"), ("a.png", "--backend", "x"), ("a.png", "--top", "0")]
)
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    assert CliRunner().invoke(command, arguments).exit_code == 2
