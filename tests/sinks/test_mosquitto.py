"""MQTT against a real broker."""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from edge_fer.errors import ConfigError
from edge_fer.sinks.mqtt_link import tls_context
from edge_fer.sinks.mqtt_settings import MqttSettings
from edge_fer.types import FER_LABELS
from tests.mosquitto import Broker, Listener, SimulatedDevice, device_settings, found, free_port, retained
from tests.programs import run_edge_fer
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from edge_fer.sinks.health import SinkHealth


pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt")

CONFIG = "homeassistant/device/cam-1/config"
STATE, AVAILABILITY = "edge-fer/cam-1/state", "edge-fer/cam-1/availability"


class Making:
    """Starts devices and listeners, and stops them at the end of the test."""

    def __init__(self) -> None:
        self._stops: list[Callable[[], None]] = []

    def device(self, broker: Broker, **changes: object) -> SimulatedDevice:
        made = SimulatedDevice(device_settings(broker, **changes))
        self._stops.append(made.stop)
        return made

    def listener(self, broker: Broker, **changes: str) -> Listener:
        made = Listener(broker, **changes)
        self._stops.append(made.stop)
        return made

    def broker(self, folder: Path, *lines: str, tls: Sequence[str] = ()) -> Broker:
        made = Broker(folder, lines or ["allow_anonymous true"], tls)
        self._stops.append(made.stop)
        return made

    def stop(self) -> None:
        for stop in reversed(self._stops):
            stop()


@pytest.fixture
def making() -> Iterator[Making]:
    made = Making()
    yield made
    made.stop()


@pytest.fixture
def broker(tmp_path: Path, making: Making) -> Broker:
    made = making.broker(tmp_path)
    made.start()
    return made


def last_emotion(listener: Listener) -> object:
    return listener.records(STATE)[-1]["emotion"] if listener.texts(STATE) else None


def test_a_device_announces_itself_tells_changes_and_says_goodbye(broker: Broker, making: Making) -> None:
    listener = making.listener(broker)
    device = making.device(broker)
    until(lambda: last_emotion(listener) == "happy", "the state is told")
    device.emotion = "sad"
    until(lambda: last_emotion(listener) == "sad", "the change is told")
    kept = retained(broker)
    assert set(kept) == {CONFIG, AVAILABILITY}
    assert kept[AVAILABILITY] == "online"
    config = json.loads(kept[CONFIG])
    assert config["cmps"]["emotion"]["options"] == [*FER_LABELS, "none"]
    assert config["cmps"]["emotion"]["expire_after"] == 90
    device.stop()
    assert retained(broker)[AVAILABILITY] == "stopped"
    until(lambda: listener.texts(AVAILABILITY)[-1:] == ["stopped"], "the end is told")
    # The will is for those who go without a word.
    assert "offline" not in listener.texts(AVAILABILITY)
    assert device.told == []


def test_states_come_no_oftener_than_the_interval(broker: Broker, making: Making) -> None:
    listener = making.listener(broker)
    device = making.device(broker, interval_seconds=3600.0)
    # Which one is left open: the broker may answer before the first frame comes.
    until(lambda: listener.texts(STATE), "the first state is told")
    for emotion in ("sad", "fear", "happy", "angry"):
        device.emotion = emotion
        device.frames_go_on()
    assert len(listener.texts(STATE)) == 1
    device.stop()


def test_a_device_that_dies_is_offline_by_its_will(broker: Broker, tmp_path: Path, making: Making) -> None:
    code = f"""
from edge_fer.sinks.health import HealthMonitor
from edge_fer.sinks.mqtt import open_mqtt
from edge_fer.sinks.mqtt_settings import MqttSettings
from edge_fer.sinks.runner import SystemClock
from edge_fer.types import SourceInfo
import time
info = SourceInfo("camera 0", True, 640, 480, 30.0)
monitor = HealthMonitor(lambda: info, SystemClock())
sink = open_mqtt(
    MqttSettings("127.0.0.1", {broker.port}, identity="cam-1"), ("happy",), monitor.snapshot, SystemClock()
)
from tests.fakes import observation
monitor.note(observation())
while True:
    sink.idle()
    time.sleep(0.01)
"""
    listener = making.listener(broker)
    process = subprocess.Popen([sys.executable, "-c", code])
    until(lambda: listener.texts(AVAILABILITY) == ["online"], "it is online")
    process.kill()
    process.wait()
    until(lambda: listener.texts(AVAILABILITY) == ["online", "offline"], "the broker publishes the will")
    assert retained(broker)[AVAILABILITY] == "offline"


