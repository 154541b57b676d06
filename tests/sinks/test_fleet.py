"""deploy/fleet with a real broker and 20 simulated devices."""

from __future__ import annotations

import itertools
import os
import subprocess
import textwrap
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.mosquitto import Broker, Listener, SimulatedDevice, device_settings, found
from tests.programs import run_edge_fer
from tests.waiting import LONG_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt")
parser = pytest.importorskip("prometheus_client.parser", reason="needs prometheus-client")

FLEET = Path(__file__).parents[2] / "deploy" / "fleet"
NAMES = [f"room-{number:02}" for number in range(1, 21)]
PASSWORD = "the same for all, in this test alone"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Mosquitto as deploy/fleet/mosquitto.conf sets it up, but for its port and folders."""
    users = tmp_path / "edge-fer.users"
    users.write_text("".join(f"{name}:{PASSWORD}\n" for name in [*NAMES, "homeassistant"]))
    subprocess.run([found("mosquitto_passwd"), "-U", str(users)], check=True, capture_output=True)
    (tmp_path / "edge-fer.acl").write_text((FLEET / "mosquitto.acl").read_text(encoding="utf-8"), encoding="utf-8")
    for file in (users, tmp_path / "edge-fer.acl"):
        file.chmod(0o600)
    text = (FLEET / "mosquitto.conf").read_text(encoding="utf-8")
    assert "listener 1883\n" in text
    lines = text.replace("listener 1883\n", "").replace("/etc/mosquitto", str(tmp_path))
    made = Broker(tmp_path, lines.splitlines())
    made.start()
    yield made
    made.stop()


@pytest.fixture
def home_assistant(broker: Broker) -> Iterator[Listener]:
    made = Listener(broker, user="homeassistant", password=PASSWORD)
    yield made
    made.stop()


@pytest.fixture
def devices(broker: Broker, home_assistant: Listener) -> Iterator[list[SimulatedDevice]]:
    emotions = ("happy", "sad", "fear")
    made = [
        SimulatedDevice(
            device_settings(broker, identity=name, user=name, password=PASSWORD),
            emotion=emotions[number % 3],
            frames_per_second=20,
        )
        for number, name in enumerate(NAMES)
    ]
    yield made
    for device in made:
        device.stop()


def config_topic(name: str) -> str:
    return f"homeassistant/device/{name}/config"


def all_tell(listener: Listener, devices: list[SimulatedDevice]) -> bool:
    return all(
        listener.texts(f"edge-fer/{name}/availability")[-1:] == ["online"]
        and [state["emotion"] for state in listener.records(f"edge-fer/{name}/state")[-1:]] == [device.emotion]
        and listener.texts(config_topic(name))
        for name, device in zip(NAMES, devices, strict=True)
    )


def test_twenty_devices_tell_their_own_and_survive_the_broker(
    broker: Broker, home_assistant: Listener, devices: list[SimulatedDevice]
) -> None:
    until(lambda: all_tell(home_assistant, devices), "all devices are announced, online and tell what they see")
    for name, device in zip(NAMES, devices, strict=True):
        told = {state["emotion"] for state in home_assistant.records(f"edge-fer/{name}/state")}
        assert told == {device.emotion}, "nothing is said before the first frame"
    configs = [home_assistant.records(config_topic(name))[-1] for name in NAMES]
    entities = [component["unique_id"] for config in configs for component in config["cmps"].values()]
    assert len(set(entities)) == len(entities) >= 5 * len(NAMES)
    assert len({config["dev"]["name"] for config in configs}) == len(NAMES)
    expected = {f"edge-fer/{name}/{end}" for name in NAMES for end in ("state", "availability")}
    assert home_assistant.topics() == expected | {config_topic(name) for name in NAMES}

    broker.stop()
    home_assistant.clear()
    broker.start()
    until(lambda: all_tell(home_assistant, devices), "all are there again after the broker was restarted")
    for device in devices:
        device.stop()
    until(
        lambda: all(home_assistant.texts(f"edge-fer/{name}/availability")[-1] == "stopped" for name in NAMES),
        "all say goodbye",
    )
    assert [device.runner.dropped for device in devices] == [0] * len(NAMES)
    assert [device.monitor.snapshot().frames for device in devices] == [device.frames for device in devices]


def test_a_device_can_speak_for_itself_alone(broker: Broker, home_assistant: Listener) -> None:
    honest, liar = NAMES[:2]
    listener = Listener(broker, user=honest, password=PASSWORD)
    devices = [
        SimulatedDevice(device_settings(broker, identity=honest, user=liar, password=PASSWORD), emotion="angry"),
        SimulatedDevice(device_settings(broker, identity=honest, user=honest, password=PASSWORD), emotion="happy"),
    ]
    until(lambda: len(home_assistant.texts(f"edge-fer/{honest}/state")) >= 1, "the device itself is heard")
    home_assistant.publish("homeassistant/status", "online")
    until(lambda: listener.texts("homeassistant/status"), "devices hear Home Assistant")
    for device in devices:
        device.stop()
    until(lambda: home_assistant.texts(f"edge-fer/{honest}/availability")[-1] == "stopped", "it has ended")
    states = home_assistant.records(f"edge-fer/{honest}/state")
    assert {state["emotion"] for state in states} == {"happy"}
    # A device hears nothing of the others.
    assert listener.topics() == {"homeassistant/status"}
    listener.stop()


def test_each_device_answers_prometheus_for_itself() -> None:
    from edge_fer.sinks.metrics import open_metrics
    from edge_fer.sinks.net import Address

    devices = [SimulatedDevice(None, frames_per_second=20) for _ in NAMES]
    servers = [open_metrics(Address("127.0.0.1", 0), one.monitor.snapshot) for one in devices]
    for device in devices:
        device.frames_go_on(3)
        device.stop()
    for device, server in zip(devices, servers, strict=True):
        with urllib.request.urlopen(f"http://{server.address}/metrics", timeout=LONG_SECONDS) as answer:
            families = parser.text_string_to_metric_families(answer.read().decode())
        told = {sample.name: sample.value for family in families for sample in family.samples}
        assert told["edge_fer_frames_total"] == device.frames > 0
        server.close()


DEBIAN = """
pid_file /etc/mosquitto/run/mosquitto.pid

