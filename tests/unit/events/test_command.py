"""Programs that are started for events, and those that misbehave."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from edge_fer.errors import SinkError
from edge_fer.events.actions import CommandAction
from edge_fer.events.command import MOST_LINES, CommandSink, event_variables
from edge_fer.events.desk import run_event_sink
from edge_fer.sinks.runner import Filling, SystemClock
from tests.event_makers import event
from tests.logs import logged
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path


def python(code: str, *arguments: object) -> CommandAction:
    return CommandAction((sys.executable, "-c", code, *map(str, arguments)))


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_values_come_as_environment_variables_and_output_is_logged() -> None:
    code = "import os; print(os.environ['EVENT_NAME'], os.environ['EVENT_SCORE'], os.environ['EVENT_POSITION'])"
    with logged("edge_fer.events") as told:
        CommandSink(python(code)).write(event(7))
    assert [record.split(": ", 1)[1] for record in told] == ["smile 0.9000 1.5"]


def test_no_shell_reads_the_arguments(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    CommandSink(CommandAction(("/bin/echo", f"; touch {marker}", "$(id)", "`id`"))).write(event())
    assert not marker.exists()


def test_a_blind_event_gives_neither_rule_nor_scores() -> None:
    variables = event_variables(event(blind=True))
    assert set(variables) == {
        "EVENT_ID", "EVENT_NAME", "EVENT_TIME", "EVENT_SEQ", "EVENT_SOURCE", "EVENT_JSON", "EVENT_POSITION",
    }  # fmt: skip
    assert "happy" not in json.dumps(variables)


def test_what_belongs_to_the_service_alone_is_not_handed_on() -> None:
    environment = {**os.environ, "CREDENTIALS_DIRECTORY": "/run/secrets", "NOTIFY_SOCKET": "/run/notify"}
    code = "import os; print(sorted({'CREDENTIALS_DIRECTORY', 'NOTIFY_SOCKET'} & set(os.environ)))"
    with logged("edge_fer.events") as told:
        CommandSink(python(code), environment=environment).write(event())
    assert told[-1].endswith(": []")


def test_a_program_that_fails_or_is_killed_is_named() -> None:
    with pytest.raises(SinkError, match="failed with exit code 3"):
        CommandSink(python("raise SystemExit(3)")).write(event())
    with pytest.raises(SinkError, match="was ended by SIGKILL"):
        CommandSink(python("import os; os.kill(os.getpid(), 9)")).write(event())


def test_a_program_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="cannot start gone: No such file"):
        CommandSink(CommandAction((str(tmp_path / "gone"),))).write(event())


def test_a_program_that_hangs_is_ended_with_what_it_has_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import os, subprocess, sys, time; child = subprocess.Popen(['sleep', '60']);"
        "open(sys.argv[1], 'w').write(f'{os.getpid()} {child.pid}'); time.sleep(60)"
    )
    with pytest.raises(SinkError, match=r"took longer than 1\.5 s"):
        CommandSink(python(code, pids), limit_seconds=1.5).write(event())
    for pid in map(int, pids.read_text().split()):
        until(lambda pid=pid: not is_alive(pid), "it has ended")


def test_one_that_ignores_the_request_to_end_is_killed() -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    with pytest.raises(SinkError, match="took longer"):
        CommandSink(python(code), limit_seconds=0.5).write(event())


def test_a_flood_of_output_is_cut_and_its_program_ended() -> None:
    with logged("edge_fer.events") as told, pytest.raises(SinkError, match="wrote more than 64 KiB"):
        CommandSink(python("while True: print('x' * 2000)")).write(event())
    assert len(told) <= MOST_LINES + 1
    assert all(len(line) < 400 for line in told)


def test_output_that_would_move_a_terminal_is_written_out() -> None:
    with logged("edge_fer.events") as told:
        CommandSink(python("print('\\x1b[2J bad')")).write(event())
    assert told[-1].endswith("\\x1b[2J bad")


def test_what_is_left_running_in_the_background_holds_nothing_up() -> None:
    sink = CommandSink(CommandAction(("/bin/sh", "-c", "sleep 30 & echo begun")), limit_seconds=20)
    with logged("edge_fer.events") as told:
        sink.write(event())
    assert told[-1] == "sh: begun"


def test_the_end_of_a_run_ends_the_program_that_runs(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = "import os, sys, time; open(sys.argv[1], 'w').write(f'{os.getpid()} '); time.sleep(60)"
    sink = CommandSink(python(code, pid_file), limit_seconds=60)
    problems: list[SinkError] = []

    def work() -> None:
        try:
            sink.write(event())
        except SinkError as error:
            problems.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    until(lambda: pid_file.exists() and pid_file.read_text().endswith(" "), "the program runs")
    sink.end()
    thread.join()
    assert not is_alive(int(pid_file.read_text()))
    assert len(problems) == 1
    sink.write(event())  # starts nothing more


def test_a_failing_program_costs_its_own_event_and_not_the_next() -> None:
    runner = run_event_sink("command", CommandSink(CommandAction(("/bin/false",))), Filling.DROP_OLDEST, SystemClock())
    with logged("edge_fer.sinks.command") as told:
        runner.start()
        for number in range(3):
            runner.offer(event(number))
        runner.ask_to_finish()
        assert runner.wait(30)
    assert (runner.failures, runner.dropped, runner.written) == (3, 0, 0)
    assert [line for line in told if "exit code 1" in line]