def test_home_assistant_starting_is_told_the_device_anew(broker: Broker, making: Making) -> None:
    listener = making.listener(broker)
    device = making.device(broker)
    until(lambda: listener.texts(STATE), "the device is announced, and after that its state")
    listener.clear()
    device.frames_go_on()
    assert listener.texts(CONFIG) == []
    listener.publish("homeassistant/status", "online")
    until(lambda: listener.texts(CONFIG) and listener.texts(STATE), "the device is announced again, with its state")
    assert listener.texts(AVAILABILITY) == ["online"]


def test_a_broker_that_comes_late_and_goes_and_comes_costs_no_frame(tmp_path: Path, making: Making) -> None:
    broker = making.broker(tmp_path)
    device = making.device(broker)
    device.frames_go_on()
    until(lambda: device.told, "the missing broker is told")
    assert device.told == [f"mqtt: cannot reach 127.0.0.1:{broker.port}: Connection refused; trying again"]
    broker.start()
    until(lambda: retained(broker).get(AVAILABILITY) == "online", "it is found")
    broker.stop()
    device.frames_go_on()
    device.emotion = "surprise"
    # It kept nothing on the disk, so all that it has afterwards was published again.
    broker.start()
    until(lambda: set(retained(broker)) == {CONFIG, AVAILABILITY}, "the device is announced again")
    assert retained(broker)[AVAILABILITY] == "online"
    listener = making.listener(broker)
    listener.publish("homeassistant/status", "online")
    until(lambda: last_emotion(listener) == "surprise", "what is so now is told")
    device.stop()
    assert device.runner.dropped == 0
    assert device.monitor.snapshot().frames == device.frames
    address = f"127.0.0.1:{broker.port}"
    assert [re.sub(r"\d+ s$", "… s", line) for line in device.told] == [
        f"mqtt: cannot reach {address}: Connection refused; trying again",
        f"mqtt: connected to {address} after … s",
        f"mqtt: lost {address}; trying again",
        f"mqtt: connected to {address} after … s",
    ]


def test_each_outage_of_the_broker_is_logged_counted_and_seen(tmp_path: Path, making: Making) -> None:
    broker = making.broker(tmp_path)
    broker.start()
    device = making.device(broker)

    def mqtt() -> SinkHealth:
        return device.monitor.snapshot().sinks[0]

    until(lambda: mqtt().connected and mqtt().written > 0, "states are sent")
    for outage in (1, 2, 3):
        failures = mqtt().failures
        broker.stop()
        until(lambda: not mqtt().connected, "the loss is seen")
        written = mqtt().written
        for emotion in ("sad", "happy", "fear"):
            device.emotion = emotion
            until(lambda: mqtt().failures > failures, "what could not be sent is counted")  # noqa: B023
            failures = mqtt().failures
        assert mqtt().written == written, "nothing is sent to nobody"
        broker.start()
        until(lambda: mqtt().connected, "it is found again")
        device.emotion = "angry"
        until(lambda: mqtt().written > written, "states are sent again")  # noqa: B023
        assert len(device.told) == 2 * outage
    device.stop()
    assert [line.split()[1] for line in device.told] == ["lost", "connected"] * 3
    assert device.runner.failures == 0, "a broker that was away is no failed run"


def test_a_broker_that_takes_nothing_costs_no_frame(broker: Broker, making: Making) -> None:
    device = making.device(broker)
    until(lambda: device.runner.written > 0, "it has begun")
    broker.freeze()
    for emotion in ("sad", "happy", "fear"):
        device.emotion = emotion
        device.frames_go_on()
    assert device.runner.dropped == 0
    broker.go_on()
    device.stop()


