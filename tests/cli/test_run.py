from __future__ import annotations

import fcntl
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from edge_fer.cli.run import report_lines, source_text
from edge_fer.cli.run_settings import camera_name
from edge_fer.pipeline import RunReport
from edge_fer.sinks.summary import Tally, TruthCheck
from edge_fer.types import Image, SourceInfo
from tests.fakes import picture
from tests.programs import command_line, run_edge_fer, without_screen
from tests.waiting import until

LONG_SECONDS = 60


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run_edge_fer("run", *arguments, env=without_screen())


def start(*arguments: str | Path) -> subprocess.Popen[bytes]:
    # Without a buffer: what `readline` had read ahead, `communicate` would miss.
    return subprocess.Popen(
        command_line("run", *arguments), bufsize=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=without_screen()
    )


def assert_one_line(result: subprocess.CompletedProcess[str], exit_code: int, *words: str) -> None:
    assert result.returncode == exit_code, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in result.stderr


@pytest.fixture
def folder(tmp_path: Path, astronaut: Image) -> Path:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    cv2.imwrite(str(pictures / "a.png"), astronaut)
    cv2.imwrite(str(pictures / "b.jpg"), picture(320, 240))
    return pictures


def test_the_demo_ends_by_itself_and_tells_what_it_saw(tiny_model: Path) -> None:
    result = run("demo", "--model", tiny_model, "--max-frames", "30")
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    assert "demo: 640x480 at 30 FPS" in result.stderr
    assert "30 frames in" in result.stderr
    assert "compared with the truth: faces found" in result.stderr


def test_json_goes_to_standard_output_and_all_else_to_standard_error(tiny_model: Path, folder: Path) -> None:
    result = run(folder, "--model", tiny_model, "--json")
    assert result.returncode == 0, result.stderr
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert (first["schema"], first["seq"], first["size"]) == ("edge-fer/1", 0, [512, 512])
    assert len(first["faces"]) == 1
    assert second["faces"] == []
    assert "2 frames" in result.stderr


def test_csv_and_video_are_written(tiny_model: Path, tmp_path: Path) -> None:
    video, table = tmp_path / "out.mp4", tmp_path / "faces.csv"
    result = run("demo", "--model", tiny_model, "--max-frames", "5", "--save", video, "--csv", table, "--top", "3")
    assert result.returncode == 0, result.stderr
    assert int(cv2.VideoCapture(str(video)).get(cv2.CAP_PROP_FRAME_COUNT)) == 5
    assert table.read_text().startswith("seq,time,source,face,")
    assert {one.name for one in tmp_path.iterdir()} == {"out.mp4", "faces.csv"}


def test_the_real_clip_runs(tiny_model: Path, shared_data: Path) -> None:
    result = run(shared_data / "video" / "one-woman.mp4", "--model", tiny_model, "--json", "--max-frames", "20")
    assert result.returncode == 0, result.stderr
    faces = [len(json.loads(line)["faces"]) for line in result.stdout.splitlines()]
    assert len(faces) == 20
    assert sum(faces) >= 19


def test_a_duration_ends_the_run(tiny_model: Path) -> None:
    result = run("demo", "--model", tiny_model, "--duration", "0.2")
    assert result.returncode == 0, result.stderr
    assert re.search(r"\d frames? in ", result.stderr)


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_signals_end_the_run_in_order(tiny_model: Path, tmp_path: Path, number: int, exit_code: int) -> None:
    video = tmp_path / "out.mp4"
    process = start("demo", "--model", tiny_model, "--json", "--save", video)
    assert process.stdout is not None
    process.stdout.readline()
    # On a busy machine the first line can be out long before the first picture is drawn.
    until(lambda: any(tmp_path.iterdir()), "a video is begun")
    process.send_signal(number)
    output, errors = process.communicate(timeout=LONG_SECONDS)
    assert process.returncode == exit_code, errors
    assert b"Traceback" not in errors
    assert b"frames in" in errors or b"frame in" in errors
    assert all(json.loads(line) for line in output.splitlines())
    assert len(output.splitlines()) < 299
    # What was saved until then is complete.
    assert cv2.VideoCapture(str(video)).read()[0]
    assert [one.name for one in tmp_path.iterdir()] == ["out.mp4"]


def test_sigterm_ends_a_run_whose_output_nobody_reads(tiny_model: Path) -> None:
    process = start("demo", "--model", tiny_model, "--json")
    assert process.stdout is not None
    fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
    assert process.stdout.readline()
    # The pipe now holds some ten lines and the run writes hundreds: it cannot end by itself.
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=2)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=LONG_SECONDS)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert b"Fatal" not in errors


def test_a_reader_that_leaves_ends_the_run_quietly(tiny_model: Path) -> None:
    process = start("demo", "--model", tiny_model, "--json")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=LONG_SECONDS) == 0
    assert b"Traceback" not in errors
    assert b"Broken" not in errors


