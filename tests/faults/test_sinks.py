"""Outputs that are closed, full, read-only, slow or oddly named: one line, and nothing half-written stays."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import cv2
import pytest

from edge_fer.errors import SinkError
from edge_fer.sinks.runner import SinkFinished
from edge_fer.sinks.video import LEAST_FREE_BYTES, VideoSink
from edge_fer.types import SourceInfo, View
from tests.fakes import observation, picture
from tests.programs import command_line, run_to_end

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge_fer.types import Image

LONG_SECONDS = 60
FILE = SourceInfo("clip", live=False, width=64, height=48, fps=12.5, frame_count=10)
READ_ONLY = 'mount -t tmpfs -o ro none "$0" && exec "$@"'
SMALL = 'mount -t tmpfs -o size=6m none "$0" && "$@"; code=$?; ls -A "$0" >&2; exit $code'


def lines_of(errors: str) -> list[str]:
    assert "Traceback" not in errors
    return errors.splitlines()


def mounted(script: str, folder: Path, command: Sequence[str]) -> list[str]:
    """The command in a mount name space of its own, where `folder` is another file system."""
    own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    prefix = [*own, "sh", "-c", script, str(folder)]
    if shutil.which("unshare") is None or run_to_end([*prefix, "true"]).returncode != 0:
        pytest.skip("file systems may not be mounted here")
    return [*prefix, *command]


@pytest.fixture
def photo(tmp_path: Path, astronaut: Image) -> Path:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), astronaut)
    return path


# Closed.


@pytest.mark.parametrize("command", ["run demo --json --max-frames 3", "predict PHOTO", "predict PHOTO --csv -"])
def test_a_closed_standard_output_is_one_line(tiny_model: Path, photo: Path, command: str) -> None:
    words = command_line(*command.replace("PHOTO", str(photo)).split(), "--model", tiny_model)
    result = run_to_end(["sh", "-c", '"$0" "$@" >&-', *words])
    assert result.returncode == 1
    assert [line for line in lines_of(result.stderr) if "standard output is closed" in line] == lines_of(result.stderr)


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- >&- 2>&-"])
def test_a_run_that_prints_no_results_needs_no_streams(tiny_model: Path, tmp_path: Path, closed: str) -> None:
    table = tmp_path / "out.csv"
    words = command_line("run", "demo", "--headless", "--max-frames", "5", "--csv", table, "--model", tiny_model)
    assert run_to_end(["sh", "-c", f'"$0" "$@" {closed}', *words]).returncode == 0
    assert len(table.read_text().splitlines()) == 6


# Full.


@pytest.mark.parametrize(
    "command",
    ["run demo --max-frames 5 --csv /dev/full", "predict PHOTO --json >/dev/full", "config show >/dev/full"],
)
def test_a_full_disk_is_one_line_and_exit_code_1(tiny_model: Path, photo: Path, command: str) -> None:
    model = "" if "config" in command else f"--model {tiny_model}"
    words, _, full = command.replace("PHOTO", str(photo)).partition(">")
    line = f"{sys.executable} -m edge_fer.cli.main {words} {model} {'>' + full if full else ''}"
    result = run_to_end(["sh", "-c", line])
    assert result.returncode == 1
    assert len([line for line in lines_of(result.stderr) if "No space left on device" in line]) == 1


def limited() -> None:
    """Files of this process may take 20 kB: what is beyond cannot be written, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_a_video_that_did_not_fit_is_told_and_the_older_one_stays(
    tmp_path: Path, tiny_model: Path, suffix: str
) -> None:
    video = tmp_path / f"out{suffix}"
    video.write_bytes(b"the older one")
    words = command_line("run", "demo", "--max-frames", "60", "--json", "--save", video, "--model", tiny_model)
    result = run_to_end(words, preexec_fn=limited)
    assert result.returncode == 1
    assert len([line for line in lines_of(result.stderr) if f"cannot write {video}" in line]) == 1
    assert "video: 1 failed" in result.stderr
    # The other results are whole.
    assert [json.loads(line)["seq"] for line in result.stdout.splitlines()] == list(range(60))
    assert [one.name for one in tmp_path.iterdir()] == [video.name]
    assert video.read_bytes() == b"the older one"


