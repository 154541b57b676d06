"""Between the options of commands and the configuration: what the command line does not give, files may."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edge_fer.config.layers import DEFAULT, files_to_read, read_settings
from edge_fer.settings import FROM_FILES, keys, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_fer.cli.options import Function
    from edge_fer.config.layers import SettingValue


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The environment that a command takes settings from, where it is not that of the process: `obj` of its context."""

    environment: Mapping[str, str]


ARGUMENTS = f"{__name__}.arguments"
"""Where a context keeps the arguments of a `RereadableCommand`."""

FILES = f"{__name__}.files"
"""Where a context keeps the files that its defaults are from."""


def config_option(command: str) -> Callable[[Function], Function]:
    """Add --config, and let the files and the environment give what the command line does not.

    Args:
        command: whose groups in `FROM_FILES` they may give.
    """

    def take_defaults(context: click.Context, _parameter: click.Parameter, given: Path | None) -> None:
        if context.resilient_parsing:
            return
        surroundings = context.find_object(Surroundings)
        environment = os.environ if surroundings is None else surroundings.environment
        in_force = settings_in_force(given, environment)
        context.meta[FILES] = tuple(files_to_read(environment, given))
        context.default_map = {
            # An argument takes several.
            setting.name: (in_force[setting.name].value,) if setting.argument else in_force[setting.name].value
            for setting in settings_of(FROM_FILES[command])
            if setting.in_files and in_force[setting.name].origin != DEFAULT
        }

    return click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        is_eager=True,  # before all that takes its default from it
        expose_value=False,
        callback=take_defaults,
        help="Read settings from this file instead of /etc/edge-fer/config.toml and the user's file.",
    )


class RereadableCommand(click.Command):
    """A command that remembers its arguments, so that the files below them can be read again."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments."""
        ctx.meta[ARGUMENTS] = tuple(args)
        return super().parse_args(ctx, args)


def parsed_again(context: click.Context) -> click.Context:
    """The same arguments of the same command over the files and the environment as they are now.

    Raises:
        click.UsageError: an option is wrong.
        ConfigError: a file or variable is unusable.
    """
    return context.command.make_context(context.info_name, list(context.meta[ARGUMENTS]), parent=context.parent)


def prefer_given(context: click.Context, first: str, second: str) -> tuple[Any, Any]:
    """The values of two options that exclude each other; one from the configuration yields to the command line."""
    values = [context.params[name] or None for name in (first, second)]
    configured = [context.get_parameter_source(name) is ParameterSource.DEFAULT_MAP for name in (first, second)]
    if None not in values and configured.count(True) == 1:
        values[configured.index(True)] = None
    return values[0], values[1]


def configuration_files(context: click.Context) -> tuple[Path, ...]:
    """The files that a command takes its defaults from."""
    files: tuple[Path, ...] = context.meta.get(FILES, ())
    return files


def settings_in_force(given: Path | None, environment: Mapping[str, str] | None = None) -> dict[str, SettingValue]:
    """Every setting with its origin, as `edge-fer run` without options would take them.

    Raises:
        ConfigError: a file or variable is unusable.
    """
    return read_settings(keys(), os.environ if environment is None else environment, given)
