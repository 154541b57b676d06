"""Events to a real broker, in the messages that Home Assistant expects."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.mosquitto import Broker, Listener, retained
from tests.programs import command_line, run_edge_fer, without_screen
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt")

EVENT, STATE, CONFIG = "edge-fer/cam-1/event", "edge-fer/cam-1/state", "homeassistant/device/cam-1/config"
RULES = ("--on", "smile: any happy for 500ms", "--do", "mqtt", "--on", "two: faces == 2 for 1s", "--do", "mqtt")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    made.start()
    yield made
    made.stop()


def options(broker: Broker, *more: object) -> tuple[object, ...]:
    return ("run", "demo", "--headless", "--mqtt", broker.url, "--mqtt-id", "cam-1", *RULES, *more)


def test_events_are_published_and_home_assistant_gets_an_entity_and_a_trigger_for_each_rule(
    tmp_path: Path, broker: Broker
) -> None:
    listener = Listener(broker)
    try:
        done = run_edge_fer(*options(broker, "--events", tmp_path / "events.jsonl"))
        assert done.returncode == 0, done.stderr
        written = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
        until(lambda: len(listener.texts(EVENT)) == len(written), "all events came")
        published = listener.records(EVENT)
    finally:
        listener.stop()
    # The first may be lost where the broker was not there yet; here it is.
    assert [record["event_type"] for record in published] == [record["event"] for record in written]
    assert [{**record, "event_type": record["event"]} for record in written] == published
    kept = retained(broker)
    assert EVENT not in kept  # old news is no news, and Home Assistant would refuse it
    components = json.loads(kept[CONFIG])["cmps"]
    assert components["event"]["event_types"] == ["smile", "two"]
    assert components["event"]["state_topic"] == EVENT
    triggers = [one for one in components.values() if one["p"] == "device_automation"]
    assert [(one["topic"], one["payload"], one["subtype"]) for one in triggers] == [
        (EVENT, "smile", "smile"),
        (EVENT, "two", "two"),
    ]


def test_a_broker_that_refuses_the_topic_of_events_gets_the_states_all_the_same(tmp_path: Path) -> None:
    access = tmp_path / "access"
    access.write_text(f"topic readwrite {STATE}\ntopic readwrite homeassistant/#\ntopic readwrite end/#\n")
    broker = Broker(tmp_path, ["allow_anonymous true", f"acl_file {access}"])
    broker.start()
    listener = Listener(broker)
    try:
        done = run_edge_fer(*options(broker, "--events", tmp_path / "events.jsonl"))
        assert done.returncode == 0, done.stderr
        assert listener.texts(STATE)
        assert listener.texts(EVENT) == []
        assert (tmp_path / "events.jsonl").read_text()
    finally:
        listener.stop()
        broker.stop()


def test_events_while_the_broker_is_away_are_lost_counted_and_cost_no_frame(tmp_path: Path, broker: Broker) -> None:
    broker.stop()
    done = run_edge_fer(*options(broker, "--events", tmp_path / "events.jsonl"))
    written = (tmp_path / "events.jsonl").read_text().splitlines()
    assert len(written) >= 3
    assert "300 frames" in done.stderr
    assert f"mqtt events: {len(written)} failed" in done.stderr
    assert done.stderr.count("the broker is away, and an event is lost") == 1
    assert done.returncode == 1


def test_a_service_starts_no_program_that_a_file_asks_for(tmp_path: Path) -> None:
    marker, file = tmp_path / "marker", tmp_path / "config.toml"
    file.write_text(f'[[events]]\non = "face"\ndo = "log"\ncommand = ["touch", "{marker}"]\n')
    words = ["run", "demo", "--headless", "--max-frames", "10", "--config", file]
    done = run_edge_fer(*words, env={**without_screen(), "NOTIFY_SOCKET": str(tmp_path / "none")})
    assert "commands in files of settings are left out in a service" in done.stderr
    assert "face: face 1" in done.stderr
    assert not marker.exists()
    installed = ("--on", "face", "--do", f"command:touch {marker}")
    run_edge_fer(*words[:-2], *installed, env={**without_screen(), "NOTIFY_SOCKET": str(tmp_path / "none")})
    assert marker.exists()


def test_ctrl_c_ends_a_run_and_the_program_that_it_has_started(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    action = f"command:sh -c 'echo $$ > {pid_file}; sleep 60'"
    words = command_line("run", "demo", "--headless", "--serve", "0", "--on", "face", "--do", action)
    with subprocess.Popen([*words, "--command-seconds", "60"], stderr=subprocess.PIPE, env=without_screen()) as run:
        until(lambda: pid_file.exists() and pid_file.read_text().strip(), "the program runs")
        run.send_signal(signal.SIGINT)
        assert run.wait(30) == 130
    pid = int(pid_file.read_text())
    until(lambda: not Path(f"/proc/{pid}").exists(), "it has ended")
