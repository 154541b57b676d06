"""What a camera sees, published to an MQTT broker: when it changes, at a limited rate, and never a picture.

Topics, below the prefix and the device's id: `availability` (retained: `online`, `stopped` after a run that ended in
order, `offline` from the broker when the device is gone), `state` and `event` (JSON, not retained: old news is no
news).
"""

from __future__ import annotations

import secrets
import socket
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from edge_fer.errors import SinkError
from edge_fer.escaping import for_terminal
from edge_fer.sinks.homeassistant import BIRTH, NO_FACE, Device, birth_topic, discovery, discovery_topic
from edge_fer.sinks.jsonl import compact_json
from edge_fer.sinks.mqtt_settings import device_id
from edge_fer.types import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_fer.protocols import Clock
    from edge_fer.sinks.health import Health
    from edge_fer.sinks.mqtt_settings import MqttSettings
    from edge_fer.types import Observation

HEARTBEAT_SECONDS = 30.0
"""A state that does not change is published again this often, so that the receiver can rely on it."""
EXPIRE_HEARTBEATS = 3
"""A receiver may forget a state after so many heartbeats without one."""
SCORE_STEP = 0.05
"""A score that moved by less is no change; the rate moves with every frame and is never one."""
LOOK_SECONDS = 1.0
"""How often the camera is asked whether it is up."""


class Link(Protocol):
    """A connection that publishes; see `MqttLink`."""

    connections: int
    sent: int
    lost: int

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""

    @property
    def ready(self) -> bool:
        """Whether the broker is there and has taken what was published before."""

    def publish(self, topic: str, text: str, *, retain: bool = False, counts: bool = False) -> None:
        """Hand over one message; one that counts adds to `sent` when the broker has it, else to `lost`."""

    def close(self) -> None:
        """Send what was handed over and disconnect."""


@dataclass(frozen=True, slots=True)
class DominantEmotion:
    """The emotion that most faces of a frame show, its mean score, and the number of faces."""

    emotion: str | None = NO_FACE
    """None while unknown."""
    score: float | None = None
    faces: int | None = 0
    """None while unknown."""

    def differs(self, other: DominantEmotion) -> bool:
        """Whether the change is worth a message."""
        if (self.emotion, self.faces) != (other.emotion, other.faces):
            return True
        return self.score is not None and other.score is not None and abs(self.score - other.score) >= SCORE_STEP


UNKNOWN = DominantEmotion(None, None, None)
"""While the camera gives no frames."""


def dominant_emotion(observation: Observation) -> DominantEmotion:
    """The emotion that most faces show and the mean of their scores for it; of equals the one with the higher mean."""
    scores: defaultdict[str, list[float]] = defaultdict(list)
    for face in observation.faces:
        scores[face.emotion].append(face.scores.as_dict()[face.emotion])
    if not scores:
        return DominantEmotion()
    means = {emotion: sum(values) / len(values) for emotion, values in scores.items()}
    dominant = max(scores, key=lambda emotion: (len(scores[emotion]), means[emotion]))
    return DominantEmotion(dominant, means[dominant], len(observation.faces))


