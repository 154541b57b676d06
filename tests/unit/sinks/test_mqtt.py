from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from edge_fer.sinks.health import CameraHealth, HealthMonitor
from edge_fer.sinks.mqtt import (
    EXPIRE_HEARTBEATS,
    HEARTBEAT_SECONDS,
    DominantEmotion,
    MqttSink,
    MqttTopics,
    dominant_emotion,
)
from edge_fer.sinks.mqtt_settings import MqttSettings
from edge_fer.types import FER_LABELS, Box, SourceInfo
from tests.fakes import FakeClock, observation, scored_face

if TYPE_CHECKING:
    from collections.abc import Callable

BOX = Box(0, 0, 40, 40)
CONFIG = "homeassistant/device/cam-1/config"
STATE, AVAILABILITY = "edge-fer/cam-1/state", "edge-fer/cam-1/availability"


class FakeLink:
    """Keeps what is published while the broker is there, and loses it while it is away, as the real one does."""

    def __init__(self) -> None:
        self.connections = 0
        self.ready = self.connected = False
        self.messages: list[tuple[str, str, bool]] = []
        self.closed = self.sent = self.lost = 0

    def connect(self) -> None:
        self.connections += 1
        self.ready = self.connected = True

    def disconnect(self) -> None:
        self.ready = self.connected = False

    def publish(self, topic: str, text: str, *, retain: bool = False, counts: bool = False) -> None:
        if self.connected:
            self.messages.append((topic, text, retain))
            self.sent += counts
        else:
            self.lost += counts

    def close(self) -> None:
        self.closed += 1
        self.disconnect()

    def taken(self) -> list[tuple[str, str, bool]]:
        messages, self.messages = self.messages, []
        return messages


class Setup:
    """A sink of states with a clock and a camera that do as asked."""

    def __init__(self, *, camera: str = "camera 0", page: str | None = None, **settings: object) -> None:
        self.clock, self.link = FakeClock(), FakeLink()
        self.camera: CameraHealth | None = None
        self.hear: Callable[[str], None] = lambda text: None
        self.topics: MqttTopics | None = None
        info = SourceInfo(camera, True, 640, 480, 30.0)
        self.monitor = HealthMonitor(
            lambda: info, self.clock, engine="litert", model="small fp32", camera=lambda: self.camera
        )
        self.sink = MqttSink(
            MqttSettings("broker", **{"identity": "cam-1", **settings}),  # type: ignore[arg-type]
            FER_LABELS,
            self.monitor.snapshot,
            self.clock,
            self.connect,
            page,
        )

    def connect(self, topics: MqttTopics, hear: Callable[[str], None]) -> FakeLink:
        self.topics, self.hear = topics, hear
        return self.link

    def see(self, *emotions: str, score: float = 0.7, after: float = 0.1) -> None:
        self.clock.now += after
        seen = observation(*(scored_face(BOX, emotion, score) for emotion in emotions))
        self.monitor.note(seen)
        self.sink.write(seen)

    def states(self) -> list[dict[str, object]]:
        return [json.loads(text) for topic, text, retain in self.link.taken() if topic == STATE and not retain]


def test_a_connection_is_told_the_device_that_it_is_there_and_the_state() -> None:
    setup = Setup()
    setup.see("happy")
    assert setup.link.taken() == []
    setup.link.connect()
    setup.see("happy")
    sent = setup.link.taken()
    assert [(topic, retain) for topic, _, retain in sent] == [(CONFIG, True), (AVAILABILITY, True), (STATE, False)]
    assert sent[1][1] == "online"
    config = json.loads(sent[0][1])
    assert config["state_topic"] == STATE
    assert config["availability_topic"] == AVAILABILITY
    assert config["dev"]["ids"] == ["cam-1"]
    assert config["dev"]["name"] == "cam-1"
    assert config["cmps"]["emotion"]["expire_after"] == HEARTBEAT_SECONDS * EXPIRE_HEARTBEATS
    assert json.loads(sent[2][1]) == {
        "time": "2023-11-14T22:15:00.200Z",
        "camera": "up",
        "emotion": "happy",
        "score": 0.7,
        "faces": 1,
        "fps": 10.0,
        "temperature": None,
    }


