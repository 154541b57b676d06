"""What a setting is called, what it may be, and whether a value fits it."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from edge_fer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Kind: TypeAlias = Literal["text", "texts", "path", "integer", "number", "switch"]
Value: TypeAlias = "str | int | float | bool | tuple[str, ...]"

ENVIRONMENT_PREFIX = "EDGE_FER_"
ON, OFF = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting that a file or the environment can give."""

    name: str
    """As a file writes it, such as `min_face_px`."""
    kind: Kind
    help: str
    """What it does, in one line."""
    default: Value | None = None
    """None where nothing is set, or where another setting decides."""
    choices: tuple[str, ...] = ()
    """The only texts allowed; empty for any."""
    lowest: float | None = None
    highest: float | None = None
    lowest_excluded: bool = False
    """True where the value must be above `lowest`."""
    option: str = ""
    """The option of the command line, such as `--min-face-px`; empty for an argument."""
    parameter: str = ""
    """The name under which the command takes it."""
    rival: str | None = None
    """The name of a key that asks for the same in another way; of the two, the one from the higher place counts."""

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
        """The value as this key takes it.

        Args:
            value: as TOML gives it.
            where: the file or variable that it is from, for messages.

        Raises:
            ConfigError: it is of the wrong type or out of range; the message names where, key and what is allowed.
        """
        if self.choices and isinstance(value, int) and not isinstance(value, bool):
            value = str(value)  # a choice between numbers is written without quotes by most
        fitting = _typed(self.kind, value)
        if fitting is None or not self._allows(fitting):
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

    def _allows(self, value: Value) -> bool:
        if isinstance(value, str):
            return value in self.choices if self.choices else bool(value) and "\0" not in value
        if isinstance(value, (bool, tuple)):
            return True
        if isinstance(value, float) and not math.isfinite(value):
            return False
        low, high = self.lowest, self.highest
        if low is not None and (value <= low if self.lowest_excluded else value < low):
            return False
        return high is None or value <= high


def unknown_key(name: str, where: str, known: Iterable[str]) -> ConfigError:
    """The error for a key that does not exist, with the nearest one that does."""
    known = sorted(known)
    near = difflib.get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "`edge-fer config show` lists those that exist"
    return ConfigError(f"{where}: unknown key {_shown(name)}: {hint}")


def by_name(keys: Iterable[Setting]) -> Mapping[str, Setting]:
    """Keys by their names."""
    return {key.name: key for key in keys}


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
