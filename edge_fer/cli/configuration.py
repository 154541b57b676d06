"""Between the options of commands and the configuration: one declaration, that of `run`, serves both."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edge_fer.config.layers import DEFAULT, files_to_read, read_settings
from edge_fer.config.setting import Setting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_fer.cli.options import Function
    from edge_fer.config.layers import SettingValue
    from edge_fer.config.setting import Kind, Value


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The environment that a command takes settings from, where it is not that of the process: `obj` of its context."""

    environment: Mapping[str, str]


NOT_KEYS = ("headless", "config")
"""Options of `run` that are no keys: the first is another word for `show = false`."""

ARGUMENTS = f"{__name__}.arguments"
"""Where a context keeps the arguments of a `RereadableCommand`."""

FILES = f"{__name__}.files"
"""Where a context keeps the files that its defaults are from."""

RIVALS = {"source": "camera", "camera": "source"}

ARGUMENT_HELP = {"source": "Video, picture, folder or address to read, or `demo`; cameras are given by `camera`."}


def run_keys() -> tuple[Setting, ...]:
    """The settings there are: the options of `edge-fer run`."""
    from edge_fer.cli.run import command

    return keys_of(command)


def keys_of(command: click.Command) -> tuple[Setting, ...]:
    """The options and arguments of a command as keys, in its order."""
    keys = (key_of(parameter) for parameter in command.params)
    return tuple(key for key in keys if key.name not in NOT_KEYS)


def key_of(parameter: click.Parameter) -> Setting:
    """One option or argument as a key."""
    kind, parameter_type = kind_of(parameter), parameter.type
    option = max(parameter.opts, key=len)
    name = option.lstrip("-").replace("-", "_")
    text = parameter.help if isinstance(parameter, click.Option) else ARGUMENT_HELP.get(name)
    ranged = parameter_type if isinstance(parameter_type, (click.IntRange, click.FloatRange)) else None
    return Setting(
        name=name,
        kind=kind,
        help=text or "",
        default=_default_of(parameter, kind),
        choices=tuple(map(str, parameter_type.choices)) if isinstance(parameter_type, click.Choice) else (),
        lowest=ranged.min if ranged else None,
        highest=ranged.max if ranged else None,
        lowest_excluded=ranged.min_open if ranged else False,
        option=option if option.startswith("-") else "",
        parameter=parameter.name or name,
        rival=RIVALS.get(name),
    )


def kind_of(parameter: click.Parameter) -> Kind:
    """The kind of value that an option takes."""
    parameter_type = parameter.type
    if getattr(parameter, "multiple", False) or (parameter.nargs == -1 and parameter.name != "source"):
        return "texts"
    if getattr(parameter, "is_flag", False):
        return "switch"
    if isinstance(parameter_type, click.types.IntParamType):
        return "integer"
    if isinstance(parameter_type, click.types.FloatParamType):
        return "number"
    return "path" if isinstance(parameter_type, click.Path) else "text"


def config_option(*only: str) -> Callable[[Function], Function]:
    """Add --config, and let the files and the environment give what the command line does not.

    Args:
        only: the keys that the command takes from there; all where none is named.
    """

    def take_defaults(context: click.Context, _parameter: click.Parameter, given: Path | None) -> None:
        if context.resilient_parsing:
            return
        surroundings = context.find_object(Surroundings)
        environment = os.environ if surroundings is None else surroundings.environment
        settings = settings_in_force(given, environment)
        context.meta[FILES] = tuple(files_to_read(environment, given))
        values = {
            key.parameter: settings[key.name].value
            for key in run_keys()
            if settings[key.name].origin != DEFAULT and (not only or key.name in only)
        }
        if isinstance(source := values.get("source"), str):
            values["source"] = (source,)  # the argument takes several
        context.default_map = values

    return click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        is_eager=True,  # before all that takes its default from it
        expose_value=False,
        callback=take_defaults,
        help="Settings, read instead of /etc/edge-fer/config.toml and those of the user.",
    )


class RereadableCommand(click.Command):
    """A command that remembers its arguments, so that what stands in files can be read anew below them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments."""
        ctx.meta[ARGUMENTS] = tuple(args)
        return super().parse_args(ctx, args)


def parsed_anew(context: click.Context) -> click.Context:
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
    return read_settings(run_keys(), os.environ if environment is None else environment, given)


def _default_of(parameter: click.Parameter, kind: Kind) -> Value | None:
    default = parameter.default
    if isinstance(default, (bool, int, float, str)):
        return default
    # A switch with a word for each side may be left open; one with a single word is off.
    return False if kind == "switch" and not parameter.secondary_opts else None
