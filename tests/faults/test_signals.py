"""Signals at any moment, stops and pauses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


LONG_SECONDS = 60
READY = """if True:
    import sys
    from edge_fer.cli.main import main
    try:
        print('ready', file=sys.stderr, flush=True)
        main()
    except KeyboardInterrupt:  # before anything had begun
        sys.exit(130)
"""


def start(*arguments: str | Path, **more: object) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-c", READY, *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)  # type: ignore[call-overload, no-any-return]


def results(process: subprocess.Popen[bytes]) -> bytes:
    """What a process printed until its end, and nothing that was read before."""
    assert process.stdout is not None
    output = process.stdout.read()
    process.wait(LONG_SECONDS)
    return output


def errors_of(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        return process.stderr.read()


def ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stderr is not None
    assert process.stderr.readline() == b"ready\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("milliseconds", [0, 60, 150, 300, 500, 900])
def test_a_signal_at_any_moment_of_the_start(tiny_model: Path, number: signal.Signals, milliseconds: int) -> None:
    process = start("run", "demo", "--json", "--model", tiny_model)
    ready(process)
    time.sleep(milliseconds / 1000)
    process.send_signal(number)
    output, errors = process.communicate(timeout=LONG_SECONDS)
    # Before the command has asked for its signals, SIGTERM ends the process itself.
    assert process.returncode in ((0, -signal.SIGTERM) if number == signal.SIGTERM else (0, 130)), errors
    assert b"Traceback" not in errors
    assert all(json.loads(line) for line in output.splitlines())


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_second_signal_ends_a_run_that_is_stuck_at_once(
    tmp_path: Path, tiny_model: Path, number: signal.Signals, exit_code: int
) -> None:
    # A table in a pipe that nobody reads: opening it never returns.
    os.mkfifo(tmp_path / "table.csv")
    process = start("run", "demo", "--csv", tmp_path / "table.csv", "--model", tiny_model)
    ready(process)
    time.sleep(1.0)
    for _ in range(2):
        if process.poll() is None:
            process.send_signal(number)
            time.sleep(0.3)
    _, errors = process.communicate(timeout=LONG_SECONDS)
    assert process.returncode in (exit_code, -number), errors
    assert b"Traceback" not in errors


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_two_signals_in_a_row_while_it_runs(tiny_model: Path, number: signal.Signals, exit_code: int) -> None:
    process = start("run", "demo", "--json", "--model", tiny_model)
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(number)
    process.send_signal(number)
    output, errors = results(process), errors_of(process)
    assert process.returncode == exit_code, errors
    assert b"Traceback" not in errors
    # Whole lines, but for the last one, which the second signal may have cut.
    assert [json.loads(line)["seq"] for line in [first, *output.split(b"\n")[:-1]]] == list(
        range(output.count(b"\n") + 1)
    )


def test_a_run_that_was_stopped_goes_on_where_it_was(tiny_model: Path) -> None:
    process = start("run", "demo", "--json", "--max-frames", "80", "--model", tiny_model)
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGSTOP)
    time.sleep(1.0)
    process.send_signal(signal.SIGCONT)
    output, errors = results(process), errors_of(process)
    assert process.returncode == 0, errors
    assert [json.loads(line)["seq"] for line in [first, *output.splitlines()]] == list(range(80))