def test_a_change_is_told_once_and_no_oftener_than_the_interval() -> None:
    setup = Setup(interval_seconds=1.0)
    setup.link.connect()
    setup.see("happy")
    assert [state["emotion"] for state in setup.states()] == ["happy"]
    for _ in range(5):
        setup.see("sad")
    assert setup.states() == []
    for _ in range(20):
        setup.see("sad")
    assert [state["emotion"] for state in setup.states()] == ["sad"]


def test_what_changed_last_is_told_even_when_no_frame_follows() -> None:
    setup = Setup()
    setup.link.connect()
    setup.see("happy")
    setup.see("sad", "sad")
    setup.link.taken()
    setup.clock.now += 0.95
    setup.sink.idle()
    assert [(state["emotion"], state["faces"]) for state in setup.states()] == [("sad", 2)]


@pytest.mark.parametrize(("score", "told"), [(0.72, 0), (0.76, 1)])
def test_a_score_that_hardly_moves_is_no_change(score: float, told: int) -> None:
    setup = Setup()
    setup.link.connect()
    setup.see("happy", score=0.7)
    setup.link.taken()
    setup.see("happy", score=score, after=2.0)
    assert len(setup.states()) == told


def test_a_state_that_holds_is_told_again_before_it_expires() -> None:
    setup = Setup()
    setup.link.connect()
    setup.see("happy")
    setup.link.taken()
    setup.see("happy", after=HEARTBEAT_SECONDS - 1)
    assert setup.states() == []
    setup.see("happy", after=1)
    assert len(setup.states()) == 1


def test_the_expiry_follows_a_long_interval() -> None:
    setup = Setup(interval_seconds=600.0)
    setup.link.connect()
    setup.see("happy")
    config = json.loads(setup.link.taken()[0][1])
    assert config["cmps"]["faces"]["expire_after"] == 600 * EXPIRE_HEARTBEATS


def test_a_camera_that_is_lost_leaves_all_unknown_and_comes_back() -> None:
    setup = Setup()
    setup.link.connect()
    setup.see("happy")
    setup.link.taken()
    setup.camera = CameraHealth("camera 0", live=True, up=False, since_seconds=1.0)
    setup.clock.now += 2.0
    setup.sink.idle()
    (state,) = setup.states()
    assert state == {**state, "camera": "down", "emotion": None, "score": None, "faces": None, "fps": 0.0}
    setup.camera = None
    setup.see("happy", after=2.0)
    assert [(state["camera"], state["emotion"]) for state in setup.states()] == [("up", "happy")]


def test_home_assistant_is_told_anew_when_it_has_started() -> None:
    setup = Setup()
    assert setup.topics is not None
    assert setup.topics.birth == "homeassistant/status"
    setup.link.connect()
    setup.see("happy")
    setup.link.taken()
    setup.hear("offline")
    setup.see("happy")
    assert setup.link.taken() == []
    setup.hear("online")
    setup.see("happy")
    assert [topic for topic, _, _ in setup.link.taken()] == [CONFIG, AVAILABILITY, STATE]


def test_a_new_connection_is_told_everything_and_nothing_was_kept_for_it() -> None:
    setup = Setup()
    setup.link.connect()
    setup.see("happy")
    setup.link.taken()
    setup.link.disconnect()
    for _ in range(1000):
        setup.see("sad", after=0.2)
    assert setup.link.taken() == []
    setup.link.connect()
    setup.see("fear")
    sent = setup.link.taken()
    assert [topic for topic, _, _ in sent] == [CONFIG, AVAILABILITY, STATE]
    assert json.loads(sent[2][1])["emotion"] == "fear"


def test_a_broker_that_takes_nothing_is_given_nothing_more() -> None:
    setup = Setup()
    setup.link.connect()
    setup.see("happy")
    setup.link.taken()
    setup.link.ready = False
    setup.see("sad", after=5.0)
    assert setup.link.taken() == []
    setup.link.ready = True
    setup.see("sad")
    assert [state["emotion"] for state in setup.states()] == ["sad"]


def test_the_name_is_the_chosen_one() -> None:
    setup = Setup(name="Kitchen")
    setup.link.connect()
    setup.see("happy")
    assert json.loads(setup.link.taken()[0][1])["dev"]["name"] == "Kitchen"


