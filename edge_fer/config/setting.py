"""What a setting is called, what it may be, and whether a value fits it."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass, fields, replace
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from edge_fer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Kind: TypeAlias = Literal["text", "texts", "path", "integer", "number", "switch"]
Value: TypeAlias = "str | int | float | bool | tuple[str, ...]"

ENVIRONMENT_PREFIX = "EDGE_FER_"
DECLARATION = "setting"
"""Where a field of a dataclass keeps its declaration."""
ON, OFF = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


FileUse: TypeAlias = Literal["reads", "reads flat", "reads model", "reads data", "writes", "writes video", "fills"]
"""What is done to the file or folder that an option names.

| use | meaning |
|---|---|
| reads | a file, or a folder with all that is in it |
| reads flat | a file, or the files of a folder without the folders in it |
| reads model | a file or folder, with the description beside it; results may be put beside it |
| reads data | a file, or a folder with all that is in it; results may not be put beside it |
| writes | one file |
| writes video | one file that would be read if it lay in a folder that is read |
| fills | files in a folder |
"""
WRITES: tuple[FileUse, ...] = ("writes", "writes video", "fills")


@dataclass(frozen=True, slots=True)
class Setting:
    """The declaration of one setting: command line, files, environment, documentation and service follow from it."""

    kind: Kind
    help: str
    """What it does, in one or two sentences."""
    default: Value | None = None
    """None where nothing is set, or where another setting decides."""
    name: str = ""
    """As a file writes it, such as `min_face_px`; a field of a dataclass gives it its own, see `declared`."""
    unit: str = ""
    """Of a number, such as `pixels`."""
    metavar: str = ""
    """What the help shows for the value where its unit does not."""
    choices: tuple[str, ...] = ()
    """The only texts allowed; empty for any."""
    lowest: float | None = None
    highest: float | None = None
    lowest_excluded: bool = False
    """True where the value must be above `lowest`."""
    may_be_empty: bool = False
    """Whether an empty text means something."""
    argument: bool = False
    """True for what the command line takes without an option, and there several times."""
    short: str = ""
    """A second option of one letter, such as `-v`."""
    negatable: bool = False
    """True for a switch with an option for each side, such as `--show` and `--no-show`."""
    in_files: bool = True
    """Whether files and the environment can give it."""
    rival: str | None = None
    """The name of a setting that asks for the same in another way; the one from the higher place counts."""
    use: FileUse | None = None
    """What is done to the file that it names; None where it names none."""
    secret: bool = False
    """Whether a service is handed the file that it names as a credential, which nobody else can read."""
    old_names: tuple[str, ...] = ()
    """Names that it had in earlier versions, which options, files and variables may still use."""
    network: bool = False
    """Whether a service needs the network for it."""

    def field(self) -> Any:
        """A field of a frozen dataclass with this declaration and its default."""
        default = () if self.kind == "texts" or self.argument else self.default
        return dataclass_field(default=default, metadata={DECLARATION: self})

    @property
    def option(self) -> str:
        """The option of the command line, such as `--min-face-px`; empty for an argument."""
        return "" if self.argument else "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable that gives it."""
        return ENVIRONMENT_PREFIX + self.name.upper()

    @property
    def wanted(self) -> str:
        """What a value must be, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.kind == "switch":
            return "true or false"
        if self.kind == "texts":
            return "a list of texts"
        if self.kind in ("text", "path"):
            return f"a {self.kind} in quotes"
        noun = "a whole number" if self.kind == "integer" else "a number"
        if self.lowest is None:
            return noun
        if self.highest is None:
            return f"{noun} {'above' if self.lowest_excluded else 'from'} {self.lowest:.15g}"
        return f"{noun} {'above' if self.lowest_excluded else 'from'} {self.lowest:.15g} to {self.highest:.15g}"

    def check(self, value: object, where: str) -> Value:
        """The value as this setting takes it.

        Args:
            value: as TOML gives it.
            where: the file or variable that it is from, for messages.

        Raises:
            ConfigError: it is of the wrong type or out of range; the message names where, setting and what is allowed.
        """
        if self.choices and isinstance(value, int) and not isinstance(value, bool):
            value = str(value)  # a choice between numbers is written without quotes by most
        fitting = _typed(self.kind, value)
        if fitting is None or not self.allows(fitting):
            raise ConfigError(f"{where}: {self.name} must be {self.wanted}, not {_shown(value)}")
        return fitting

    def parse(self, text: str, where: str) -> Value:
        """The value that a text of the environment stands for; a list has commas between its parts.

        Raises:
            ConfigError: as for `check`.
        """
        parsed: object = text
        if self.kind == "switch":
            parsed = True if text.lower() in ON else False if text.lower() in OFF else text
        elif self.kind == "texts":
            parsed = [part.strip() for part in text.split(",") if part.strip()]
        elif self.kind in ("integer", "number"):
            try:
                parsed = int(text) if self.kind == "integer" else float(text)
            except ValueError:
                parsed = text
        return self.check(parsed, where)

    def allows(self, value: Value) -> bool:
        """Whether a value of the right type is one of those allowed."""
        if isinstance(value, str):
            if self.choices:
                return value in self.choices
            return (bool(value) or self.may_be_empty) and "\0" not in value
        if isinstance(value, (bool, tuple)):
            return True
        if isinstance(value, float) and not math.isfinite(value):
            return False
        low, high = self.lowest, self.highest
        if low is not None and (value <= low if self.lowest_excluded else value < low):
            return False
        return high is None or value <= high


def find_setting(known: Mapping[str, Setting], name: str) -> Setting | None:
    """A setting by its name, or by one that it had in an earlier version; None where there is no such setting."""
    return known.get(name) or next((one for one in known.values() if name in one.old_names), None)


def unknown_key(name: str, where: str, known: Iterable[str]) -> ConfigError:
    """The error for a key that does not exist, with the nearest one that does."""
    known = sorted(known)
    near = difflib.get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "`edge-fer config show` lists those that exist"
    return ConfigError(f"{where}: unknown key {_shown(name)}: {hint}")


def declared(group: type) -> tuple[Setting, ...]:
    """The settings that the fields of a dataclass declare, in their order."""
    return tuple(replace(one.metadata[DECLARATION], name=one.name) for one in fields(group))


def by_name(settings: Iterable[Setting]) -> Mapping[str, Setting]:
    """Settings by their names."""
    return {setting.name: setting for setting in settings}


def check_ranges(values: object, settings: Iterable[Setting]) -> None:
    """Refuse attributes of an object that are not what the settings of their names allow; None is always allowed.

    Raises:
        ConfigError: naming the first, and what is allowed.
    """
    for setting in settings:
        value = getattr(values, setting.name)
        if value is not None and not setting.allows(value):
            raise ConfigError(f"{setting.name} must be {setting.wanted}, not {value}")


def _typed(kind: Kind, value: object) -> Value | None:
    """The value where its type fits, else None; a bool is no number, and a whole number may stand for a number."""
    if kind == "switch":
        return value if isinstance(value, bool) else None
    if kind == "texts":
        fits = isinstance(value, (list, tuple)) and all(isinstance(part, str) and part for part in value)
        return tuple(value) if fits else None  # type: ignore[arg-type]
    if kind in ("text", "path"):
        return value if isinstance(value, str) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if kind == "number":
        return value
    return value if isinstance(value, int) else None


def _shown(value: object) -> str:
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= 60 else text[:57] + "..."
