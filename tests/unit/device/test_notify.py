"""What systemd hears, over real sockets: ready once, alive while the loop goes round, and nothing when it hangs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from edge_fer.device.notify import (
    OPENING_SECONDS,
    STATUS_SECONDS,
    Notifier,
    ServiceHeartbeat,
    ServiceManager,
    service_manager,
)
from edge_fer.faces.tracking import EachFrame
from edge_fer.pipeline import Pipeline, RunLimits
from edge_fer.types import Box
from tests.fakes import EndlessSource, FakeClassifier, FakeClock, FakeDetector, observation, picture, scored_face

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONG = 20.0


class FakeManager:
    """A service manager's end of the socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        """The lines that came since the last look."""
        lines: list[str] = []
        while True:
            try:
                lines += self._socket.recv(65536).decode().split("\n")
            except BlockingIOError:
                return lines

    def hear_until(self, wanted: Callable[[list[str]], bool]) -> list[str]:
        """All lines until some are the wanted ones, or for a long time."""
        lines: list[str] = []
        deadline = time.monotonic() + LONG
        while not wanted(lines) and time.monotonic() < deadline:
            lines += self.heard()
            time.sleep(0.01)
        return lines

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[FakeManager]:
    """A manager with a socket in the file system."""
    made = FakeManager(str(tmp_path / "notify"))
    yield made
    made.close()


class Rig:
    """A heartbeat, its clock and what is wrong with the camera."""

    def __init__(self, manager: FakeManager, watchdog_seconds: float | None = 20.0) -> None:
        self.clock = FakeClock()
        self.problem: str | None = None
        self.manager = manager
        self.heartbeat = ServiceHeartbeat(
            ServiceManager(Notifier(manager.address), watchdog_seconds), self.clock, lambda: self.problem
        )

    def beat(self, seconds: float = 0.0) -> list[str]:
        self.clock.now += seconds
        self.heartbeat.beat()
        return self.manager.heard()


@pytest.fixture
def rig(manager: FakeManager) -> Iterator[Rig]:
    made = Rig(manager)
    yield made
    made.heartbeat.close()


def test_ready_comes_with_the_first_frame_and_once(rig):
    assert rig.beat() == []
    rig.heartbeat.note(observation())
    assert rig.beat(0.2) == ["READY=1", "WATCHDOG=1", "STATUS=working"]
    rig.heartbeat.note(observation())
    assert rig.beat(0.2) == []


def test_ready_comes_when_there_is_a_camera_to_wait_for(rig):
    rig.problem = "no camera /dev/video0"
    assert rig.beat() == ["READY=1", "WATCHDOG=1", "STATUS=waiting: no camera /dev/video0"]


def test_ready_comes_when_an_opening_hangs(rig):
    rig.beat()
    assert rig.beat(OPENING_SECONDS - 0.1) == []
    assert rig.beat(0.1) == ["READY=1", "WATCHDOG=1", "STATUS=waiting for frames"]


def test_the_watchdog_is_told_once_a_second_and_oftener_where_it_is_short(rig, manager):
    rig.problem = "away"
    rig.beat()
    assert [rig.beat(0.2) for _ in range(5)] == [[], [], [], [], ["WATCHDOG=1"]]
    short = Rig(manager, watchdog_seconds=2.0)
    short.problem = "away"
    short.beat()
    assert short.beat(0.5) == ["WATCHDOG=1"]
    short.heartbeat.close()


def test_without_a_watchdog_nothing_is_said_of_it(manager):
    rig = Rig(manager, watchdog_seconds=None)
    rig.problem = "away"
    assert rig.beat() == ["READY=1", "STATUS=waiting: away"]
    assert rig.beat(100) == []
    rig.heartbeat.close()


def test_the_status_tells_rate_and_faces_and_at_once_when_the_camera_goes(rig):
    rig.heartbeat.note(observation())
    rig.beat()
    for _ in range(100):
        rig.heartbeat.note(observation(scored_face(Box(4, 4, 24, 24))))
    assert rig.beat(STATUS_SECONDS) == ["WATCHDOG=1", "STATUS=20.0 frames per second, 1 face"]
    rig.problem = "camera 7 gives no more frames"
    assert rig.beat(0.2) == ["STATUS=waiting: camera 7 gives no more frames"]
    rig.problem = None
    rig.heartbeat.note(observation())
    assert rig.beat(0.2) == ["STATUS=working"]


