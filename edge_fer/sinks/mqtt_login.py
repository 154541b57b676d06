"""A broker asked whether it would let us in, without telling it anything."""

from __future__ import annotations

import os
import ssl
import time
from typing import TYPE_CHECKING, Any

from edge_fer.errors import MissingExtra, SinkError
from edge_fer.sinks.mqtt_link import tls_context
from edge_fer.sinks.mqtt_settings import PASSWORD_OPTION

if TYPE_CHECKING:
    from edge_fer.sinks.mqtt_settings import MqttSettings

REFUSED_LOGIN = (134, 135)
"""Reasons of MQTT 5, which paho gives for both versions: bad user or password, and not authorised."""


def try_to_log_in(settings: MqttSettings, seconds: float) -> None:
    """Connect as a run would, but under another name and without a will, and leave again.

    Args:
        settings: where the broker is.
        seconds: how long it may take.

    Raises:
        MissingExtra: paho-mqtt is not installed.
        ConfigError: the CA file is unusable.
        SinkError: the broker is not there or does not let us in; one line that says why.
    """
    try:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion
    except ImportError:
        raise MissingExtra("--mqtt", "mqtt") from None
    answers: list[Any] = []
    client = Client(CallbackAPIVersion.VERSION2, client_id=f"edge-fer-doctor-{os.getpid()}")
    client.on_connect = lambda _client, _userdata, _flags, reason, _properties: answers.append(reason)
    client.connect_timeout = seconds
    if settings.user is not None:
        client.username_pw_set(settings.user, settings.password)
    if settings.tls:
        client.tls_set_context(tls_context(settings))
    deadline = time.monotonic() + seconds
    try:
        client.connect(settings.host, settings.port)
        while not answers and time.monotonic() < deadline:
            client.loop(0.1)
        client.disconnect()
    except ssl.SSLCertVerificationError as error:
        raise SinkError(f"{settings.address}: its certificate is not trusted ({error.verify_message})") from None
    except OSError as error:
        raise SinkError(f"cannot reach {settings.address}: {error.strerror or error}") from None
    if not answers:
        raise SinkError(f"{settings.address} is there but does not answer: is it an MQTT broker?")
    if answers[0].is_failure:
        hint = f": look at the user and {PASSWORD_OPTION}" if answers[0].value in REFUSED_LOGIN else ""
        raise SinkError(f"{settings.address} refuses us ({answers[0]}){hint}")
