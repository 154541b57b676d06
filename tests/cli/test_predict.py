from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner, Result

from edge_fer.cli.predict import command, expand
from edge_fer.inference.manifest import read_manifest, write_manifest
from edge_fer.inference.notes import SIGMOIDS
from edge_fer.types import FER_LABELS, Image
from tests.fakes import picture
from tests.unit.camera.test_files import write_video


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


def test_what_is_wrong_with_a_model_is_said_beside_its_scores(folder: Path, tiny_model: Path) -> None:
    warning = "the data contradicts the declared label order"
    manifest = replace(read_manifest(tiny_model), output_kind="sigmoids", warnings=(warning,))
    model = folder / f"model{tiny_model.suffix}"
    model.write_bytes(tiny_model.read_bytes())
    write_manifest(model, manifest)
    result = predict(model, "astronaut.png", "face.png")
    assert [line for line in result.stderr.splitlines() if line.startswith("model: ")] == [
        f"model: {note}" for note in (SIGMOIDS, warning)
    ]
    assert "model: " not in predict(tiny_model, "astronaut.png").stderr


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
    assert lines[-1] == "4 of 6 pictures could not be processed"


def test_when_no_picture_can_be_opened_the_exit_code_is_3(folder: Path, tiny_model: Path) -> None:
    result = predict(tiny_model, "text.jpg")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (3, "", 1)


def names(given: list[str], *, recursive: bool = False) -> list[str]:
    return [name for name, _ in expand(given, recursive=recursive)[0]]


def test_folders_and_patterns_stand_for_their_files(folder: Path) -> None:
    (folder / "sub" / "deep").mkdir(parents=True)
    for name in ("b.jpg", "a.png", ".hidden.png", "notes.txt", "deep/c.jpg"):
        (folder / "sub" / name).write_bytes(b"x")
    assert names(["sub"]) == ["sub/a.png", "sub/b.jpg", "sub/notes.txt"]
    assert names(["sub"], recursive=True) == ["sub/a.png", "sub/b.jpg", "sub/notes.txt", "sub/deep/c.jpg"]
    assert expand(["sub"])[1].line() == "skipped: 1 folder (use --recursive)"
    assert names(["sub/*.txt", "sub/?.jpg"]) == ["sub/notes.txt", "sub/b.jpg"]
    assert names(["x*.jpg", "none.png"]) == ["x*.jpg", "none.png"]
    (folder / "[1].png").write_bytes(b"x")
    assert names(["[1].png"]) == ["[1].png"]


def test_what_a_folder_holds_beside_pictures_is_counted_by_reason(folder: Path, tiny_model: Path) -> None:
    (folder / "mixed").mkdir()
    data = Path("astronaut.png").read_bytes()
    for name in ("a.jfif", "b", "c.jpg_large"):
        (folder / "mixed" / name).write_bytes(data)
    for name in ("1.txt", "2.jpg", "3"):
        (folder / "mixed" / name).write_text("words")
    write_video(folder / "film.avi").rename(folder / "mixed" / "film.png")
    (folder / "mixed" / "x.jpg").write_bytes(b"GIF89a" + bytes(20))
    result = predict(tiny_model, "mixed")
    assert result.exit_code == 0
    read = [line.partition(":")[0] for line in result.stdout.splitlines()]
    assert read == ["mixed/a.jfif", "mixed/b", "mixed/c.jpg_large"]
    assert result.stderr == "skipped: 3 not pictures, 1 video (use run), 1 GIF (use run)\n"


def test_a_folder_without_a_picture_fails_and_says_what_it_holds(folder: Path, tiny_model: Path) -> None:
    (folder / "films").mkdir()
    write_video(folder / "films" / "a.avi")
    result = predict(tiny_model, "films")
    assert result.exit_code == 3
    assert result.stderr == "skipped: 1 video (use run)\nno pictures in films\n"