def test_a_status_is_one_line(rig):
    rig.problem = "odd\nREADY=0"
    assert rig.beat()[-1] == "STATUS=waiting: odd READY=0"


def test_the_end_is_told(rig):
    rig.heartbeat.stopping()
    assert rig.manager.heard()[0] == "STOPPING=1"


def test_an_end_that_is_none_is_told_as_such(manager):
    again = ServiceManager(Notifier(manager.address), None, lambda: True)
    heartbeat = ServiceHeartbeat(again, FakeClock(), lambda: None)
    heartbeat.stopping()
    assert manager.heard() == ["RELOADING=1", "STATUS=reading the settings again"]
    heartbeat.close()


def test_a_name_in_the_abstract_namespace():
    manager = FakeManager(f"@edge-fer-test-{os.getpid()}")
    rig = Rig(manager)
    rig.problem = "away"
    assert "READY=1" in rig.beat()
    rig.heartbeat.close()
    manager.close()


def test_a_manager_that_is_gone_or_takes_nothing_does_not_disturb(rig, manager):
    rig.problem = "away"
    for _ in range(2000):
        rig.clock.now += 1.0
        rig.heartbeat.beat()
    manager.close()
    rig.clock.now += 1.0
    rig.heartbeat.beat()
    rig.heartbeat.close()
    rig.heartbeat.stopping()


def test_ready_is_said_again_until_it_was_taken(tmp_path):
    rig = Rig(FakeManager(str(tmp_path / "gone")))
    rig.problem = "away"
    rig.manager.close()
    rig.heartbeat.beat()
    (tmp_path / "gone").unlink()
    rig.manager = FakeManager(str(tmp_path / "gone"))
    assert rig.beat(1.0)[0] == "READY=1"
    rig.heartbeat.close()
    rig.manager.close()


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "42"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "41"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
    ],
)
def test_the_watchdog_of_the_environment(environment, seconds):
    found = service_manager({"NOTIFY_SOCKET": "/run/notify", **environment}, process=42)
    assert found is not None
    assert found.watchdog_seconds == seconds
    found.notifier.close()


@pytest.mark.parametrize("address", [None, "", "/", "vsock:2:1234", "relative"])
def test_no_manager(address):
    assert service_manager({} if address is None else {"NOTIFY_SOCKET": address}) is None


def test_a_loop_that_hangs_sends_nothing(rig, manager):
    hang, let_go = threading.Event(), threading.Event()

    class Detector(FakeDetector):
        def detect(self, image):
            if hang.is_set():
                assert let_go.wait(LONG)
            return super().detect(image)

    clock = rig.clock
    clock.step_seconds = 0.5
    stop = threading.Event()
    pipeline = Pipeline(
        EndlessSource(picture()),
        EachFrame(Detector(Box(4, 4, 24, 24))),
        FakeClassifier(),
        [],
        clock,
        limits=RunLimits(),
        note=rig.heartbeat.note,
        heartbeat=rig.heartbeat,
        services=[rig.heartbeat],
    )
    loop = threading.Thread(target=pipeline.run, args=(stop,))
    loop.start()
    assert "WATCHDOG=1" in manager.hear_until(lambda lines: lines.count("WATCHDOG=1") > 3)
    hang.set()
    while manager.heard():
        time.sleep(0.05)
    time.sleep(0.3)
    assert manager.heard() == []
    hang.clear()
    let_go.set()
    assert "WATCHDOG=1" in manager.hear_until(lambda lines: "WATCHDOG=1" in lines)
    clock.step_seconds = 0.0  # a manager that is notified a thousand times per second would not hear the end
    manager.heard()
    stop.set()
    loop.join(LONG)
    assert "STOPPING=1" in manager.heard()
    pipeline.close()


def test_a_run_without_a_camera_is_a_service_that_lives(manager):
    environment = {**os.environ, "NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "2000000"}
    child = subprocess.Popen(
        [sys.executable, "-m", "edge_fer", "run", "--camera", "4242", "--wait", "--headless"],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        lines = manager.hear_until(lambda lines: lines.count("WATCHDOG=1") > 2)
        assert lines[0] == "READY=1"
        assert any(line.startswith("STATUS=waiting: no camera /dev/video4242") for line in lines)
        child.terminate()
        assert child.wait(LONG) == 0
        assert "STOPPING=1" in manager.heard()
    finally:
        child.kill()
        child.wait()