class MqttSink:
    """Publishes the state of one camera; it is written to and given turns by one thread."""

    def __init__(
        self,
        settings: MqttSettings,
        labels: Sequence[str],
        health: Callable[[], Health],
        clock: Clock,
        connect: Callable[[MqttTopics, Callable[[str], None]], Link],
        page: str | None = None,
        events: Sequence[str] = (),
    ) -> None:
        """Begin to connect.

        Args:
            settings: how often, and under which names.
            labels: emotions that the model knows.
            health: asks how the run fares.
            clock: for the intervals.
            connect: makes the link, given the topics and who takes Home Assistant's word that it has started.
            page: address of the page in the browser, to which Home Assistant links.
            events: names of the events that `publish_event` will be given.
        """
        self._settings, self._health, self._clock = settings, health, clock
        now = health()
        identity = settings.identity or device_id(now.camera.name)
        self.topics = MqttTopics(
            state=f"{settings.prefix}/{identity}/state",
            event=f"{settings.prefix}/{identity}/event",
            availability=f"{settings.prefix}/{identity}/availability",
            birth=birth_topic(settings.discovery_prefix) if settings.discovery_prefix else None,
        )
        default_name = f"edge-fer {socket.gethostname()} {short_name(now.camera.name)}"
        self._device = Device(
            identity,
            for_terminal(settings.name or settings.identity or default_name),
            f"{now.model} ({now.engine})",
            now.version,
            tuple(labels),
            has_temperature=now.board.temperature_celsius is not None,
            page=page,
            events=tuple(events),
        )
        self._heartbeat_seconds = max(HEARTBEAT_SECONDS, settings.interval_seconds)
        self._seen, self._published = DominantEmotion(), UNKNOWN
        self._up, self._published_up = now.camera.up, False
        self._tried = now.camera.tried
        self._known_connections = 0
        self._born = False
        self._next_look_at = self._next_at = self._heartbeat_at = float("-inf")
        self._link = connect(self.topics, self._hear)

    @property
    def connection(self) -> Link:
        """What is known of the broker."""
        return self._link

    def write(self, observation: Observation) -> None:
        """Take the newest observation; publish it when it is time."""
        self._seen = dominant_emotion(observation)
        self._up = self._tried = True
        self._turn()

    def idle(self) -> None:
        """Publish what became due while no frame came."""
        self._turn()

    def close(self) -> None:
        """Publish that the run has ended, and disconnect; may be called more than once."""
        self._link.publish(self.topics.availability, "stopped", retain=True)
        self._link.close()

    def publish_event(self, name: str, record: dict[str, Any]) -> None:
        """Publish an event at once; from any thread.

        Args:
            name: of the event, one of those that were announced.
            record: of it, as plain data.

        Raises:
            SinkError: the broker is away, and the event is lost: hours later it would be no news.
        """
        if not self._link.connected:
            raise SinkError("the broker is away, and an event is lost")
        self._link.publish(self.topics.event, compact_json({"event_type": name, **record}))

    def _hear(self, text: str) -> None:
        if text == BIRTH:
            self._born = True

    def _turn(self) -> None:
        now = self._clock.monotonic()
        if now >= self._next_look_at:
            self._next_look_at = now + LOOK_SECONDS
            camera = self._health().camera
            self._up, self._tried = camera.up, camera.tried
        connections = self._link.connections
        if connections != self._known_connections:
            self._known_connections, self._born = connections, True
        if self._link.ready and self._born:
            self._born = False
            self._announce()
            self._next_at = self._heartbeat_at = float("-inf")
        # Before the camera was tried there is nothing to publish.
        if now < self._next_at or not self._tried:
            return
        dominant = self._seen if self._up else UNKNOWN
        if dominant.differs(self._published) or self._up != self._published_up or now >= self._heartbeat_at:
            self._publish_state(now)

    def _announce(self) -> None:
        settings, topics = self._settings, self.topics
        if settings.discovery_prefix:
            expire = int(self._heartbeat_seconds * EXPIRE_HEARTBEATS)
            config = discovery(self._device, topics.state, topics.event, topics.availability, expire)
            topic = discovery_topic(settings.discovery_prefix, self._device)
            self._link.publish(topic, compact_json(config), retain=True)
        self._link.publish(topics.availability, "online", retain=True)

    def _publish_state(self, now: float) -> None:
        if self._link.connected and not self._link.ready:
            return  # the broker is slow: it gets the newest state when it has taken the one before
        health = self._health()
        self._up = health.camera.up
        dominant = self._seen if self._up else UNKNOWN
        self._published, self._published_up = dominant, self._up
        self._next_at = now + self._settings.interval_seconds
        self._heartbeat_at = now + self._heartbeat_seconds
        # A broker that is away loses it, which is counted: an outage is to be seen for as long as it lasts.
        record = state_record(dominant, health, self._clock.wall_time())
        self._link.publish(self.topics.state, compact_json(record), counts=True)


def short_name(camera: str) -> str:
    """What a camera is called where there is little room: a stream by its host.

    >>> short_name("rtsp://***@192.168.1.20:554/stream1"), short_name("/dev/video0")
    ('192.168.1.20', '/dev/video0')
    """
    if "://" not in camera:
        return camera
    try:
        return urlsplit(camera).hostname or camera
    except ValueError:
        return camera


@dataclass(frozen=True, slots=True)
class MqttTopics:
    """Where a device publishes, and what it listens to."""

    state: str
    event: str
    availability: str
    birth: str | None
    """Topic on which Home Assistant announces that it has started; None without discovery."""


def state_record(dominant: DominantEmotion, health: Health, wall_time: float) -> dict[str, Any]:
    """The state as plain data.

    `score` is null without a face, `temperature` where the computer reports none, and all that is seen while the camera
    is down.
    """
    celsius = health.board.temperature_celsius
    return {
        "time": rfc3339(wall_time),
        "camera": "up" if health.camera.up else "down",
        "emotion": dominant.emotion,
        "score": None if dominant.score is None else round(dominant.score, 3),
        "faces": dominant.faces,
        "fps": round(health.fps, 1) if health.camera.up else 0.0,
        "temperature": None if celsius is None else round(celsius, 1),
    }


def open_mqtt(
    settings: MqttSettings,
    labels: Sequence[str],
    health: Callable[[], Health],
    clock: Clock,
    page: str | None = None,
    events: Sequence[str] = (),
) -> MqttSink:
    """A sink that is connected by paho-mqtt; a broker that is not there yet is no fault.

    Raises:
        MissingExtra: paho-mqtt is not installed.
        ConfigError: the CA file is unusable.
    """
    from edge_fer.sinks.mqtt_link import MqttLink

    def connect(topics: MqttTopics, hear: Callable[[str], None]) -> Link:
        # Two runs on the same camera name would otherwise throw each other out for ever.
        name = f"{topics.state.split('/')[-2]}-{secrets.token_hex(2)}"
        will = (topics.availability, "offline")
        return MqttLink(settings, name, will=will, listen=topics.birth, heard=hear)

    return MqttSink(settings, labels, health, clock, connect, page, events)
