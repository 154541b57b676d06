"""A hundred times unplugged and plugged in again: memory, threads, file handles and processes stay as they were."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge_fer.camera.live import open_live
from edge_fer.camera.settings import CameraSettings
from edge_fer.camera.supervisor import SupervisedSource
from edge_fer.camera.v4l2 import open_v4l2
from edge_fer.errors import SourceTimeout
from edge_fer.types import SourceInfo
from tests.camera_fakes import FakeCapture
from tests.fakes import FakeClock, picture
from tests.logs import kept_in
from tests.rpicam_fake import FakeProgram

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.protocols import FrameSource
    from edge_fer.types import Image

LONG = 30.0
WARM_UP, CYCLES = 5, 100
WIDTH, HEIGHT = 640, 480
FRAME_BYTES = WIDTH * HEIGHT * 3
PICTURES = [picture(WIDTH, HEIGHT, seed) for seed in range(3)]


class PluggedCapture(FakeCapture):
    """A capture of a device that is there as long as its file is; holds a file handle as a real one does."""

    def __init__(self, device: Path) -> None:
        super().__init__(self._next)
        self._device, self._frames = device, 0
        self._handle: int | None = os.open(os.devnull, os.O_RDONLY)

    def _next(self, index: int) -> tuple[bool, Image | None]:
        time.sleep(0.001)
        return (True, PICTURES[index % len(PICTURES)].copy()) if self._device.exists() else (False, None)

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        super().release()


class Cycles:
    """A watched camera, plugged in and out as fast as it can follow."""

    def __init__(self, open_source: Callable[[], FrameSource], device: Path | None) -> None:
        self.clock = FakeClock()
        self._lines: list[str] = []
        self.source = SupervisedSource(
            open_source,
            SourceInfo("camera 7", True, None, None, None),
            # The fake time passes faster than threads can follow on a busy machine: silence is no loss here.
            stall_seconds=1e6,
            patience_seconds=1e6,
            clock=self.clock,
            log=kept_in(self._lines),
            device=None if device is None else lambda: device,
        )
        self.seq = -1

    @property
    def told(self) -> int:
        """Lines so far."""
        return len(self._lines)

    def read_until(self, wanted: Callable[[], bool], pass_seconds: float = 0.0) -> None:
        deadline = time.monotonic() + LONG
        while not wanted():
            assert time.monotonic() < deadline, self.source.state
            self.clock.now += pass_seconds
            try:
                frame = self.source.read(0.01)
            except SourceTimeout:
                continue
            assert frame.seq > self.seq
            self.seq = frame.seq

    def calm_down(self) -> None:
        """Let so much time pass with frames that the next pause is a short one again."""
        for _ in range(3):
            self.clock.now += 4.0
            before = self.seq
            self.read_until(lambda: self.seq > before)  # noqa: B023 - called at once

    def settled(self) -> tuple[int, int, int]:
        """Threads, file handles and traced bytes, once what ends has ended."""
        gc.collect()
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir())), tracemalloc.get_traced_memory()[0]


def run_cycles(cycles: Cycles, pull_out: Callable[[], None], plug_in: Callable[[], None]) -> None:
    """Warm up, measure, do it a hundred times, measure again."""
    before = (0, 0, 0)
    tracemalloc.start()
    try:
        for number in range(WARM_UP + CYCLES):
            cycles.read_until(lambda: cycles.source.state.up, pass_seconds=0.5)
            if number == WARM_UP:
                before = cycles.settled()
            cycles.calm_down()
            pull_out()
            cycles.read_until(lambda: not cycles.source.state.up)
            plug_in()
        cycles.read_until(lambda: cycles.source.state.up, pass_seconds=0.5)
        after = cycles.settled()
    finally:
        tracemalloc.stop()
        cycles.source.close()
    assert cycles.source.state.reopened == WARM_UP + CYCLES
    assert cycles.told == 2 * (WARM_UP + CYCLES)
    assert after[0] <= before[0]
    assert after[1] <= before[1]
    assert after[2] - before[2] < 3 * FRAME_BYTES


def test_a_usb_camera(tmp_path):
    device = tmp_path / "video0"
    device.touch()
    cycles = Cycles(
        lambda: open_v4l2("0", CameraSettings(), lambda name: PluggedCapture(Path(name)), tmp_path, wait=False), device
    )
    run_cycles(cycles, device.unlink, device.touch)


def test_a_camera_module(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    program = FakeProgram(tmp_path)
    cycles = Cycles(lambda: open_live("rpicam", CameraSettings(), wait=False), None)

    def pull_out() -> None:
        os.kill(program.processes[-1], signal.SIGKILL)

    run_cycles(cycles, pull_out, lambda: None)
    assert program.all_gone()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_whose_camera_hangs_and_whose_reader_takes_nothing(tmp_path, ending):
    program = FakeProgram(tmp_path)
    program.set("freeze")
    child = subprocess.Popen(
        [sys.executable, "-m", "edge_fer", "run", "--camera", "rpicam", "--json", "--csv", tmp_path / "out.csv"],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        deadline = time.monotonic() + LONG
        while not (tmp_path / "out.csv").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        child.send_signal(ending)
        assert child.wait(LONG) == (0 if ending == signal.SIGTERM else 130)
        assert child.stderr is not None
        assert b"Traceback" not in child.stderr.read()
        assert program.all_gone()
    finally:
        child.kill()
        child.communicate()
