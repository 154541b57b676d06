"""`edge-fer report` as a user runs it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edge_fer.sinks.jsonl import json_line
from edge_fer.types import Box
from tests.fakes import observation, scored_face
from tests.programs import run_edge_fer

if TYPE_CHECKING:
    from pathlib import Path

FILES = ["report.html", "summary.csv", "summary.json"]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    path = tmp_path / "party.jsonl"
    seen = [observation(scored_face(Box(1, 2, 30, 40), "sad", track_id=1), seq=number) for number in range(50)]
    path.write_text("".join(json_line(replace(one, position=one.captured_at)) + "\n" for one in seen))
    return path


def test_a_summary_in_three_files(tmp_path: Path, results: Path) -> None:
    done = run_edge_fer("report", results, "--out", tmp_path / "out")
    assert (done.returncode, done.stdout) == (0, "")
    assert "fake: 50 frames, 1 person" in done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES
    [film] = json.loads((tmp_path / "out" / "summary.json").read_text())["films"]
    assert film["people"][0]["seconds_in_sight"] == pytest.approx(2.0, abs=0.01)
    with (tmp_path / "out" / "summary.csv").open(newline="") as file:
        assert [(row["person"], row["last_seen"]) for row in csv.DictReader(file)] == [("1", "2.0")]


def test_standard_input_and_folders(tmp_path: Path, results: Path) -> None:
    done = run_edge_fer("report", "-", "--out", tmp_path / "out", input=results.read_text())
    assert done.returncode == 0, done.stderr
    assert run_edge_fer("report", tmp_path, "--out", tmp_path / "out").returncode == 0


def test_lines_that_are_no_results_are_said(tmp_path: Path, results: Path) -> None:
    with results.open("a") as file:
        file.write('{"schema":"edge-f')
    done = run_edge_fer("report", results, "--out", tmp_path / "out")
    assert done.returncode == 0
    assert "1 line holds no result and is left out; the first is line 51" in done.stderr
    assert "1 line was left out" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (None, 3, "cannot read"),
        ("", 3, "no results in"),
        ("words\n", 3, "holds no results"),
        ("PAR1 and no more", 3, "is damaged"),
    ],
    ids=str,
)
def test_what_holds_no_results_is_one_line(tmp_path: Path, content: str | None, code: int, said: str) -> None:
    if content == "PAR1 and no more":
        pytest.importorskip("pyarrow", reason="needs the extra archive")
    path = tmp_path / "results"
    if content is not None:
        path.write_text(content)
    done = run_edge_fer("report", path, "--out", tmp_path / "out")
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_results_are_not_written_over(tmp_path: Path, results: Path) -> None:
    mine = results.rename(tmp_path / "summary.json")
    before = mine.read_bytes()
    done = run_edge_fer("report", mine, "--out", tmp_path)
    assert done.returncode == 2
    assert "would overwrite" in done.stderr
    assert mine.read_bytes() == before


def test_events_stand_on_the_timeline_of_their_film(tmp_path: Path, results: Path) -> None:
    def line(name: str, position: float, **more: object) -> str:
        known = {"schema": "edge-fer-event/1", "id": "x-1", "event": name, "time": "2025-01-31T12:00:00.000Z", "seq": 3}
        return json.dumps({**known, "position": position, "source": "fake", "face": {"id": 1}, **more}) + "\n"

    events = tmp_path / "events.jsonl"
    bad = [line("x", -1.0), line("x", 1.0, source=5), line("x", 1.0, face=[1]), line("x", 1.0, time="now")]
    good = [line("frown", 1.5), line("<b>frown", 0.5, face=None), line("frown", 1.0, source="other"), line("x", 99.0)]
    events.write_text("".join([*good, *bad]))
    done = run_edge_fer("report", results, events, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "2 events belong to no film of these results and are left out" in done.stderr
    assert f"{events}: 4 lines hold no result and are left out; the first is line 5" in done.stderr
    [film] = json.loads((tmp_path / "out" / "summary.json").read_text())["films"]
    assert film["events"] == [
        {"event": "<b>frown", "at": 0.5, "person": None},
        {"event": "frown", "at": 1.5, "person": 1},
    ]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<title>frown at 0:01.5</title>" in page
    assert "&lt;b&gt;frown at 0:00.5" in page
    assert "<b>frown" not in page


def test_a_run_and_its_events_make_a_report(tmp_path: Path) -> None:
    words = ("run", "demo", "--headless", "--max-frames", "60", "--json", "--on", "first: face for 1s")
    done = run_edge_fer(*words, "--events", tmp_path / "events.jsonl")
    (tmp_path / "demo.jsonl").write_text(done.stdout)
    assert run_edge_fer("report", tmp_path, "--out", tmp_path / "out").returncode == 0
    [film] = json.loads((tmp_path / "out" / "summary.json").read_text())["films"]
    assert film["events"] == [{"event": "first", "at": 1.0, "person": 1}]
