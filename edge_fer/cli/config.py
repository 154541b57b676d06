"""`edge-fer config`: which settings are in force, and where they are from."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_fer.cli.streams import say
from edge_fer.escaping import for_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_fer.config.layers import SettingValue
    from edge_fer.config.setting import Value

FILE_OPTION = click.option(
    "--config",
    "given",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Settings, read instead of /etc/edge-fer/config.toml and those of the user.",
)


@click.group("config", short_help="Show which settings are in force, and where they are from.")
def command() -> None:
    """Show which settings are in force, and where they are from.

    A setting is an option of `edge-fer run`. The command line beats the environment (EDGE_FER_FPS=15), that beats the
    user's file, and that beats /etc/edge-fer/config.toml. docs/configuration.md lists all settings.
    """


@command.command("show", short_help="Print every setting, its value and where it is from.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@FILE_OPTION
def show(as_json: bool, given: Path | None) -> None:
    """Print every setting, its value, and where it is from: a file, an environment variable or the default."""
    from edge_fer.cli.configuration import settings_in_force

    settings = with_preset(settings_in_force(given))
    rules = rules_in_force(given)
    if as_json:
        entries: dict[str, dict[str, Any]] = {
            name: {"value": shown(name, setting.value), "from": setting.origin} for name, setting in settings.items()
        }
        if rules:
            tables = [{"on": rule, "do": actions} for rule, actions, _ in rules]
            entries["events"] = {"value": tables, "from": rules[0][2].rpartition(": ")[0]}
        say(for_json(json.dumps(entries, ensure_ascii=False, indent=2)))
        return
    rows = [(name, text_of(shown(name, setting.value)), setting.origin) for name, setting in settings.items()]
    rows += [("events", f"{text_of(rule)}: {', '.join(actions) or '-'}", origin) for rule, actions, origin in rules]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, origin in rows:
        say(f"{name:{widths[0]}}  {value:{widths[1]}}  {origin}")


def rules_in_force(given: Path | None) -> list[tuple[str, list[str], str]]:
    """Each rule of the files, the actions of its events without what may be a secret, and where it is from.

    Raises:
        ConfigError: a file, or a rule or action in it, is unusable.
    """
    from edge_fer.cli.event_settings import configured_rules
    from edge_fer.config.layers import files_to_read, read_events
    from edge_fer.events.actions import description

    path, tables = read_events(files_to_read(os.environ, given))
    found = [] if path is None else configured_rules(path, tables)
    return [(one.rule.text, [description(action) for action in one.actions], one.origin) for one in found]


@command.command("path", short_help="Print the files that settings are read from.")
@FILE_OPTION
def path(given: Path | None) -> None:
    """Print the files that settings are read from, the strongest last, and which of them exist."""
    from edge_fer.config.layers import FILE_VARIABLE, SYSTEM_FILE, files_to_read, user_file

    read = files_to_read(os.environ, given)
    named = given is not None or bool(os.environ.get(FILE_VARIABLE))
    places = read if named else [place for place in (SYSTEM_FILE, user_file(os.environ)) if place is not None]
    for place in places:
        say(f"{place}{'' if place in read else '  (does not exist)'}")


def with_preset(settings: Mapping[str, SettingValue]) -> dict[str, SettingValue]:
    """The settings, with those that nobody gave and that the preset decides as the preset has them."""
    from edge_fer.config.layers import SettingValue
    from edge_fer.faces.tracking_settings import PRESETS

    name = settings["preset"].value
    preset = next(values for known, values in PRESETS.items() if known == name)
    return {
        key: SettingValue(getattr(preset, key), f"preset {name}")
        if setting.value is None and hasattr(preset, key)
        else setting
        for key, setting in settings.items()
    }


def shown(name: str, value: Value | None) -> Value | None:
    """A value fit for eyes: passwords in addresses and in settings that are called so are left out."""
    if not isinstance(value, str):
        return value
    if "password" in name and not name.endswith("_file"):
        return "***"
    if "://" not in value:
        return value
    from edge_fer.camera.streams import redacted

    return redacted(value)


def text_of(value: Value | None) -> str:
    """A value as the configuration file writes it; a dash for none."""
    from edge_fer.config.edit import toml_value

    return "-" if value is None else toml_value(value)