def test_a_broker_that_never_answers_holds_up_neither_frames_nor_the_end(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        device = SimulatedDevice(MqttSettings("127.0.0.1", silent.getsockname()[1], identity="cam-1"))
        device.frames_go_on()
        device.stop()
    assert device.runner.dropped == 0


@pytest.fixture
def guarded(tmp_path: Path, making: Making) -> Broker:
    """A broker that lets in `cam` with the password `right`."""
    users = tmp_path / "users"
    subprocess.run([found("mosquitto_passwd"), "-b", "-c", str(users), "cam", "right"], check=True, capture_output=True)
    made = making.broker(tmp_path, "allow_anonymous false", f"password_file {users}")
    made.start()
    return made


def test_a_wrong_password_is_told_once_and_never_itself(guarded: Broker, making: Making) -> None:
    device = making.device(guarded, user="cam", password="hunter2")
    until(lambda: device.told, "the refusal is told")
    device.frames_go_on()
    connections = device.sink._link.connections
    device.stop()
    assert connections == 0
    assert len(device.told) == 1
    assert "refuses the user or the password" in device.told[0]
    assert "--mqtt-password-file" in device.told[0]
    assert "hunter2" not in device.told[0]
    assert device.runner.dropped == 0


def test_the_right_password_is_let_in(guarded: Broker, making: Making) -> None:
    device = making.device(guarded, user="cam", password="right")
    until(lambda: device.sink._link.connections == 1, "it is let in")
    device.stop()
    assert device.told == []


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl")
    made, key = folder / f"{name}.pem", folder / f"{name}.key"
    arguments = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made)]
    subprocess.run([openssl, *arguments, *names], check=True, capture_output=True)
    return made, key


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_broker_that_asks_for_a_certificate_lets_in_the_device_that_has_it(tmp_path: Path, making: Making) -> None:
    made, key = certificate(tmp_path, "broker")
    ours, our_key = certificate(tmp_path, "ours")
    asks = [f"certfile {made}", f"keyfile {key}", f"cafile {ours}", "require_certificate true"]
    broker = making.broker(tmp_path, tls=asks)
    broker.start()
    known = making.device(broker, tls=True, ca=made, certificate=ours, key=our_key)
    until(lambda: known.sink._link.connections == 1, "it is let in")
    known.stop()
    assert known.told == []
    unknown = making.device(broker, tls=True, ca=made, identity="cam-2")
    until(lambda: unknown.told, "it is refused")
    unknown.stop()
    until(lambda: not [one for one in threading.enumerate() if "paho" in one.name], "the network threads have ended")
    gc.collect()
    assert "does it ask for a certificate? see --mqtt-cert" in unknown.told[0]


def test_a_certificate_and_key_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    ours, our_key = certificate(tmp_path, "ours")
    _, other_key = certificate(tmp_path, "other")
    encrypted, text = tmp_path / "encrypted.key", tmp_path / "text"
    openssl = ["openssl", "pkey", "-in", str(our_key), "-aes256", "-passout", "pass:secret", "-out", str(encrypted)]
    subprocess.run(openssl, check=True, capture_output=True)
    text.write_text("no key")
    for made, key, says in (
        (ours, other_key, "of another certificate"),
        (ours, encrypted, "it is encrypted"),
        (ours, text, "no certificate and key"),
        (text, our_key, "no certificate and key"),
        (ours, tmp_path / "none", "--mqtt-key"),
    ):
        with pytest.raises(ConfigError, match=says):
            tls_context(MqttSettings("host", 8883, tls=True, certificate=made, key=key))


