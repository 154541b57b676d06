"""Which run `edge-fer doctor` is asked about: that of its options, of the installed service, or of the settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_fer.device.findings import Needs
from edge_fer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_fer.build import RunSettings


@dataclass(frozen=True, slots=True)
class Asked:
    """A run that is asked for."""

    settings: RunSettings
    origin: str
    folder: str
    of_service: bool = False


def ask(options: Sequence[str], environment: Mapping[str, str]) -> Asked:
    """What is asked for: by the options, else by the installed service, else by files and variables.

    Raises:
        EdgeFerError: it is unusable.
    """
    from edge_fer.cli.service_machine import installed_service, surroundings_of, this_machine
    from edge_fer.device.unit import options_of

    installed = None if options else installed_service(this_machine(), user=None)
    if installed is None:
        origin = "as given" if options else "from files, variables and defaults"
        return Asked(settings_from(options, environment), origin, str(Path.cwd()))
    text = installed.text() or ""
    try:
        settings = settings_from(options_of(text), surroundings_of(installed.scope, environment))
    except click.UsageError as error:
        raise ConfigError(f"{installed.file}: {error.format_message()}") from None
    folder = "/var/lib/edge-fer" if installed.scope == "system" else environment.get("HOME", "/")
    return Asked(settings, f"those of {installed.file}", folder, of_service=True)


def settings_from(options: Sequence[str], environment: Mapping[str, str]) -> RunSettings:
    """The settings of a run; where nothing names a source, of the demo.

    Raises:
        EdgeFerError: an option or setting is unusable.
    """
    from edge_fer.cli.configuration import Surroundings
    from edge_fer.cli.run import command, settings_of

    def parse(words: list[str]) -> click.Context:
        return command.make_context("edge-fer doctor", words, obj=Surroundings(environment))

    context = parse(list(options))
    if not context.params["source"] and context.params["camera"] is None:
        context = parse([*options, "demo"])
    return settings_of(context)


def needs_of(asked: Asked) -> Needs:
    """What may stand in the way of a run."""
    source, mqtt = asked.settings.source, asked.settings.mqtt
    is_camera = source.isdigit() or source.startswith("/dev/") or source.partition(":")[0] == "rpicam"
    return Needs(
        origin=asked.origin,
        camera=source if is_camera else None,
        sources=() if is_camera or source == "demo" else (source, *asked.settings.more_sources),
        of_service=asked.of_service,
        broker=None if mqtt is None else mqtt.address,
        folder=asked.folder,
    )
