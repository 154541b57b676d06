"""An archive is made whole whatever is killed on the way: each row of the manifest is in it, and once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("pyarrow", reason="needs the extra archive")

import pyarrow.parquet as parquet

from edge_fer.archive import local
from edge_fer.archive.columns import write_table
from edge_fer.archive.place import locked
from edge_fer.errors import SinkError
from tests.programs import command_line, run_edge_fer
from tests.unit.camera.test_files import write_picture

if TYPE_CHECKING:
    from pathlib import Path

PICTURES = 120
KILLS = 3


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for number in range(PICTURES):
        write_picture(tmp_path / "in" / f"{number}.png", number)
    (tmp_path / "in" / "broken.jpg").write_bytes(b"no picture")
    return tmp_path


def arguments(place: Path, *more: object) -> list[object]:
    return ["archive", place / "in", "--out", place / "out", "--detector", "haar", *more]


def finish(place: Path, *more: object) -> None:
    done = run_edge_fer(*arguments(place, *more))
    assert done.returncode == 0, done.stderr


def rows(place: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = parquet.read_table(place / "out" / "rows").to_pylist()
    return found


def check_each_once(place: Path) -> None:
    wanted = parquet.read_table(place / "out" / "manifest")["id"].to_pylist()
    assert sorted(row["id"] for row in rows(place)) == wanted == list(range(PICTURES + 1))
    assert [row["path"].endswith("broken.jpg") for row in rows(place) if row["error"]] == [True]
    assert not list((place / "out" / "rows").glob(".*"))


def children_of(process: int) -> list[int]:
    with open(f"/proc/{process}/task/{process}/children") as file:  # noqa: PTH123
        return [int(word) for word in file.read().split()]


def start(place: Path) -> subprocess.Popen[bytes]:
    words = [str(word) for word in command_line(*arguments(place, "--jobs", 2))]
    return subprocess.Popen(words, stderr=subprocess.DEVNULL)


def wait_for_rows(process: subprocess.Popen[bytes], place: Path, more_than: int) -> None:
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if len(list((place / "out" / "rows").glob("rows-*"))) > more_than and children_of(process.pid):
            return
        time.sleep(0.01)


def test_the_one_who_leads_is_killed_again_and_again(place: Path) -> None:
    chance = random.Random(20)
    for number in range(KILLS):
        process = start(place)
        wait_for_rows(process, place, number)
        time.sleep(chance.random() / 10)
        process.send_signal(signal.SIGKILL)
        process.wait()
    finish(place)
    check_each_once(place)


def test_workers_are_killed_again_and_again(place: Path) -> None:
    chance = random.Random(21)
    process = start(place)
    killed = 0
    for number in range(KILLS):
        wait_for_rows(process, place, 2 * number)
        if workers := children_of(process.pid) if process.poll() is None else []:
            os.kill(chance.choice(workers), signal.SIGKILL)
            killed += 1
    assert process.wait(300) == 0
    assert killed
    check_each_once(place)


def test_a_file_that_kills_its_reader_twice_is_a_row_with_an_error(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A worker that ends when it reads the third row, as one that takes all memory would.
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if 'edge_fer.archive.worker' in sys.orig_argv:\n"
        "    from edge_fer.archive.reader import Reader\n"
        "    row = Reader.row\n"
        "    Reader.row = lambda self, one: os._exit(9) if one['id'] == 2 else row(self, one)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(hook))
    finish(place, "--jobs", 2)
    found = {row["id"]: row["error"] for row in rows(place)}
    assert sorted(found) == list(range(PICTURES + 1))
    assert "ended twice" in (found[2] or "")
    assert sum(error is not None for error in found.values()) == 2


def test_power_is_cut_between_write_and_rename(place: Path) -> None:
    finish(place)
    done = sorted((place / "out" / "rows").iterdir())
    done[0].rename(done[0].with_name(f".{done[0].name}.123.abcd"))
    finish(place)
    check_each_once(place)


def test_a_full_disk_is_one_line_and_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow

    table = pyarrow.table({"id": [1]})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(SinkError, match="No space left on device; run the same command again"):
            write_table(tmp_path / "rows.parquet", table)
    assert not list(tmp_path.iterdir())
    write_table(tmp_path / "rows.parquet", table)
    assert parquet.read_table(tmp_path / "rows.parquet").num_rows == 1


def test_two_runs_into_one_folder(place: Path) -> None:
    with locked(place / "out"):
        done = run_edge_fer(*arguments(place))
    assert done.returncode == 1
    assert f"is being filled by process {os.getpid()} on " in done.stderr
    finish(place)
    check_each_once(place)


def test_other_settings_are_refused_with_the_difference_and_new_begins_beside(place: Path) -> None:
    finish(place)
    done = run_edge_fer(*arguments(place, "--model", "nano"))
    assert done.returncode == 78
    assert "begun with other settings: model is fer2013-small" in done.stderr
    assert "fer2013-nano" in done.stderr
    finish(place, "--model", "nano", "--new")
    settings = [json.loads((place / name / "archive.json").read_text())["settings"] for name in ("out", "out-2")]
    assert settings[0]["model"] != settings[1]["model"]
    check_each_once(place)


def test_a_folder_with_other_files_is_not_filled(place: Path) -> None:
    (place / "out").mkdir()
    (place / "out" / "letter.txt").write_text("mine")
    done = run_edge_fer(*arguments(place))
    assert done.returncode == 78
    assert "holds files that are no archive" in done.stderr


def test_nothing_to_do_starts_nobody(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finish(place)
    monkeypatch.setattr(local, "_start", lambda: pytest.fail("a worker was started"))
    assert local.work(place / "out", {}, 2).rows == 0