def test_a_full_disk_is_told_and_the_run_goes_on(tiny_model: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        process = subprocess.Popen(
            command_line("run", "demo", "--model", tiny_model, "--json", "--max-frames", "5"),
            stdout=full,
            stderr=subprocess.PIPE,
        )
        _, errors = process.communicate(timeout=LONG_SECONDS)
    assert process.returncode == 1
    assert b"No space left on device" in errors
    assert b"5 frames" in errors
    assert b"Traceback" not in errors


def test_a_window_without_a_screen_does_not_stop_the_run(tiny_model: Path) -> None:
    result = run("demo", "--model", tiny_model, "--show", "--max-frames", "3")
    assert result.returncode == 0, result.stderr
    assert "window" in result.stderr
    assert "the run goes on without" in result.stderr
    assert "3 frames" in result.stderr


@pytest.mark.parametrize(
    ("name", "content"),
    [("none.mp4", None), ("empty.mp4", b""), ("text.mp4", b"hello, this is no video"), ("text.jpg", b"hello")],
)
def test_a_source_that_cannot_be_opened_is_one_line(
    tiny_model: Path, tmp_path: Path, name: str, content: bytes | None
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert_one_line(run(path, "--model", tiny_model), 3, name)


def test_a_missing_camera_is_one_line(tiny_model: Path) -> None:
    if Path("/dev/video63").exists():
        pytest.skip("this machine has a camera number 63")
    assert_one_line(run("--camera", "63", "--model", tiny_model), 3, "63")


def test_a_model_that_is_none_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_text("hello")
    assert_one_line(run("demo", "--model", path), 4, "model.tflite")


def test_a_missing_cascade_is_one_line(tiny_model: Path, tmp_path: Path) -> None:
    assert_one_line(run("demo", "--model", tiny_model, "--cascade", tmp_path / "no.xml"), 78, "no.xml")


def test_a_file_that_cannot_be_saved_is_one_line(tiny_model: Path, tmp_path: Path) -> None:
    assert_one_line(run("demo", "--model", tiny_model, "--save", tmp_path / "no" / "x.mp4"), 1, "x.mp4")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("demo", "--camera", "0"),
        ("demo", "--threads", "0"),
        ("demo", "--max-frames", "x"),
        ("demo", "--duration", "0"),
        ("demo", "--scale-factor", "1"),
        ("demo", "--nonsense"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert "Usage:" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_camera_that_is_not_there_is_waited_for_where_that_is_asked_and_sigterm_ends_it() -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "edge_fer", "run", "--camera", "4242", "--wait", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    lines = (child.stderr.readline() for _ in range(10))
    said = next(line for line in lines if "waiting" in line)
    child.send_signal(signal.SIGTERM)
    output, rest = child.communicate(timeout=60)
    assert said.startswith("no camera /dev/video4242;")
    assert said.endswith("; waiting for it\n")
    assert (child.returncode, output, "Traceback" in rest) == (0, "", False)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("0", "0"),
        ("rpicam", "rpicam"),
        ("rpicam:1", "rpicam:1"),
        ("/dev/video2", "/dev/video2"),
        ("usb-Cam_1-video-index0", "/dev/v4l/by-id/usb-Cam_1-video-index0"),
        ("rtsp://host/live", "rtsp://host/live"),
    ],
)
def test_camera_names(text: str, name: str) -> None:
    assert camera_name(text) == name


def test_a_camera_that_is_waited_for_has_no_size_yet() -> None:
    asked = SourceInfo("camera 0", True, None, None, None, 640, 480, 30.0)
    assert source_text(asked) == "camera 0: asking for 640x480 at 30 FPS"
    assert source_text(SourceInfo("rtsp://host/live", True, None, None, None)) == "rtsp://host/live: connecting"


def test_what_was_asked_for_and_what_came_are_both_told() -> None:
    asked = SourceInfo("camera 0", True, 1280, 720, 29.97, 640, 480, 30.0)
    assert source_text(asked) == "camera 0: asked for 640x480 at 30 FPS, got 1280x720 at 30 FPS"
    assert source_text(SourceInfo("clip", False, 596, 336, 24.7, frame_count=115)) == (
        "clip: 596x336 at 24.7 FPS, 115 frames"
    )
    assert source_text(SourceInfo("photos", False, None, None, None, frame_count=2)) == (
        "photos: pictures of their own size, 2 frames"
    )


@pytest.mark.parametrize(("frames", "expected"), [(1, "1 frame"), (2, "2 frames"), (0, "0 frames")])
def test_the_frames_of_a_file_are_counted(frames: int, expected: str) -> None:
    info = SourceInfo("photo.jpg", False, 640, 480, None, frame_count=frames)
    assert source_text(info) == f"photo.jpg: 640x480, {expected}"


def test_the_report_names_what_was_lost() -> None:
    lines = report_lines(RunReport("stop", 1.0, Tally(), TruthCheck(), {"json": 3}, {"video": 1}))
    assert lines[0] == "no frame came"
    assert "json: 3 not written, it was too slow" in lines
    assert "video: 1 failed" in lines
