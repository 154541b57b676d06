"""Messages of a run: how many, and in which form."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge_fer.cli.logs import MessageLines, is_journal, priority, show_messages
from edge_fer.settings import LogOptions
from tests.mosquitto import free_port
from tests.programs import command_line, run_edge_fer, run_python

if TYPE_CHECKING:
    from pathlib import Path

RUN = ("run", "demo", "--no-show", "--max-frames", "20")


def record(message: str, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord("edge_fer.mqtt", level, __file__, 1, message, None, None)


def test_a_message_is_one_line_whatever_is_in_it() -> None:
    hostile = "camera\n<0>\x1b]0;x\x07\u202e\u2028 gone"
    for as_json in (False, True):
        for for_journal in (False, True):
            line = MessageLines(as_json=as_json, for_journal=for_journal).line(record(hostile))
            assert line.isprintable()
            assert line.startswith("<4>") == for_journal
            if as_json:
                found = json.loads(line.removeprefix("<4>"))
                assert found["level"] == "warning"
                assert found["logger"] == "edge_fer.mqtt"
                assert "gone" in found["message"]
                assert found["time"].endswith("Z")


@pytest.mark.parametrize(
    ("level", "expected"),
    [(logging.CRITICAL, 3), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7), (1, 7)],
)
def test_levels_have_the_priorities_of_syslog(level: int, expected: int) -> None:
    assert priority(level) == expected


def test_only_standard_error_that_leads_into_the_journal_is_the_journal() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "w") as stream:
        status = os.fstat(writing)
        assert is_journal({"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}, stream)
        assert not is_journal({"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino + 1}"}, stream)
        assert not is_journal({}, stream)
    assert not is_journal({"JOURNAL_STREAM": "1:2"}, object())


def test_a_quiet_run_says_nothing_unless_something_is_wrong(tiny_model: Path) -> None:
    quiet = run_edge_fer(*RUN, "--model", tiny_model, "-q")
    assert (quiet.returncode, quiet.stderr) == (0, "")
    pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt")
    wrong = run_edge_fer(*RUN, "--model", tiny_model, "-q", "--mqtt", f"mqtt://127.0.0.1:{free_port()}")
    assert wrong.returncode == 0
    assert len(wrong.stderr.splitlines()) == 1
    assert "mqtt: cannot reach" in wrong.stderr


def test_every_message_is_an_object_where_programs_read_them(tiny_model: Path, tmp_path: Path) -> None:
    done = run_edge_fer(*RUN, "--model", tiny_model, "--log-format", "json")
    found = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 0
    assert {one["level"] for one in found} == {"info"}
    assert any(one["message"].startswith("20 frames in") for one in found)
    assert all(one["logger"].startswith("edge_fer.") for one in found)
    failed = run_edge_fer("run", tmp_path / "nowhere.mp4", "--no-show", "--log-format", "json")
    (error,) = [json.loads(line) for line in failed.stderr.splitlines()]
    assert failed.returncode == 3
    assert error["level"] == "error"
    assert "nowhere.mp4" in error["message"]


def test_under_systemd_each_line_begins_with_its_priority(tiny_model: Path) -> None:
    reading, writing = os.pipe()
    status = os.fstat(writing)
    environment = os.environ | {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
    with os.fdopen(reading) as lines:
        for arguments, code, priorities in (
            (command_line(*RUN, "--model", tiny_model), 0, {"<6>"}),
            (command_line("run", "/nowhere.mp4", "--no-show"), 3, {"<3>"}),
        ):
            process = subprocess.Popen(arguments, stderr=writing, env=environment)
            assert process.wait(60) == code
            os.write(writing, b"end\n")
            read = list(iter(lines.readline, "end\n"))
            assert {line[:3] for line in read} == priorities
    os.close(writing)


def test_predict_says_as_much_as_it_is_asked_for_and_in_that_form(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "gone.txt").write_text("no picture")
    words = ["predict", tmp_path, tmp_path / "none.jpg", "--model", tiny_model]
    spoken = run_edge_fer(*words)
    assert len(spoken.stderr.splitlines()) == 2
    quiet = run_edge_fer(*words, "--quiet")
    assert "none.jpg" in quiet.stderr
    assert len(quiet.stderr.splitlines()) == 1
    records = [json.loads(line) for line in run_edge_fer(*words, "--log-format", "json").stderr.splitlines()]
    assert [(one["level"], one["logger"]) for one in records] == [
        ("error", "edge_fer.predict"),
        ("info", "edge_fer.predict"),
    ]


def test_a_command_of_a_tool_takes_the_options_too(tmp_path: Path) -> None:
    folder = tmp_path / "happy"
    folder.mkdir()
    for number in range(2):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((48, 48), 100, np.uint8))
    (folder / "notes.txt").write_text("no picture")
    words = ["evaluate", "nano", "--data", tmp_path, "--log-format", "json"]
    done = run_edge_fer(*words, check=True)
    [record] = [json.loads(line) for line in done.stderr.splitlines()]
    assert (record["level"], record["logger"]) == ("warning", "edge_fer.evaluation.datasets")


def test_a_program_that_uses_the_library_decides_on_messages() -> None:
    code = "import logging, edge_fer; logging.getLogger('edge_fer.camera').error('gone')"
    assert run_python(code, check=True).stderr == ""
    assert "gone" in run_python(f"import logging; logging.basicConfig(); {code}", check=True).stderr


def test_details_are_shown_where_they_are_asked_for() -> None:
    logger = logging.getLogger("edge_fer")
    before = logger.level, list(logger.handlers)
    try:
        for options, level in (
            (LogOptions(True, False, "text"), logging.DEBUG),
            (LogOptions(True, True, "text"), logging.DEBUG),
            (LogOptions(False, True, "json"), logging.WARNING),
            (LogOptions(False, False, "text"), logging.INFO),
        ):
            show_messages(options, {})
            assert logger.level == level
            assert sum(isinstance(handler, MessageLines) for handler in logger.handlers) == 1
    finally:
        logger.handlers = before[1]
        logger.setLevel(before[0])
