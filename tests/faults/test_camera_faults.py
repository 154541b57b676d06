"""Cameras that are absent, busy, mute, stuck or broken: one line each, and never a wait without end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from edge_fer.camera.settings import CameraSettings
from edge_fer.camera.v4l2 import open_v4l2
from edge_fer.errors import SourceError, SourceLost
from tests.camera_fakes import FakeCapture, picture
from tests.rpicam_fake import FakeProgram

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LONG = 20.0
SHORT = CameraSettings(open_timeout_seconds=0.05)


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    """A folder of device files with one camera, number 0."""
    (tmp_path / "video0").touch()
    return tmp_path


def message_of(devices: Path, text: str, capture: FakeCapture, settings: CameraSettings) -> str:
    with pytest.raises(SourceError) as caught:
        open_v4l2(text, settings, lambda _: capture, devices)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_no_camera_at_all(tmp_path):
    message = message_of(tmp_path, "0", FakeCapture(), SHORT)
    assert f"{tmp_path}/video0" in message
    assert "no camera is connected" in message


def test_a_missing_number_names_the_cameras_that_are_there(devices):
    (devices / "video10").touch()
    (devices / "video2").touch()
    message = message_of(devices, "7", FakeCapture(), SHORT)
    assert f"{devices}/video0, {devices}/video2, {devices}/video10" in message


def test_a_by_id_name_that_is_gone(devices):
    assert "usb-gone" in message_of(devices, str(devices / "v4l/by-id/usb-gone"), FakeCapture(), SHORT)


def test_a_busy_camera_is_named_with_the_way_to_find_who_uses_it(devices):
    capture = FakeCapture(opened=False)
    message = message_of(devices, "0", capture, SHORT)
    assert "another program uses it" in message
    assert f"fuser -v {devices}/video0" in message
    assert capture.released.is_set()


def test_an_opener_that_raises_is_a_busy_camera(devices):
    def raises(_: str) -> FakeCapture:
        raise cv2.error("internal\ndetails")

    with pytest.raises(SourceError, match="cannot open camera") as caught:
        open_v4l2("0", SHORT, raises, devices)
    assert "internal" not in str(caught.value)


def test_a_camera_that_opens_and_stays_mute(devices):
    capture = FakeCapture(permits=0)
    assert "no frame came" in message_of(devices, "0", capture, SHORT)
    capture.allow()
    assert capture.released.wait(LONG)


def test_a_camera_that_opens_and_gives_failed_reads(devices):
    message = message_of(devices, "0", FakeCapture(lambda _: (False, None)), CameraSettings())
    assert "gives no frames" in message


def test_an_opening_that_never_returns(devices):
    release = threading.Event()

    def stuck(_: str) -> FakeCapture:
        release.wait(LONG)
        return FakeCapture()

    with pytest.raises(SourceError, match="no frame came"):
        open_v4l2("0", SHORT, stuck, devices)
    release.set()


def test_close_returns_while_a_read_is_stuck_and_the_camera_is_released_after_it(devices):
    capture = FakeCapture(permits=1)
    source = open_v4l2("0", CameraSettings(), lambda _: capture, devices)
    closing = threading.Thread(target=source.close)
    closing.start()
    closing.join(LONG)
    assert not closing.is_alive()
    assert not capture.released.is_set()
    capture.allow()
    assert capture.released.wait(LONG)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        np.empty((0, 0, 3), np.uint8),
        np.zeros((48, 64, 2), np.uint8),
        np.zeros((48, 64, 3), np.uint16),
        np.zeros((1, 48, 64, 3), np.uint8),
        "not pixels",
    ],
    ids=["none", "empty", "two channels", "16 bits", "four axes", "text"],
)
def test_frames_that_are_no_pictures_never_come_out(devices, bad: Any):
    def every_other(index: int) -> tuple[bool, Any]:
        return (True, picture(index)) if index % 2 == 0 else (True, bad)

    source = open_v4l2("0", CameraSettings(), lambda _: FakeCapture(every_other), devices)
    seen = [int(source.read(LONG).image[0, 0, 0]) for _ in range(3)]
    source.close()
    assert all(value % 2 == 0 for value in seen)


@pytest.mark.parametrize("problem", [cv2.error("gone"), MemoryError("no room"), OSError(19, "No such device")])
def test_a_camera_that_is_pulled_out_is_lost_and_released(devices, problem):
    def pulled_out(index: int) -> tuple[bool, Any]:
        if index == 0:
            return True, picture(1)
        raise problem

    capture = FakeCapture(pulled_out)
    source = open_v4l2("0", CameraSettings(), lambda _: capture, devices)
    source.read(LONG)
    with pytest.raises(SourceLost, match="video0"):
        source.read(LONG)
    assert capture.released.wait(LONG)


def test_a_slow_camera_is_waited_for(devices):
    opened: Callable[[str], FakeCapture] = lambda _: capture  # noqa: E731
    capture = FakeCapture(permits=1)
    source = open_v4l2("0", CameraSettings(), opened, devices)
    source.read(LONG)
    threading.Timer(0.05, capture.allow).start()
    assert source.read(LONG).seq == 1
    capture.allow(10)
    source.close()


class Run:
    """`edge-fer run` as a process, with what it has said so far."""

    def __init__(self, folder: Path, *arguments: str, system_programs: bool = True) -> None:
        self.output, self.errors = folder / "output", folder / "errors"
        environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}" if system_programs else str(folder)}
        with self.output.open("wb") as output, self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edge_fer", "run", *arguments], stdout=output, stderr=errors, env=environment
            )

    @property
    def lines(self) -> list[str]:
        """Whole lines of the output."""
        return self.output.read_text().split("\n")[:-1]

    @property
    def said(self) -> str:
        """Standard error."""
        return self.errors.read_text()

    def wait_until(self, wanted: Callable[[], bool]) -> None:
        """Wait for something, as long as the process lives."""
        deadline = time.monotonic() + 60
        while not wanted():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.02)

    def end(self) -> int:
        """Ask it to end and return its exit code."""
        self.process.terminate()
        return self.process.wait(LONG)


def test_a_run_goes_on_when_its_camera_is_back(tmp_path):
    program = FakeProgram(tmp_path)
    run = Run(tmp_path, "--camera", "rpicam", "--json", "--stall-seconds", "1")
    try:
        run.wait_until(lambda: len(run.lines) > 3)
        os.kill(program.processes[-1], signal.SIGKILL)
        run.wait_until(lambda: "is back after" in run.said)
        before = len(run.lines)
        run.wait_until(lambda: len(run.lines) > before + 3)
        assert run.end() == 0
    finally:
        run.process.kill()
        run.process.wait()
    numbers = [json.loads(line)["seq"] for line in run.lines]
    assert numbers == sorted(set(numbers))
    assert run.said.count("waiting for it") == run.said.count("is back after") == 1
    assert "rpicam-vid ended by signal 9" in run.said
    assert "Traceback" not in run.said
    assert program.all_gone()


def test_a_frozen_camera_is_noticed_and_the_run_goes_on(tmp_path):
    program = FakeProgram(tmp_path)
    run = Run(tmp_path, "--camera", "rpicam", "--json", "--stall-seconds", "0.5")
    try:
        run.wait_until(lambda: len(run.lines) > 3)
        program.set("freeze")
        run.wait_until(lambda: "has given no frame for" in run.said)
        program.unset("freeze")
        run.wait_until(lambda: "is back after" in run.said)
        assert run.end() == 0
    finally:
        run.process.kill()
        run.process.wait()
    assert program.all_gone()


def test_a_camera_module_without_its_program_is_exit_code_3(tmp_path):
    run = Run(tmp_path, "--camera", "rpicam", "--json", system_programs=False)
    assert run.process.wait(60) == 3
    assert "needs the program rpicam-vid" in run.said
    assert len(run.said.splitlines()) == 1
