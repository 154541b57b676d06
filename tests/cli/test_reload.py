"""SIGHUP: the same process goes on with the settings as they are now."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from edge_fer.cli.signals import StopSignals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONG_SECONDS = 60.0


class Run:
    """A run of the demo, round and round, as a service manager would start it: without a terminal."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.config = folder / "config.toml"
        self.config.write_text("")
        # Under nohup the tests, and what they start, would ignore SIGHUP.
        heeding = ["env", "--default-signal=HUP"]
        command = [*heeding, sys.executable, "-m", "edge_fer", "run", "--config", str(self.config), *arguments]
        environment = {**os.environ, "HOME": str(folder)}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, start_new_session=True
        )
        self.told = ""

    def wait_for(self, condition: Callable[[str], bool]) -> None:
        """Read its messages until that holds; what it prints is read on the way."""
        assert self.process.stderr is not None
        deadline = time.monotonic() + LONG_SECONDS
        while not condition(self.told):
            assert time.monotonic() < deadline, self.told
            assert self.process.poll() is None, self.told
            if select.select([self.process.stderr], [], [], 0.05)[0]:
                self.told += os.read(self.process.stderr.fileno(), 65536).decode()

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Exit code after SIGTERM, and all its messages."""
        self.send(signal.SIGTERM)
        _, rest = self.process.communicate(timeout=LONG_SECONDS)
        return self.process.returncode, self.told + rest.decode()


@pytest.fixture
def run(tmp_path: Path, tiny_model: Path) -> Iterator[Run]:
    # A camera that never comes keeps the loop going and costs nothing.
    run = Run(
        tmp_path, "--camera", "/dev/video-none", "--wait", "--model", str(tiny_model), "--csv", str(tmp_path / "f")
    )
    yield run
    if run.process.poll() is None:
        run.process.kill()
    run.process.communicate()


def runs(count: int) -> Callable[[str], bool]:
    """Whether it began so many times."""
    return lambda told: told.count("/dev/video-none: asking for") == count


def test_settings_are_read_anew_in_the_same_process(run: Run) -> None:
    run.wait_for(runs(1))
    run.config.write_text("width = 320\nheight = 240\n")

    run.send(signal.SIGHUP)
    run.wait_for(runs(2))

    assert "asking for 640x480" in run.told
    code, told = run.end()
    assert code == 0
    assert "asking for 320x240" in told
    assert "the settings were read again" in told


def test_settings_that_cannot_be_used_leave_those_from_before(run: Run) -> None:
    run.wait_for(runs(1))
    for number, text in enumerate(('width = "wide"\n', "modell = 1\n", 'cascade = "/none/at/all.xml"\n'), 2):
        run.config.write_text(text)
        run.send(signal.SIGHUP)
        run.wait_for(runs(number))

    code, told = run.end()
    assert code == 0
    assert "width must be a whole number" in told
    assert "did you mean model?" in told
    assert "all.xml" in told
    assert "320" not in told


def test_rows_that_were_written_stay(tmp_path: Path, tiny_model: Path) -> None:
    rows = tmp_path / "faces.csv"
    run = Run(tmp_path, "demo", "--serve", "127.0.0.1:0", "--model", str(tiny_model), "--csv", str(rows))
    try:
        run.wait_for(lambda _: rows.exists() and len(rows.read_text().splitlines()) > 2)
        run.send(signal.SIGHUP)
        run.wait_for(lambda told: "the settings were read again" in told)
        before = rows.read_text().splitlines()
        run.wait_for(lambda _: len(rows.read_text().splitlines()) > len(before) + 2)
    finally:
        code, _ = run.end()

    after = rows.read_text().splitlines()
    assert code == 0
    assert after[: len(before)] == before
    assert sum(line.startswith("seq,") for line in after) == 1


def test_a_wish_to_stop_counts_more_than_one_to_begin_anew() -> None:
    signals = StopSignals(detached=True)
    signals.running = True

    signals.handle(signal.SIGHUP, None)
    assert signals.stop.is_set()
    signals.handle(signal.SIGTERM, None)

    assert not signals.begin_again()


def test_the_next_run_has_an_event_of_its_own() -> None:
    signals = StopSignals(detached=True)
    signals.running = True
    assert not signals.begin_again()

    signals.handle(signal.SIGHUP, None)

    assert signals.begin_again()
    assert not signals.stop.is_set()
    assert not signals.running
    assert not signals.begin_again()


def test_the_end_of_a_terminal_ends_the_run() -> None:
    signals = StopSignals(detached=False)
    signals.running = True

    signals.handle(signal.SIGHUP, None)

    assert signals.stop.is_set()
    assert not signals.begin_again()
    assert not signals.interrupted


def test_a_video_cannot_go_on_so_a_hangup_ends_it(tmp_path: Path, tiny_model: Path) -> None:
    video = tmp_path / "out.avi"
    run = Run(tmp_path, "demo", "--serve", "127.0.0.1:0", "--model", str(tiny_model), "--save", str(video), "--json")
    assert run.process.stdout is not None
    line = run.process.stdout.readline()

    run.send(signal.SIGHUP)
    run.process.communicate(timeout=LONG_SECONDS)

    assert json.loads(line)["seq"] == 0
    assert run.process.returncode == 0
    assert video.exists()
