"""What Home Assistant needs to show a camera as a device without being configured: one retained message.

Form: MQTT device discovery, Home Assistant 2024.11 and later, with its short names (`dev`, `o`, `cmps`, `p`). A
template that gives `None` makes an entity unknown there: the state has null for what is unknown while the camera is
down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

NO_FACE = "none"
"""The emotion that is published while no face is in sight."""

BIRTH = "online"
"""What Home Assistant publishes on `<discovery prefix>/status` when it has started."""


@dataclass(frozen=True, slots=True)
class Device:
    """A camera on a computer, as Home Assistant shows it."""

    id: str
    """Stays for ever; letters, digits, `_` and `-`."""
    name: str
    model: str
    version: str
    labels: Sequence[str]
    """Emotions that the model knows."""
    has_temperature: bool
    """Whether the state holds the processor's temperature."""
    page: str | None = None
    """Address of the page in the browser; None where there is none that others can open."""
    events: Sequence[str] = ()
    """Names of the events that it reports."""


def discovery_topic(prefix: str, device: Device) -> str:
    """Where the configuration is published, retained."""
    return f"{prefix}/device/{device.id}/config"


def birth_topic(prefix: str) -> str:
    """Topic on which Home Assistant announces that it has started."""
    return f"{prefix}/status"


def discovery(
    device: Device, state_topic: str, event_topic: str, availability_topic: str, expire_seconds: int
) -> dict[str, Any]:
    """The configuration as plain data.

    Args:
        device: what is announced.
        state_topic: where the state is published as JSON.
        event_topic: where events are published as JSON.
        availability_topic: where `online`, `offline` and `stopped` are published.
        expire_seconds: a state that is older is worth nothing.
    """

    def component(platform: str, key: str, name: str, value: str, **settings: Any) -> dict[str, Any]:
        return {
            "p": platform,
            "unique_id": f"{device.id}_{key}",
            "name": name,
            "value_template": value,
            "expire_after": expire_seconds,
            **settings,
        }

    diagnostic = {"entity_category": "diagnostic"}
    measured = {"state_class": "measurement"}
    components = {
        "emotion": component(
            "sensor",
            "emotion",
            "Emotion",
            "{{ value_json.emotion }}",
            device_class="enum",
            options=[*device.labels, NO_FACE],
            icon="mdi:emoticon-outline",
        ),
        "score": component(
            "sensor",
            "score",
            "Emotion score",
            "{{ (value_json.score * 100) | round(0) if value_json.score is not none else none }}",
            unit_of_measurement="%",
            icon="mdi:percent-outline",
            **measured,
        ),
        "faces": component(
            "sensor", "faces", "Faces", "{{ value_json.faces }}", icon="mdi:account-multiple", **measured
        ),
        "fps": component(
            "sensor",
            "fps",
            "Frame rate",
            "{{ value_json.fps }}",
            unit_of_measurement="FPS",
            icon="mdi:speedometer",
            **measured,
            **diagnostic,
        ),
        "camera": component(
            "binary_sensor",
            "camera",
            "Camera",
            "{{ value_json.camera }}",
            device_class="connectivity",
            payload_on="up",
            payload_off="down",
            **diagnostic,
        ),
    }
    if device.has_temperature:
        components["temperature"] = component(
            "sensor",
            "temperature",
            "Processor temperature",
            "{{ value_json.temperature }}",
            device_class="temperature",
            unit_of_measurement="°C",
            **measured,
            **diagnostic,
        )
    if device.events:
        components |= _event_components(device, event_topic)
    about = {"ids": [device.id], "name": device.name, "mf": "edge-fer", "mdl": device.model, "sw": device.version}
    if device.page is not None:
        about["configuration_url"] = device.page
    return {
        "dev": about,
        "o": {"name": "edge-fer", "sw": device.version},
        "cmps": components,
        "state_topic": state_topic,
        "availability_topic": availability_topic,
        # A run that ended in order says `stopped`, which Home Assistant has no word for.
        "availability_template": "{{ 'online' if value == 'online' else 'offline' }}",
    }


def _event_components(device: Device, topic: str) -> dict[str, Any]:
    """An entity that shows the newest event, and for each event a trigger that automations are made of by clicking."""
    entity = {
        "p": "event",
        "unique_id": f"{device.id}_event",
        "name": "Event",
        "event_types": list(device.events),
        "state_topic": topic,
        "icon": "mdi:emoticon-happy-outline",
    }
    triggers = {
        # Home Assistant takes letters, digits, _ and - here.
        f"event_{name if name.isascii() else name.encode().hex()}": {
            "p": "device_automation",
            "automation_type": "trigger",
            "type": "event",
            "subtype": name,
            "topic": topic,
            "value_template": "{{ value_json.event_type }}",
            "payload": name,
        }
        for name in device.events
    }
    return {"event": entity, **triggers}
