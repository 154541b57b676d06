"""A real Mosquitto on a free port of this computer, and a client that listens to it, for tests."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from edge_fer.sinks.health import HealthMonitor
from edge_fer.sinks.mqtt import MqttSink, open_mqtt
from edge_fer.sinks.mqtt_settings import MqttSettings
from edge_fer.sinks.runner import Filling, SinkRunner, SystemClock, run_sink
from edge_fer.types import FER_LABELS, Box, Observation, SourceInfo
from tests.fakes import observation, scored_face
from tests.logs import logged
from tests.waiting import LONG_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def found(name: str) -> str:
    """The path of a program of Mosquitto; skips the test where it is not installed."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        pytest.skip(f"needs {name}: apt-get install mosquitto")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """Mosquitto with a configuration of its own; it keeps nothing on the disk."""

    def __init__(
        self,
        folder: Path,
        lines: Sequence[str] = ("allow_anonymous true",),
        tls: Sequence[str] = (),
    ) -> None:
        self._program = found("mosquitto")
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        listener = [f"listener {self.port} 127.0.0.1", *tls]
        # As root it would change to a user who cannot read a test's files; for others the line has no effect.
        common = ["user root", "log_type none", "persistence false"]
        self._config.write_text("\n".join([*listener, *lines, *common]) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            until(self._answers, "mosquitto listens")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def freeze(self) -> None:
        """Leave it there, and let it read nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "mosquitto has ended: is its configuration right?"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Listener:
    """Subscribes to everything and keeps it; connects again by itself."""

    def __init__(self, broker: Broker, *, user: str | None = None, password: str | None = None) -> None:
        client_module = pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt")
        from paho.mqtt.enums import CallbackAPIVersion

        self._messages: list[tuple[str, bytes, bool]] = []
        self._lock = threading.Lock()
        self._subscribed = threading.Event()
        self._client = client_module.Client(CallbackAPIVersion.VERSION2)
        if user is not None:
            self._client.username_pw_set(user, password)
        self._client.reconnect_delay_set(0.05, 0.2)
        self._client.on_connect = lambda client, *rest: client.subscribe("#")
        self._client.on_subscribe = lambda *rest: self._subscribed.set()
        self._client.on_message = self._keep
        self._client.connect_async("127.0.0.1", broker.port)
        self._client.loop_start()
        assert self._subscribed.wait(LONG_SECONDS)

    def publish(self, topic: str, text: str) -> None:
        self._client.publish(topic, text).wait_for_publish(LONG_SECONDS)

    def texts(self, topic: str) -> list[str]:
        with self._lock:
            return [payload.decode() for name, payload, _ in self._messages if name == topic]

    def records(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.texts(topic)]

    def topics(self) -> set[str]:
        with self._lock:
            return {name for name, _, _ in self._messages}

    def clear(self) -> None:
        with self._lock:
            self._messages.clear()

    def payloads(self) -> list[bytes]:
        with self._lock:
            return [payload for _, payload, _ in self._messages]

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _keep(self, client: object, userdata: object, message: Any) -> None:
        with self._lock:
            self._messages.append((message.topic, message.payload, bool(message.retain)))


class SimulatedDevice:
    """A camera whose loop gives frames that all show `emotion`, and the sink of MQTT behind it, where one is wanted."""

    def __init__(
        self, settings: MqttSettings | None, *, emotion: str = "happy", frames_per_second: float = 200.0
    ) -> None:
        clock = SystemClock()
        info = SourceInfo("camera 0", True, 640, 480, 30.0)
        self.monitor = HealthMonitor(lambda: info, clock, engine="litert", model="small fp32")
        self._logged = ExitStack()
        self.told = self._logged.enter_context(logged("edge_fer.mqtt"))
        self.emotion, self.frames = emotion, 0
        self._runners: list[SinkRunner[Observation]] = []
        if settings is not None:
            self.sink: MqttSink = open_mqtt(settings, FER_LABELS, self.monitor.snapshot, clock)
            self.runner = run_sink("mqtt", self.sink, Filling.NEWEST, clock)
            self._runners = [self.runner]
            self.monitor.watch(self._runners)
        for runner in self._runners:
            runner.start()
        self._pause_seconds = 1 / frames_per_second
        self._ended = threading.Event()
        self._loop = threading.Thread(target=self._work, daemon=True)
        self._loop.start()

    def stop(self) -> None:
        """End the run and check that nothing of the sink failed; may be called more than once."""
        self._ended.set()
        self._loop.join()
        for runner in self._runners:
            runner.ask_to_finish()
            assert runner.wait(LONG_SECONDS)
            assert runner.failures == 0
        self._logged.close()

    def frames_go_on(self, count: int = 100) -> None:
        """Wait for so many frames more."""
        before = self.frames
        until(lambda: self.frames > before + count, "the loop goes on")

    def _work(self) -> None:
        while not self._ended.wait(self._pause_seconds):
            seen = observation(scored_face(Box(0, 0, 40, 40), self.emotion), seq=self.frames)
            self.monitor.note(seen)
            for runner in self._runners:
                runner.offer(seen)
            self.frames += 1


def device_settings(broker: Broker, **changes: object) -> MqttSettings:
    """Settings of a device called cam-1 that publishes its states often."""
    known = {"identity": "cam-1", "interval_seconds": 0.1, **changes}
    return MqttSettings("127.0.0.1", broker.port, **known)  # type: ignore[arg-type]


def retained(broker: Broker) -> dict[str, str]:
    """What the broker keeps, by topic, as a new client sees it."""
    listener = Listener(broker)
    try:
        listener.publish("end/of/what/is/kept", "now")
        until(lambda: listener.texts("end/of/what/is/kept"), "the broker has told all that it keeps")
        return {topic: listener.texts(topic)[0] for topic in listener.topics() if topic != "end/of/what/is/kept"}
    finally:
        listener.stop()