# paho-mqtt leaves the socket of a handshake that failed to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_tls_with_a_certificate_of_ones_own(tmp_path: Path, making: Making) -> None:
    made, key = certificate(tmp_path, "broker")
    other, _ = certificate(tmp_path, "other")
    broker = making.broker(tmp_path, tls=[f"certfile {made}", f"keyfile {key}"])
    broker.start()
    trusting = making.device(broker, tls=True, ca=made)
    until(lambda: trusting.sink._link.connections == 1, "the certificate is trusted")
    trusting.stop()
    assert trusting.told == []
    distrusting = making.device(broker, tls=True, ca=other, identity="cam-2")
    until(lambda: distrusting.told, "the certificate is refused")
    distrusting.stop()
    until(lambda: not [one for one in threading.enumerate() if "paho" in one.name], "the network threads have ended")
    gc.collect()
    assert len(distrusting.told) == 1
    assert "its certificate is not trusted" in distrusting.told[0]
    assert "--mqtt-ca" in distrusting.told[0]


def run(*arguments: object, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return run_edge_fer("run", *arguments, env={**os.environ, **(environment or {})})


def test_the_demo_tells_a_broker_what_it_sees(
    guarded: Broker, tiny_model: Path, tmp_path: Path, making: Making
) -> None:
    password = tmp_path / "mqtt-password"
    password.write_text("right\n")
    listener = making.listener(guarded, user="cam", password="right")
    arguments = ["demo", "--no-show", "--model", tiny_model, "--mqtt", f"mqtt://cam@127.0.0.1:{guarded.port}/home"]
    result = run(*arguments, "--mqtt-id", "demo-1", environment={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert result.returncode == 0, result.stderr
    assert "mqtt" not in result.stderr
    assert "right" not in result.stderr.replace("emotion right", "")
    until(lambda: listener.texts("home/demo-1/availability")[-1:] == ["stopped"], "the end is told")
    states = listener.records("home/demo-1/state")
    assert states
    assert states[-1]["camera"] == "up"
    # The largest message is the announcement; a picture would be larger than all of it.
    assert max(map(len, listener.payloads())) < 3000


def test_a_run_with_no_broker_loses_no_frame_and_ends_well(tiny_model: Path) -> None:
    result = run(
        "demo", "--no-show", "--model", tiny_model, "--max-frames", 60, "--mqtt", f"mqtt://127.0.0.1:{free_port()}"
    )
    assert result.returncode == 0, result.stderr
    assert "60 frames in" in result.stderr
    assert result.stderr.count("mqtt: cannot reach") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--mqtt", "mqtt://u:hunter2@h"], "--mqtt-password-file"),
        (["--mqtt", "mqtt://h", "--mqtt-ca", "ca.pem"], "mqtts://"),
        (["--mqtt", "mqtt://h", "--mqtt-cert", "c.pem", "--mqtt-key", "k.pem"], "mqtts://"),
        (["--mqtt", "mqtts://h", "--mqtt-cert", "c.pem"], "give both"),
        (["--mqtt", "mqtts://h", "--mqtt-key", "k.pem"], "give both"),
        (["--mqtt", "mqtts://h", "--mqtt-cert", "/nowhere/c.pem", "--mqtt-key", "k.pem"], "--mqtt-cert /nowhere/c.pem"),
        (["--mqtt", "mqtts://h", "--mqtt-ca", "/nowhere/ca.pem"], "/nowhere/ca.pem: No such file"),
        (["--mqtt", "mqtt://u@h", "--mqtt-password-file", "/nowhere/x"], "cannot read the MQTT password"),
        (["--mqtt", "mqtt://h", "--mqtt-password-file", "/etc/hostname"], "no user"),
        (["--mqtt", "mqtt://h", "--mqtt-id", "a b"], "--mqtt-id"),
        (["--mqtt", "mqtt://h", "--mqtt-discovery", "a/#"], "--mqtt-discovery"),
    ],
)
def test_an_unusable_setting_is_one_line(arguments: list[str], words: str, tiny_model: Path) -> None:
    result = run("demo", "--no-show", "--model", tiny_model, "--max-frames", 5, *arguments)
    assert result.returncode == 78, result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert words in result.stderr
    assert "hunter2" not in result.stderr


def test_an_interval_that_is_no_number_is_wrong_usage(tiny_model: Path) -> None:
    result = run("demo", "--no-show", "--model", tiny_model, "--mqtt", "mqtt://h", "--mqtt-interval", "nan")
    assert result.returncode == 2
    assert "--mqtt-interval" in result.stderr
