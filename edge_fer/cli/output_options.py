"""Options for results that leave the computer or are asked for over the network."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_fer.cli.options import Function, add_options

if TYPE_CHECKING:
    from edge_fer.sinks.listening import Address
    from edge_fer.sinks.mqtt_settings import MqttSettings

READABLE_FILE = click.Path(path_type=Path)


def output_options(function: Function) -> Function:
    """Add --mqtt and what belongs to it, and --metrics."""
    options = (
        click.option(
            "--mqtt",
            metavar="URL",
            help="Tell a broker the emotion, the number of faces and the rate: mqtt://USER@HOST:PORT/PREFIX, or mqtts://.",
        ),
        click.option(
            "--mqtt-password-file",
            type=READABLE_FILE,
            metavar="FILE",
            help="File with the password for the broker; systemd's credential mqtt-password is used without it.",
        ),
        click.option(
            "--mqtt-ca", type=READABLE_FILE, metavar="FILE", help="Trust these certificates (PEM), not the system's."
        ),
        click.option(
            "--mqtt-interval",
            type=click.FloatRange(0.1, 3600),
            default=1.0,
            show_default=True,
            metavar="SECONDS",
            help="Shortest time between two states.",
        ),
        click.option(
            "--mqtt-discovery",
            default="homeassistant",
            show_default=True,
            metavar="PREFIX",
            help="Where Home Assistant looks for devices; empty for none.",
        ),
        click.option(
            "--mqtt-name",
            metavar="NAME",
            help="What people call the device; by default its --mqtt-id, or host and camera.",
        ),
        click.option(
            "--mqtt-id", metavar="ID", help="The device in topics; by default made from this computer and the camera."
        ),
        click.option(
            "--metrics",
            metavar="HOST:PORT",
            help="Answer Prometheus there, at /metrics: 9309 for this computer alone, 0.0.0.0:9309 for the network.",
        ),
        click.option(
            "--metrics-name",
            multiple=True,
            metavar="NAME",
            help="Accept requests for the metrics under this host name, too; needed only for names in public domains.",
        ),
        click.option(
            "--sink",
            "sinks",
            multiple=True,
            metavar="NAME[=URL]",
            help="Also write to an output that another package brings; may be given several times.",
        ),
    )
    return add_options(function, *options)


def plugin_sinks(options: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Name and text of each output of another package."""
    parts = (text.partition("=") for text in options["sinks"])
    return tuple((name, value) for name, _, value in parts)


def metrics_address(options: dict[str, Any]) -> Address | None:
    """Where Prometheus may ask; None where it may not.

    Raises:
        ConfigError: it is no address.
    """
    from edge_fer.sinks.listening import check_names, parse_address

    text = options["metrics"]
    check_names(options["metrics_name"], "--metrics-name")
    return None if text is None else parse_address(text, "--metrics")


def mqtt_settings(options: dict[str, Any]) -> MqttSettings | None:
    """What is asked of MQTT; None where it is not asked for.

    Raises:
        ConfigError: an option is unusable.
    """
    from edge_fer.errors import ConfigError
    from edge_fer.sinks.mqtt_settings import check_identity, check_topic, parse_mqtt_url, read_password

    url = options["mqtt"]
    if url is None:
        return None
    settings = parse_mqtt_url(url)
    if options["mqtt_ca"] is not None and not settings.tls:
        raise ConfigError("--mqtt-ca is for TLS: give the broker as mqtts://")
    if options["mqtt_id"] is not None:
        check_identity(options["mqtt_id"])
    if not math.isfinite(options["mqtt_interval"]):
        raise ConfigError("--mqtt-interval: give a number of seconds")
    discovery_prefix = options["mqtt_discovery"].strip("/")
    check_topic(discovery_prefix, "--mqtt-discovery")
    password = read_password(options["mqtt_password_file"], os.environ)
    if password is not None and settings.user is None:
        raise ConfigError("there is a password for MQTT but no user: give the broker as mqtt://USER@HOST")
    return replace(
        settings,
        password=password,
        ca=options["mqtt_ca"],
        interval_seconds=options["mqtt_interval"],
        discovery_prefix=discovery_prefix,
        name=options["mqtt_name"],
        identity=options["mqtt_id"],
    )