def test_a_film_is_referred_to_run(folder: Path, tiny_model: Path) -> None:
    write_video(folder / "my film.avi")
    result = predict(tiny_model, "my film.avi")
    assert result.exit_code == 3
    assert result.stderr == "my film.avi is a video and no picture: `edge-fer run 'my film.avi'` reads it\n"


def test_csv_takes_a_file_and_prints_lines_beside_it(folder: Path, tiny_model: Path) -> None:
    result = predict(tiny_model, "astronaut.png", "nobody.jpg", "--csv", "faces.csv")
    assert len(result.stdout.splitlines()) == 2
    assert "--csv" not in result.stderr
    rows = list(csv.DictReader(io.StringIO((folder / "faces.csv").read_text())))
    assert [row["source"] for row in rows] == ["astronaut.png", "nobody.jpg"]
    with_json = predict(tiny_model, "astronaut.png", "--json", "--csv", "faces.csv")
    assert json.loads(with_json.stdout)["source"] == "astronaut.png"
    assert len((folder / "faces.csv").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "words",
    [
        ("astronaut.png", "--csv"),
        ("--csv", "astronaut.png"),
        ("--csv", "--top", "2", "astronaut.png"),
        ("--csv", "only"),
    ],
)
def test_the_old_csv_without_a_file_prints_with_a_warning(
    folder: Path, tiny_model: Path, words: tuple[str, ...]
) -> None:
    (folder / "only").mkdir()
    (folder / "only" / "a.png").write_bytes((folder / "astronaut.png").read_bytes())
    before = (folder / "astronaut.png").read_bytes()
    result = predict(tiny_model, *words)
    assert result.exit_code == 0
    assert result.stdout.startswith("seq,time,source")
    assert "write `--csv -` for standard output" in result.stderr
    assert (folder / "astronaut.png").read_bytes() == before
    assert "write" not in predict(tiny_model, "astronaut.png", "--csv", "-").stderr


def test_annotated_pictures_of_equal_names_keep_their_folders(folder: Path, tiny_model: Path) -> None:
    for name in ("a/x.png", "a/b/x.png", "c/x.png", "c/y.png", "c/Z.png", "a/z.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((folder / "astronaut.png").read_bytes())
    assert predict(tiny_model, "a", "c", "--recursive", "--annotate", "out").exit_code == 0
    found = sorted(str(path.relative_to(folder / "out")) for path in (folder / "out").rglob("*.png"))
    assert found == [
        "a/b/x-annotated.png", "a/x-annotated.png", "a/z-annotated.png", "c/Z-annotated.png", "c/x-annotated.png",
        "y-annotated.png",
    ]  # fmt: skip


def test_an_empty_folder_is_told(folder: Path, tiny_model: Path) -> None:
    (folder / "hollow").mkdir()
    result = predict(tiny_model, "hollow")
    assert result.exit_code == 3
    assert "hollow" in result.stderr


@pytest.mark.parametrize(
    "arguments", [(), ("a.png", "--json", "--csv"), ("a.png", "--threads", "0"), ("a.png", "--top", "0")]
)
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    assert CliRunner().invoke(command, arguments).exit_code == 2


def test_a_face_and_its_mirror_image_have_the_same_scores_with_mirror(folder: Path, astronaut: Image) -> None:
    cv2.imwrite("face.png", astronaut[70:170, 175:275])
    cv2.imwrite("turned.png", astronaut[70:170, 175:275][:, ::-1])
    lines = {}
    for option in ((), ("--mirror",)):
        result = predict(Path("small"), "face.png", "turned.png", "--whole", "--json", *option)
        assert result.exit_code == 0
        lines[option] = [list(json.loads(line)["faces"][0]["scores"].values()) for line in result.stdout.splitlines()]
    (first, second), (one, other) = lines[()], lines["--mirror",]
    assert first != second
    assert one == pytest.approx(other, abs=2e-4)
    assert one == pytest.approx([(a + b) / 2 for a, b in zip(first, second, strict=True)], abs=2e-4)
