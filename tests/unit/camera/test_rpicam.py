"""A camera module behind a child process: a fake `rpicam-vid` on the PATH stands for the real one."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from edge_fer.camera.live import is_live, open_live, open_watched
from edge_fer.camera.rpicam import command, open_rpicam
from edge_fer.camera.settings import CameraSettings
from edge_fer.errors import SourceError, SourceLost, SourceTimeout
from edge_fer.sinks.runner import SystemClock
from tests.logs import logged
from tests.rpicam_fake import FakeProgram

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge_fer.protocols import FrameSource
    from edge_fer.types import Frame

LONG = 20.0
SETTINGS = CameraSettings(width=320, height=240, fps=15)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProgram:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return FakeProgram(tmp_path)


@pytest.fixture
def opened() -> Iterator[Callable[..., FrameSource]]:
    """Open cameras that are closed when the test is over."""
    sources: list[FrameSource] = []

    def open_one(text: str = "rpicam", **options: bool) -> FrameSource:
        sources.append(open_rpicam(text, SETTINGS, **options))
        return sources[-1]

    yield open_one
    for source in sources:
        source.close()


def read(source: FrameSource) -> Frame:
    """The next frame, however long it takes."""
    deadline = time.monotonic() + LONG
    while True:
        try:
            return source.read(0.05)
        except SourceTimeout:
            assert time.monotonic() < deadline


def test_frames_come_from_the_program(program, opened):
    source = opened()
    first, second = read(source), read(source)
    assert first.image.shape == (240, 320, 3)
    assert (first.source, second.seq > first.seq) == ("rpicam", True)
    assert (source.info.width, source.info.height, source.info.requested_fps) == (320, 240, 15)
    assert source.info.live


def test_what_it_is_asked_for(program, opened):
    read(opened("rpicam:1"))
    asked = (program.folder / "arguments").read_text()
    for option in ("--camera 1", "--codec mjpeg", "--width 320", "--height 240", "--framerate 15", "--timeout 0"):
        assert option in asked
    assert "--nopreview" in asked
    assert "--output -" in asked
    assert command("x", "rpicam", SETTINGS)[1:3] == ["--camera", "0"]


def test_closing_ends_the_program_and_leaves_no_zombie(program, opened):
    source = opened()
    assert len(program.left) == 1
    source.close()
    assert program.left == []


def test_closing_ends_a_program_that_writes_nothing(program, opened):
    program.set("mute")
    source = opened(wait=False)
    with pytest.raises(SourceTimeout):
        source.read(0.2)
    source.close()
    assert program.all_gone()
    assert source.released


def test_closing_at_once_leaves_nothing_behind(program, opened):
    opened(wait=False).close()
    time.sleep(0.05)
    assert program.all_gone()


def test_the_last_words_of_the_program_stand_in_the_message(program):
    program.set("words", "[1:2:3] INFO Camera\n\x1b[1;31mERROR: *** no cameras available ***\n\n")
    with pytest.raises(SourceError) as caught:
        open_rpicam("rpicam", SETTINGS)
    message = str(caught.value)
    assert "rpicam-vid ended with exit code 255: " in message
    assert "ERROR: *** no cameras available ***" in message
    assert "check the ribbon cable" in message
    assert "\x1b" not in message
    assert program.all_gone()


def test_a_program_that_ends_is_a_lost_camera(program, opened):
    program.set("once")
    source = opened()
    read(source)
    with pytest.raises(SourceLost, match="ended with exit code 3: ERROR: the sensor is gone"):
        read(source)
    assert program.all_gone()


def test_a_program_that_is_killed_is_a_lost_camera(program, opened):
    source = opened()
    os.kill(program.processes[0], 9)
    assert program.all_gone()
    while not source.released:
        time.sleep(0.01)
    read(source)
    with pytest.raises(SourceLost, match="ended by signal 9"):
        read(source)


def test_words_without_end_do_not_stop_the_frames(program, opened):
    program.set("noisy")
    source = opened()
    for _ in range(5):
        read(source)


def test_a_missing_program_is_named_with_the_way_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="sudo apt install rpicam-apps"):
        open_rpicam("rpicam", SETTINGS)


def test_the_name_before_2023_does_too(program, opened):
    (program.folder / "rpicam-vid").rename(program.folder / "libcamera-vid")
    assert read(opened()).width == 320


def test_a_program_that_cannot_be_run(program, opened):
    (program.folder / "rpicam-vid").write_text("no program")
    with pytest.raises(SourceError, match=r"cannot run .*rpicam-vid: Exec format error"):
        opened()


@pytest.mark.parametrize(("text", "live"), [("rpicam", True), ("rpicam:1", True), ("rpicam:x", False), ("rpi", False)])
def test_names(text, live):
    assert is_live(text) is live


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What is logged of the camera."""
    with logged("edge_fer.camera") as lines:
        yield lines


def test_frozen_or_killed_it_is_started_again(program, told):
    source = open_watched(
        "rpicam", CameraSettings(stall_seconds=0.3, open_timeout_seconds=5), SystemClock(), wait=False
    )

    def read_until(wanted: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LONG
        while not wanted() and time.monotonic() < deadline:
            try:
                source.read(0.05)
            except SourceTimeout:
                continue
        assert wanted()

    read_until(lambda: source.state.up)
    os.kill(program.processes[0], 9)
    read_until(lambda: source.state.reopened == 1)
    program.set("freeze")
    read_until(lambda: not source.state.up)
    program.unset("freeze")
    read_until(lambda: source.state.reopened == 2)
    assert "ended by signal 9" in told[0]
    assert "has given no frame for" in told[2]
    assert len(told) == 4
    assert len(program.left) == 1
    source.close()
    assert program.all_gone()


def test_the_name_leads_to_the_program(program):
    source = open_live("rpicam", SETTINGS)
    assert source.info.name == "rpicam"
    source.close()
