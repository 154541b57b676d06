"""Several files and folders in one run: one after the other, each as its own source."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import pytest

from edge_fer.sinks.video import VideoSink
from edge_fer.types import SourceInfo, View
from tests.fakes import observation
from tests.programs import run_edge_fer

if TYPE_CHECKING:
    import subprocess

    from edge_fer.types import Image


@pytest.fixture
def place(tmp_path: Path, astronaut: Image) -> Path:
    """Two films of one face, a photo of it, and what is neither."""
    info = SourceInfo("films", live=False, width=512, height=512, fps=10.0)
    for name in ("a.mp4", "b.avi"):
        sink = VideoSink(tmp_path / name, info)
        for seq in range(5):
            sink.write_view(View(observation(seq=seq, captured_at=seq / 10), astronaut))
        sink.close()
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "a.mp4").rename(tmp_path / "in" / "a")
    (tmp_path / "b.avi").rename(tmp_path / "in" / "deep" / "b.avi")
    cv2.imwrite(str(tmp_path / "in" / "c.png"), astronaut)
    (tmp_path / "in" / "notes.txt").write_text("words")
    return tmp_path


def run(place: Path, model: Path, *words: str) -> subprocess.CompletedProcess[Any]:
    return run_edge_fer("run", *words, "--headless", "--model", model, "--detector", "haar", cwd=place)


def test_a_folder_of_films_and_photos(place: Path, tiny_model: Path) -> None:
    done = run(place, tiny_model, "in", "--recursive", "--json")
    assert done.returncode == 0
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["source"], line["seq"]) for line in lines] == [
        *((str(Path("in/a")), seq) for seq in range(5)),
        ("in/c.png", 1),
        *(("in/deep/b.avi", seq) for seq in range(5)),
    ]
    ids = {name: {face["id"] for line in lines for face in line["faces"] if line["source"] == name}
           for name in ("in/a", "in/c.png", "in/deep/b.avi")}  # fmt: skip
    assert ids["in/c.png"] <= {None}
    assert ids["in/a"]
    assert not ids["in/a"] & ids["in/deep/b.avi"]
    assert "in: skipped: 1 not a picture or video" in done.stderr


def test_several_films_named_one_by_one_and_one_twice(place: Path, tiny_model: Path) -> None:
    done = run(place, tiny_model, "in/a", "in/a", "in/c.png", "--csv", "-")
    assert done.returncode == 0
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    first, second = ({row["id"] for row in part if row["source"] == "in/a"} for part in (rows[: len(rows) // 2], rows))
    assert len(second) > len(first) >= 1
    assert [row["source"] for row in rows if row["id"] == ""] == ["in/c.png"]


def test_a_folder_with_nothing_to_read_is_exit_code_3(place: Path, tiny_model: Path) -> None:
    (place / "none").mkdir()
    (place / "none" / "a.jpg").write_text("words")
    done = run(place, tiny_model, "none", "--json")
    assert done.returncode == 3
    assert "no picture or video in none; skipped: 1 not a picture or video" in done.stderr


@pytest.mark.parametrize("words", [("in/a", "demo"), ("in", "rtsp://host/a"), ("demo", "demo"), ("in", "0")])
def test_a_camera_a_stream_and_the_demo_stand_alone(place: Path, tiny_model: Path, words: tuple[str, ...]) -> None:
    done = run(place, tiny_model, *words)
    assert done.returncode == 2
    assert "several sources must be files and folders" in done.stderr


def test_films_are_saved_one_after_the_other(place: Path, tiny_model: Path) -> None:
    done = run(place, tiny_model, "in/a", "in/deep/b.avi", "--save", "out.mp4")
    assert done.returncode == 0
    capture = cv2.VideoCapture(str(place / "out.mp4"))
    frames = 0
    while capture.read()[0]:
        frames += 1
    assert frames == 10
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(10, rel=0.2)
    capture.release()


def test_a_part_of_a_film(place: Path) -> None:
    film = place / "in" / "a"
    done = run_edge_fer("run", film, "--headless", "--json", "--start", "0.1", "--end", "0.4", "--every", "0.2")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["position"] for line in done.stdout.splitlines()] == pytest.approx([0.1, 0.3])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("demo", "--every", "1"), "--every is for films"),
        (("--camera", "0", "--start", "1"), "--start is for films"),
        (("film.mp4", "--start", "5", "--end", "5"), "--end 5 is not after --start 5"),
        (("film.mp4", "--start", "-1"), "--start"),
        (("film.mp4", "--every", "0"), "--every"),
        (("film.mp4", "--end", "nan"), "--end"),
    ],
)
def test_parts_that_make_no_sense_are_refused(arguments: tuple[str, ...], said: str) -> None:
    done = run_edge_fer("run", *arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_film_that_ends_before_the_part_is_one_line(place: Path) -> None:
    done = run_edge_fer("run", place / "in" / "a", "--headless", "--json", "--start", "100")
    assert (done.returncode, done.stdout) == (3, "")
    assert "has no picture from 100 s on" in done.stderr


def test_faces_are_hidden_in_a_saved_film(place: Path, astronaut: Image) -> None:
    film = place / "in" / "a"
    done = run_edge_fer("run", film, "--headless", "--anonymize", "box", "--save", place / "out.avi")
    assert done.returncode == 0, done.stderr
    capture = cv2.VideoCapture(str(place / "out.avi"))
    read, image = capture.read()
    capture.release()
    assert read
    # The middle of the face.
    assert astronaut[90:150, 200:250].mean() > 100 > 40 > image[90:150, 200:250].mean()
