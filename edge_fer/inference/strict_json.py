"""JSON read strictly: every key is asked for by name and type, and what nobody asked for is an error."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from edge_fer.errors import ModelError

Chosen = TypeVar("Chosen", bound=str)


@dataclass(frozen=True, slots=True)
class Fields:
    """The keys of one JSON object that have not been asked for yet."""

    values: dict[str, Any]
    where: str
    """File and key, for messages."""

    def _fail(self, key: str, what: str) -> NoReturn:
        raise ModelError(f"{self.where}: '{key}' {what}")

    def _take(self, key: str) -> Any:
        if key not in self.values:
            self._fail(key, "is missing")
        return self.values.pop(key)

    def text(self, key: str) -> str:
        """A string of at least one character."""
        value = self._take(key)
        if not isinstance(value, str) or not value.strip():
            self._fail(key, "must be a text that is not empty")
        return value

    def optional_text(self, key: str) -> str | None:
        """A string, or None where the key is missing or null."""
        return None if self._is_absent(key) else self.text(key)

    def _is_absent(self, key: str) -> bool:
        """True where the key is missing or null; a null is taken as asked for."""
        if self.values.get(key) is not None:
            return False
        self.values.pop(key, None)
        return True

    def choice(self, key: str, allowed: tuple[Chosen, ...]) -> Chosen:
        """One of the allowed strings."""
        value = self._take(key)
        chosen = next((candidate for candidate in allowed if candidate == value), None)
        if chosen is None:
            self._fail(key, f"must be one of {', '.join(allowed)}")
        return chosen

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings that are not empty."""
        value = self._take(key)
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            self._fail(key, "must be a list of texts that are not empty")
        return tuple(value)

    def optional_texts(self, key: str) -> tuple[str, ...]:
        """As `texts`; empty where the key is missing."""
        return self.texts(key) if key in self.values else ()

    def choices(self, key: str, allowed: tuple[Chosen, ...]) -> tuple[Chosen, ...]:
        """A list of some of the allowed strings; empty where the key is missing."""
        found = self.optional_texts(key)
        if not set(found) <= set(allowed):
            self._fail(key, f"must be a list of {', '.join(allowed)}")
        return tuple(candidate for candidate in allowed if candidate in found)

    def text_map(self, key: str) -> dict[str, str]:
        """An object of strings; empty where the key is missing."""
        value = self.values.pop(key, {})
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            self._fail(key, "must be an object of texts")
        return dict(value)

    def number(self, key: str, default: float, *, above: float, most: float) -> float:
        """A number greater than `above` and no greater than `most`."""
        value = self.values.pop(key, default)
        if not _is_finite(value) or not above < value <= most:
            self._fail(key, f"must be a number above {above:g}, {most:g} at most")
        return float(value)

    def numbers(self, key: str, most: float) -> tuple[float, ...]:
        """A list of numbers from `-most` to `most`, at least one."""
        value = self._take(key)
        if (
            not isinstance(value, list)
            or not value
            or not all(_is_finite(item) and abs(item) <= most for item in value)
        ):
            self._fail(key, f"must be a list of numbers from {-most:g} to {most:g}")
        return tuple(float(item) for item in value)

    def share(self, key: str) -> float:
        """A number from 0 to 1."""
        value = self._take(key)
        if not _is_finite(value) or not 0.0 <= value <= 1.0:
            self._fail(key, "must be a number from 0 to 1")
        return float(value)

    def optional_share(self, key: str) -> float | None:
        """A number from 0 to 1, or None where the key is missing or null."""
        return None if self._is_absent(key) else self.share(key)

    def count(self, key: str, least: int = 0, most: int = 2**63 - 1) -> int:
        """A whole number from `least` to `most`."""
        value = self._take(key)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self._fail(key, f"must be a whole number from {least} to {most}")
        return value

    def optional_count(self, key: str) -> int | None:
        """A whole number from 0 up, or None where the key is missing or null."""
        return None if self._is_absent(key) else self.count(key)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.values.pop(key, default)
        if not isinstance(value, bool):
            self._fail(key, "must be true or false")
        return value

    def required_child(self, key: str) -> Fields:
        """An object."""
        value = self._take(key)
        if not isinstance(value, dict):
            self._fail(key, "must be an object")
        return Fields(dict(value), f"{self.where}: {key}")

    def child(self, key: str) -> Fields | None:
        """An object, or None where the key is missing or null."""
        return None if self._is_absent(key) else self.required_child(key)

    def children(self, key: str) -> list[Fields]:
        """A list of objects; empty where the key is missing."""
        value = self.values.pop(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._fail(key, "must be a list of objects")
        return [Fields(dict(item), f"{self.where}: {key}[{index}]") for index, item in enumerate(value)]

    def done(self) -> None:
        """Refuse the keys that were not asked for: a misspelt one must not be passed over in silence."""
        if self.values:
            self._fail(min(self.values), "is not a known key: remove it or correct its spelling")


def parse_object(text: str, where: str) -> Fields:
    """Read a JSON object; keys that occur twice and NaN or Infinity are refused.

    Raises:
        ModelError: with the place of the fault.
    """

    def refuse_constant(name: str) -> NoReturn:
        raise ModelError(f"{where}: {name} is not a number in JSON")

    def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        for key in keys:
            if keys.count(key) > 1:
                raise ModelError(f"{where}: '{key}' occurs twice")
        return dict(pairs)

    try:
        value = json.loads(text, parse_constant=refuse_constant, object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        reason = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else "nested too deep"
        raise ModelError(f"{where} is not valid JSON ({reason}): convert the model again") from None
    if not isinstance(value, dict):
        raise ModelError(f"{where} must hold a JSON object")
    return Fields(value, where)


def _is_finite(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
