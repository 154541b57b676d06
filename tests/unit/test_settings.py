"""The declarations of settings: each says the same as the type of its field, and what follows from them is right."""

from __future__ import annotations

from pathlib import Path
from types import NoneType
from typing import Literal, get_args, get_origin, get_type_hints

import click
import pytest
from click.testing import CliRunner

from edge_fer import settings as declarations
from edge_fer.camera.settings import CameraSettings
from edge_fer.cli.options import settings_options
from edge_fer.cli.predict import command as predict_command
from edge_fer.cli.run import command as run_command
from edge_fer.config.setting import Setting, check_ranges, declared
from edge_fer.errors import ConfigError
from edge_fer.faces.detector_settings import DetectorSettings
from edge_fer.faces.tracking_settings import TrackingSettings
from edge_fer.settings import FROM_FILES, PREDICT, RUN, chosen, keys, settings_of
from edge_fer.sinks.mqtt_settings import MqttSettings

GROUPS = tuple(dict.fromkeys((*RUN, *PREDICT)))
KINDS = {int: "integer", float: "number", str: "text", bool: "switch", Path: "path"}


def hints(group: type) -> dict[str, object]:
    return get_type_hints(group, vars(declarations) | {"Path": Path})


@pytest.mark.parametrize("group", GROUPS)
def test_each_declaration_says_the_same_as_the_type_of_its_field(group: type) -> None:
    values = group()
    for setting in declared(group):
        hint = hints(group)[setting.name]
        parts = [part for part in get_args(hint) if part is not NoneType] if NoneType in get_args(hint) else [hint]
        [inner] = parts
        default = getattr(values, setting.name)
        assert setting.help.endswith("."), setting.name
        if setting.argument or setting.kind == "texts":
            assert (inner, default) == (tuple[str, ...], ())
            continue
        if get_origin(inner) is Literal:
            assert setting.choices == get_args(inner)
            inner = str
        assert KINDS[inner] == setting.kind, setting.name  # type: ignore[index]
        assert default == setting.default
        assert (default is None) == (NoneType in get_args(hint)), setting.name
        if default is not None:
            assert setting.allows(default)


def test_each_setting_stands_in_one_group_of_a_command() -> None:
    for groups in (RUN, PREDICT):
        names = [setting.name for setting in settings_of(groups)]
        assert len(names) == len(set(names))


def test_a_command_takes_from_files_only_what_files_can_give() -> None:
    assert {setting.name for groups in FROM_FILES.values() for setting in settings_of(groups)} >= {
        setting.name for setting in keys()
    }
    assert set(FROM_FILES["predict"]) <= set(RUN)


def test_what_a_service_needs_is_declared_with_the_setting() -> None:
    settings = settings_of(RUN)
    assert {one.name for one in settings if one.network} == {"mqtt", "metrics", "serve", "sink"}
    assert {one.name for one in settings if one.secret} == {
        one.name for one in settings if one.name.endswith(("_password_file", "_secret_file", "_key"))
    }
    assert all(one.use is not None for one in settings if one.kind == "path")


def test_parts_start_from_the_same_defaults() -> None:
    values = {setting.name: setting.default for setting in settings_of(RUN)}
    camera, tracking, mqtt = CameraSettings(), TrackingSettings(), MqttSettings("broker.lan")
    assert [camera.width, camera.height, camera.stall_seconds] == [
        values[name] for name in ("width", "height", "stall_seconds")
    ]
    assert (tracking.forget_seconds, tracking.max_faces) == (values["forget_seconds"], values["max_faces"])
    assert (mqtt.interval_seconds, mqtt.discovery_prefix) == (values["mqtt_interval"], values["mqtt_discovery"])
    assert DetectorSettings().max_faces == values["max_faces"]


NUMBERS = [
    (command, setting)
    for command, groups in ((run_command, RUN), (predict_command, PREDICT))
    for setting in settings_of(groups)
    if setting.kind in ("number", "integer")
]


@pytest.mark.parametrize(("command", "setting"), NUMBERS, ids=lambda one: getattr(one, "name", None))
@pytest.mark.parametrize("value", ["nan", "-inf"])
def test_no_option_takes_what_is_no_number(command: click.Command, setting: Setting, value: str) -> None:
    result = CliRunner().invoke(command, ["demo", setting.option, value])
    assert result.exit_code == 2
    assert setting.option in result.stderr


def test_options_bring_their_groups_values() -> None:
    @click.command()
    @settings_options(declarations.SourceOptions, declarations.LogOptions)
    def command(**values: object) -> tuple[object, ...]:
        return chosen(declarations.SourceOptions, values), chosen(declarations.LogOptions, values)

    words = ["a", "b", "--width", "320", "--source-password-file", "x", "-v", "--no-wait"]
    source, log = command.main(words, standalone_mode=False)
    assert source == declarations.SourceOptions(("a", "b"), width=320, source_password_file=Path("x"))
    assert log == declarations.LogOptions(verbose=True)


def test_ranges_are_checked_by_name() -> None:
    size = Setting("integer", "", name="width", lowest=16, highest=100)
    check_ranges(CameraSettings(width=64), [size])
    with pytest.raises(ConfigError, match="width must be a whole number from 16 to 100, not 640"):
        check_ranges(CameraSettings(), [size])