def test_without_discovery_nothing_is_told_to_home_assistant() -> None:
    setup = Setup(discovery_prefix="")
    assert setup.topics is not None
    assert setup.topics.birth is None
    setup.link.connect()
    setup.see("happy")
    assert [topic for topic, _, _ in setup.link.taken()] == [AVAILABILITY, STATE]


def test_the_end_of_a_run_is_told_and_kept() -> None:
    setup = Setup()
    setup.link.connect()
    setup.see("happy")
    setup.link.taken()
    setup.sink.close()
    setup.sink.close()
    assert setup.link.taken() == [(AVAILABILITY, "stopped", True)]


def test_the_mood_is_the_emotion_of_most_and_the_mean_of_their_scores() -> None:
    faces = [scored_face(BOX, "sad", 0.9), scored_face(BOX, "happy", 0.5), scored_face(BOX, "happy", 0.7)]
    assert dominant_emotion(observation(*faces)) == DominantEmotion("happy", pytest.approx(0.6), 3)
    assert dominant_emotion(observation(*faces[:2])) == DominantEmotion("sad", 0.9, 2)
    assert dominant_emotion(observation()) == DominantEmotion("none", None, 0)


def test_nothing_is_said_of_a_camera_that_was_not_tried_yet() -> None:
    setup = Setup()
    setup.camera = CameraHealth("camera 0", live=True, up=False, since_seconds=0.0, tried=False)
    setup.link.connect()
    for _ in range(100):
        setup.clock.now += 1.0
        setup.sink.idle()
    assert [topic for topic, _, _ in setup.link.taken()] == [CONFIG, AVAILABILITY]
    setup.camera = CameraHealth("camera 0", live=True, up=False, since_seconds=0.0, problem="no such device")
    setup.clock.now += 1.0
    setup.sink.idle()
    assert [state["camera"] for state in setup.states()] == ["down"]


def test_a_source_that_is_not_watched_is_down_after_some_silence_and_not_before() -> None:
    setup = Setup()
    setup.link.connect()
    setup.clock.now += 1.0
    setup.sink.idle()
    assert setup.states() == []
    setup.clock.now += 60.0
    setup.sink.idle()
    assert [state["camera"] for state in setup.states()] == ["down"]


def test_what_is_lost_while_the_broker_is_away_is_counted_for_as_long_as_that_lasts() -> None:
    setup = Setup()
    setup.link.connect()
    setup.see("happy")
    assert (setup.link.sent, setup.link.lost) == (1, 0)
    setup.link.disconnect()
    lost = []
    for _ in range(5):
        # Nothing changes: even so an outage is to be seen, by an alert that looks at ten minutes.
        setup.see("happy", after=HEARTBEAT_SECONDS)
        lost.append(setup.link.lost)
    assert lost == [1, 2, 3, 4, 5]
    assert setup.sink.connection.sent == 1
    setup.link.connect()
    setup.see("happy")
    assert (setup.link.sent, setup.link.lost) == (2, 5)


def test_the_device_links_to_the_page() -> None:
    setup = Setup(page="http://kitchen:8080/")
    setup.link.connect()
    setup.see("happy")
    assert json.loads(setup.link.taken()[0][1])["dev"]["configuration_url"] == "http://kitchen:8080/"


def test_without_a_page_there_is_no_link() -> None:
    setup = Setup()
    setup.link.connect()
    setup.see("happy")
    assert "configuration_url" not in json.loads(setup.link.taken()[0][1])["dev"]


@pytest.mark.parametrize(
    ("camera", "shown"),
    [
        ("camera 0", "camera 0"),
        ("/dev/video0", "/dev/video0"),
        ("rtsp://***@192.168.1.20:554/stream1", "192.168.1.20"),
        ("https://door.lan/snapshot.jpg?token=***", "door.lan"),
        ("http://[fd00::5]:81/stream", "fd00::5"),
        ("rtsp://[half", "rtsp://[half"),
    ],
)
def test_the_default_name_of_a_stream_is_its_host(camera: str, shown: str) -> None:
    setup = Setup(camera=camera, identity=None)
    setup.link.connect()
    setup.see("happy")
    name = json.loads(setup.link.taken()[0][1])["dev"]["name"]
    assert name == f"edge-fer {socket.gethostname()} {shown}"
    assert "***" not in name
