"""Options of commands, made from the declarations in `edge_fer.settings`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edge_fer.config.setting import WRITES
from edge_fer.settings import settings_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.config.setting import Setting

Function = TypeVar("Function", bound="Callable[..., Any]")


class NumberRange(click.FloatRange):
    """A range of numbers that NaN is not in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse NaN, which no comparison finds out of range."""
        number = super().convert(value, param, ctx)
        if isinstance(number, float) and math.isnan(number):
            self.fail(f"{number} is not in the range {self._describe_range()}.", param, ctx)
        return number


def settings_options(*groups: type) -> Callable[[Function], Function]:
    """Add the options and arguments of these groups of settings, which the help lists in this order."""

    def add(function: Function) -> Function:
        for setting in reversed(settings_of(groups)):
            function = _decorator_of(setting)(function)
        return function

    return add


def _decorator_of(setting: Setting) -> Callable[[Function], Function]:
    if setting.argument:
        return click.argument(setting.name, nargs=-1, metavar=f"[{setting.name.upper()}]...")
    option = setting.option
    if setting.negatable:
        option += "/--no-" + option.removeprefix("--")
    words = [option, setting.short] if setting.short else [option]
    words += ["--" + name.replace("_", "-") for name in setting.old_names]
    if setting.kind == "switch":
        return click.option(*words, setting.name, is_flag=True, default=setting.default, help=setting.help)
    return click.option(
        *words,
        setting.name,
        type=_type_of(setting),
        multiple=setting.kind == "texts",
        default=setting.default,
        show_default=setting.default is not None,
        metavar=setting.metavar or setting.unit.upper() or None,
        help=setting.help,
    )


def _type_of(setting: Setting) -> click.ParamType[Any]:
    if setting.choices:
        return click.Choice(setting.choices)
    low, high = setting.lowest, setting.highest
    if setting.kind == "integer":
        return click.IntRange(None if low is None else int(low), None if high is None else int(high))
    if setting.kind == "number":
        return NumberRange(low, high, min_open=setting.lowest_excluded)
    if setting.kind == "path":
        is_folder, is_written = setting.use == "fills", setting.use in WRITES
        return click.Path(file_okay=not is_folder, dir_okay=is_folder or not is_written, path_type=Path)
    return click.STRING
