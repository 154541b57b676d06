"""`edge-fer run` with rules and actions, as its users meet it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge_fer.cli import main
from tests.event_makers import Receiver
from tests.mosquitto import free_port
from tests.programs import command_line, run_edge_fer, without_screen
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

RULE = ("--on", "smile: any happy for 500ms")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.stop()


def events_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--on", "happy >> 0.8", "--do", "log"), "  happy >> 0.8\n         ^\n"),
        (("--on", "all hapy > 0.8", "--do", "log"), "  all hapy > 0.8\n      ^^^^\n"),
        (("--on", "happy > 80", "--do", "log"), "  happy > 80\n  ^^^^^^^^^^\n"),
        (("--on", "faces > 20", "--do", "log"), "20 faces are followed at most"),
        (("--on", "happy"), "does nothing: give --do"),
        (("--do", "log"), "stands behind the --on"),
        (("--do", "log", "--on", "happy"), "stands behind the --on"),
        (("--on", "happy", "--on", "sad", "--do", "log"), "--on 'happy' does nothing"),
        (("--on", "happy", "--do", "comand:ls"), "did you mean command?"),
        (("--on", "happy", "--do", "command:/no/such/program"), "there is no program /no/such/program"),
        (("--events", "events.jsonl"), "--events needs rules"),
        (("--on", "happy", "--events", "-", "--json"), "both go to standard output: give --events a file"),
        (("--on", "happy", "--events", "/dev/stdout", "--csv", "-"), "both go to standard output"),
    ],
)
def test_what_is_wrong_is_shown_with_its_place_and_exit_code_2(
    words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.exit_code(["run", "demo", "--headless", *words]) == 2
    assert says in capsys.readouterr().err


def test_programs_get_one_line_without_the_mark(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "demo", "--headless", "--log-format", "json", "--on", "happy > 80", "--do", "log"]
    assert main.exit_code(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "can never be true" in json.loads(line)["message"]


def test_mqtt_without_a_broker_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.exit_code(["run", "demo", "--headless", *RULE, "--do", "mqtt"]) == 78
    assert "give --mqtt" in capsys.readouterr().err


def test_a_file_of_events_that_is_another_output_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same = str(tmp_path / "same")
    assert main.exit_code(["run", "demo", "--headless", *RULE, "--events", same, "--csv", same]) == 2
    assert "is the same file as" in capsys.readouterr().err
    film = tmp_path / "films"
    film.mkdir()
    words = ["run", str(film), "--recursive", "--headless", *RULE, "--do", f"snapshot:{film / 'photos'}"]
    assert main.exit_code(words) == 2
    assert "which is read" in capsys.readouterr().err


def test_a_film_gives_events_with_the_positions_of_its_frames(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    film, file = tmp_path / "demo.avi", tmp_path / "events.jsonl"
    assert main.exit_code(["run", "demo", "--headless", "--max-frames", "60", "--save", str(film)]) == 0
    capfd.readouterr()
    words = ["run", str(film), "--headless", "--json", "--on", "faces == 1 for 1s", "--events", str(file)]
    assert main.exit_code(words) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    (event,) = events_of(file)
    first = next(line for line in lines if line["faces"])
    assert event["position"] == pytest.approx(first["position"] + 1.0, abs=0.04)
    assert event["position"] == next(line["position"] for line in lines if line["seq"] == event["seq"])
    assert event["source"] == str(film)


def test_a_film_that_is_too_short_for_a_rule_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "demo", "--headless", "--max-frames", "3", "--on", "happy share > 0.5 over 5m", "--do", "log"]
    assert main.exit_code(words) == 0
    assert "can never be true here: it needs 300 s, and this run is 0.1 s long" in capsys.readouterr().err


def test_secrets_stand_in_no_list_of_processes_no_message_and_no_figure(tmp_path: Path, receiver: Receiver) -> None:
    hook, secret = tmp_path / "hook", tmp_path / "secret"
    hook.write_text(receiver.url + "\n")
    secret.write_text("very-secret-too\n")
    receiver.behaviour = 500  # what goes wrong is logged
    port = free_port()
    actions = ("--do", f"webhook:@{hook}", "--do", "log", "--webhook-secret-file", secret, "-v", "--json")
    words = command_line("run", "demo", "--serve", "0", "--headless", "--metrics", port, *RULE, *actions)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=without_screen()) as run:
        until(lambda: receiver.asked, "an event was sent")
        shown = Path(f"/proc/{run.pid}/cmdline").read_bytes()
        figures = subprocess.run(
            ["curl", "-s", f"http://127.0.0.1:{port}/metrics"], check=True, capture_output=True
        ).stdout
        receiver.behaviour = "takes"
        until(lambda: receiver.requests, "the event was taken")
        run.terminate()
        output, errors = run.communicate(timeout=60)
    assert b'edge_fer_sink_connected{sink="webhook"}' in figures
    assert b"webhook: 127.0.0.1:" in errors
    for text in (shown, figures, output, errors):
        assert b"very-secret" not in text
    assert receiver.requests[0][0]["X-Edge-Fer-Signature"].startswith("sha256=")


def test_events_wait_on_the_disk_from_one_run_to_the_next(tmp_path: Path, receiver: Receiver) -> None:
    words = (
        "run",
        "demo",
        "--headless",
        *RULE,
        "--do",
        f"webhook:{receiver.url}",
        "--webhook-queue",
        tmp_path / "queue",
    )
    receiver.behaviour = 503
    first = run_edge_fer(*words, "--events", tmp_path / "1.jsonl", env=without_screen())
    assert "3 events for 127.0.0.1" in first.stderr
    assert "wait on the disk for the next run" in first.stderr
    assert "very-secret" not in first.stderr
    receiver.behaviour = "takes"
    second = run_edge_fer(*words, "--events", tmp_path / "2.jsonl", env=without_screen())
    assert second.returncode == 0, second.stderr
    expected = [event["id"] for name in ("1.jsonl", "2.jsonl") for event in events_of(tmp_path / name)]
    assert len(expected) == 6
    assert receiver.ids == expected


def test_events_can_be_printed(tmp_path: Path) -> None:
    words = ("run", "demo", "--headless", "--max-frames", "20", "--on", "first: face", "--events", "-")
    done = run_edge_fer(*words, env=without_screen())
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["event"] == "first"
