from __future__ import annotations

import json
import re
from dataclasses import replace

from edge_fer.sinks.homeassistant import Device, birth_topic, discovery, discovery_topic
from edge_fer.types import FER_LABELS

DEVICE = Device("edge-fer-1", "Kitchen", "small static_wi8_ai8 (litert)", "1.2.3", FER_LABELS, has_temperature=True)


def config() -> dict[str, object]:
    topics = ("edge-fer/1/state", "edge-fer/1/event", "edge-fer/1/availability")
    return json.loads(json.dumps(discovery(DEVICE, *topics, 90)))


def test_one_message_has_the_device_its_origin_and_its_components() -> None:
    made = config()
    assert made["dev"] == {
        "ids": ["edge-fer-1"],
        "name": "Kitchen",
        "mf": "edge-fer",
        "mdl": "small static_wi8_ai8 (litert)",
        "sw": "1.2.3",
    }
    assert made["o"] == {"name": "edge-fer", "sw": "1.2.3"}
    assert list(made["cmps"]) == ["emotion", "score", "faces", "fps", "camera", "temperature"]
    assert made["state_topic"] == "edge-fer/1/state"
    assert made["availability_topic"] == "edge-fer/1/availability"


def test_the_emotion_is_an_enum_of_all_labels_and_of_no_face() -> None:
    emotion = config()["cmps"]["emotion"]
    assert emotion["p"] == "sensor"
    assert emotion["device_class"] == "enum"
    assert emotion["options"] == [*FER_LABELS, "none"]
    # Home Assistant refuses an enum with a unit or a state class.
    assert not {"unit_of_measurement", "state_class"} & set(emotion)


def test_every_component_has_a_name_of_its_own_and_expires() -> None:
    components = config()["cmps"].values()
    ids = [component["unique_id"] for component in components]
    assert len(set(ids)) == len(ids)
    assert all(identity.startswith("edge-fer-1_") for identity in ids)
    assert all(component["expire_after"] == 90 for component in components)
    assert all(component["p"] in ("sensor", "binary_sensor") for component in components)


def test_templates_ask_only_for_what_the_state_tells() -> None:
    told = {"time", "camera", "emotion", "score", "faces", "fps", "temperature"}
    templates = " ".join(component["value_template"] for component in config()["cmps"].values())
    assert set(re.findall(r"value_json\.(\w+)", templates)) <= told


def test_a_computer_without_a_thermometer_has_no_sensor_for_it() -> None:
    device = Device("x", "X", "m", "1", ("happy",), has_temperature=False)
    assert "temperature" not in discovery(device, "s", "e", "a", 90)["cmps"]


def test_what_is_unknown_in_the_state_is_unknown_in_home_assistant() -> None:
    components = config()["cmps"]
    # A template without a filter gives `None` for null, which makes an entity of MQTT unknown.
    for key in ("emotion", "faces"):
        assert components[key]["value_template"] == f"{{{{ value_json.{key} }}}}"
    assert components["score"]["value_template"].endswith("if value_json.score is not none else none }}")


def test_topics_stand_below_the_prefix() -> None:
    assert discovery_topic("ha", DEVICE) == "ha/device/edge-fer-1/config"
    assert birth_topic("ha") == "ha/status"


def test_events_are_an_entity_and_a_trigger_each() -> None:
    device = replace(DEVICE, events=("smile", "nobody"))
    components = discovery(device, "s", "e", "a", 90)["cmps"]
    entity = components["event"]
    assert (entity["p"], entity["event_types"], entity["state_topic"]) == ("event", ["smile", "nobody"], "e")
    # An event that was missed is none: Home Assistant refuses `expire_after` for it.
    assert "expire_after" not in entity
    triggers = [component for component in components.values() if component["p"] == "device_automation"]
    assert [trigger["payload"] for trigger in triggers] == ["smile", "nobody"]
    assert len({(trigger["type"], trigger["subtype"]) for trigger in triggers}) == 2
    assert all(trigger["automation_type"] == "trigger" and trigger["topic"] == "e" for trigger in triggers)


def test_without_rules_there_is_no_entity_of_events() -> None:
    assert "event" not in config()["cmps"]