persistence true
persistence_location /etc/mosquitto/lib/

log_dest file /etc/mosquitto/log/mosquitto.log

include_dir /etc/mosquitto/conf.d
"""
"""The configuration of Debian's package, with its folders below one."""


class DebianBroker(Broker):
    """Mosquitto as Debian's package starts it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        own = folder / "conf.d" / "edge-fer.conf"
        text = own.read_text(encoding="utf-8")
        assert text.count("listener 1883\n") == 1
        text = text.replace("listener 1883\n", f"listener {self.port}\n").replace("/etc/mosquitto", str(folder))
        own.write_text(text, encoding="utf-8")
        packaged = DEBIAN.replace("/etc/mosquitto", str(folder))
        # As root it would change to a user who cannot read a test's files.
        self._config.write_text(f"user root\n{packaged}", encoding="utf-8")


def commands(section: str) -> str:
    """The commands of the first block below this heading of the fleet's README."""
    lines = (FLEET / "README.md").read_text(encoding="utf-8").split(f"## {section}\n")[1].splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("    "))
    block = itertools.takewhile(lambda line: line.startswith("    "), lines[first:])
    return textwrap.dedent("\n".join(block))


def follow(script: str, folder: Path) -> None:
    """Type these commands, as root of a computer whose /etc/mosquitto is this folder."""
    passwd = found("mosquitto_passwd")
    stand_ins = {
        "sudo": 'exec "$@"',
        "chown": "exit 0",
        "systemctl": "exit 0",
        # It asks for a password; here each user has the same.
        "mosquitto_passwd": f'exec {passwd} -b "$@" "{PASSWORD}"',
    }
    programs = folder / "programs"
    programs.mkdir()
    for name, line in stand_ins.items():
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    script = script.replace("/etc/mosquitto", str(folder))
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-eu", "-c", script], cwd=FLEET, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def listens_to_the_network(port: int) -> bool:
    """Whether a socket of every address of this computer listens on that port."""
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()[1:]]
    everywhere = {f"{'0' * length}:{port:04X}" for length in (8, 32)}
    return any(row[1] in everywhere and row[3] == "0A" for row in rows)


def test_the_page_followed_on_debians_own_mosquitto(tmp_path: Path) -> None:
    for name in ("conf.d", "run", "lib", "log"):
        (tmp_path / name).mkdir()
    script = commands("The broker")
    assert "mosquitto_passwd -c" in script
    assert "conf.d" in script
    follow(script, tmp_path)
    broker = DebianBroker(tmp_path)
    broker.start()
    try:
        assert listens_to_the_network(broker.port)
        home_assistant = Listener(broker, user="homeassistant", password=PASSWORD)
        device = SimulatedDevice(device_settings(broker, identity="kitchen", user="kitchen", password=PASSWORD))
        until(lambda: home_assistant.records("edge-fer/kitchen/state"), "a device is heard")
        stranger = SimulatedDevice(device_settings(broker, identity="hall"))
        until(lambda: stranger.told, "who has no password is refused")
        assert stranger.sink.connection.connections == 0
        for one in (device, stranger):
            one.stop()
        home_assistant.stop()
    finally:
        broker.stop()


def test_the_container_needs_no_other_line(tmp_path: Path) -> None:
    """The container has this file as its whole configuration."""
    (tmp_path / "conf.d").mkdir()
    follow(commands("The broker"), tmp_path)
    broker = DebianBroker(tmp_path)
    text = (tmp_path / "conf.d" / "edge-fer.conf").read_text(encoding="utf-8")
    broker._config.write_text(f"user root\n{text}", encoding="utf-8")
    broker.start()
    assert listens_to_the_network(broker.port)
    broker.stop()


def test_the_settings_of_a_device_are_settings() -> None:
    result = run_edge_fer("config", "show", "--config", FLEET / "device.toml")
    assert result.returncode == 0, result.stderr
    shown = {line.split()[0]: line for line in result.stdout.splitlines() if line.strip()}
    for key in ("mqtt", "mqtt_id", "mqtt_name", "mqtt_password_file", "metrics"):
        assert "device.toml" in shown[key]


def test_files_that_the_fleet_names_exist() -> None:
    import re

    compose = (FLEET / "compose.yaml").read_text(encoding="utf-8")
    mounted = {Path(name) for name in re.findall(r"^ +- (\.[^:\s]+):", compose, re.MULTILINE)}
    # Those with passwords are made when the fleet is set up.
    made_by_hand = {Path("mosquitto.users")}
    assert len(mounted) >= 8
    assert [name for name in mounted - made_by_hand if not (FLEET / name).is_file()] == []
    readme = (FLEET / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([^)#:]+)\)", readme)
    assert linked
    assert [name for name in linked if not (FLEET / name).is_file()] == []