def test_a_video_ends_in_order_when_the_disk_is_nearly_full(tmp_path: Path) -> None:
    room = iter([10**9, 10**9, LEAST_FREE_BYTES - 1])
    sink = VideoSink(tmp_path / "out.mp4", FILE, free_bytes=lambda folder: next(room))
    view = View(observation(), picture())
    for _ in range(50):
        sink.write_view(view)
    with pytest.raises(SinkError, match=r"nearly full: .*out\.mp4 ends after 50 frames"):
        sink.write_view(view)
    with pytest.raises(SinkFinished) as caught:
        sink.write_view(view)
    assert not caught.value.ends_run
    sink.close()
    assert cv2.VideoCapture(str(tmp_path / "out.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 50
    assert [one.name for one in tmp_path.iterdir()] == ["out.mp4"]


def test_a_disk_that_is_too_small_for_a_video(tmp_path: Path, tiny_model: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    words = command_line(
        "run", "demo", "--max-frames", "40", "--json", "--save", folder / "o.mp4", "--model", tiny_model
    )
    result = run_to_end(mounted(SMALL, folder, words))
    assert result.returncode == 1
    assert "nearly full" in result.stderr
    assert len(result.stdout.splitlines()) == 40
    # Nothing was begun, so nothing stays.
    assert result.stderr.splitlines()[-1].startswith("video: 1 failed")


# Read-only.


@pytest.mark.parametrize(
    "command",
    [
        "run demo --max-frames 3 --save FOLDER/out.mp4",
        "run demo --max-frames 3 --csv FOLDER/out.csv",
        "predict PHOTO --annotate FOLDER",
        "predict PHOTO --annotate FOLDER/new",
    ],
)
def test_a_read_only_file_system_is_one_line(tmp_path: Path, tiny_model: Path, photo: Path, command: str) -> None:
    folder = tmp_path / "read-only"
    folder.mkdir()
    words = command_line(*command.replace("PHOTO", str(photo)).replace("FOLDER", str(folder)).split())
    result = run_to_end(mounted(READ_ONLY, folder, [*words, "--model", str(tiny_model)]))
    assert result.returncode == 1
    assert len(lines_of(result.stderr)) == 1
    assert str(folder) in result.stderr


# Slow.


def test_a_slow_reader_of_a_file_gets_every_line(tiny_model: Path) -> None:
    words = command_line("run", "demo", "--json", "--max-frames", "40", "--model", tiny_model)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        data = b""
        while piece := os.read(process.stdout.fileno(), 700):
            data += piece
            time.sleep(0.005)
        process.wait(LONG_SECONDS)
    assert process.returncode == 0
    assert [json.loads(line)["seq"] for line in data.splitlines()] == list(range(40))


def test_a_pipe_that_may_not_wait_gets_every_line(tiny_model: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    words = command_line("run", "demo", "--json", "--max-frames", "60", "--model", tiny_model)
    with subprocess.Popen(words, stdout=writing, stderr=subprocess.DEVNULL) as process:
        os.close(writing)
        time.sleep(1.0)
        with os.fdopen(reading, "rb") as file:
            lines = file.read().splitlines()
        assert process.wait(LONG_SECONDS) == 0
    assert [json.loads(line)["seq"] for line in lines] == list(range(60))


# Odd names.


def test_odd_names_of_outputs(tmp_path: Path, tiny_model: Path) -> None:
    for name in ("http:out.mp4", "a\nb.mp4", "%d.mp4", "é.mp4"):
        words = command_line("run", "demo", "--max-frames", "3", f"--save={name}", "--model", tiny_model)
        result = run_to_end(words, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        assert cv2.VideoCapture(str(tmp_path / name), cv2.CAP_FFMPEG).read()[0]
    words = [*map(os.fsencode, command_line("run", "demo", "--model", tiny_model)), b"--save=\xff.mp4"]
    result = run_to_end(words, cwd=tmp_path)
    assert result.returncode == 1
    assert "not UTF-8" in lines_of(result.stderr)[0]
