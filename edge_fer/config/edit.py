"""Writing settings into a file: what stands there beside them, comments too, stays as it is."""

from __future__ import annotations

import json
import os
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_fer.atomic_files import replace_text
from edge_fer.config.layers import parse_file, user_file
from edge_fer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge_fer.config.setting import Value

NEW_FILE = "# Settings of edge-fer; docs/configuration.md lists them all, `edge-fer config show` those in force.\n"

BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
"""White space, empty lines and comments."""
SPACES = re.compile(r"[ \t]*")
QUOTED = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|' + r"'''.*?'{3,5}" + r'|"(?:\\.|[^"\\\n])*"' + r"|'[^'\n]*'",
    re.DOTALL,
)
"""A text in any of TOML's four kinds of quotes; those of three may end with two more that belong to the text."""
ESCAPED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What JSON leaves in a text as it is, and what would end a line, or change the order of characters, in an editor."""


@dataclass(frozen=True, slots=True)
class _Statement:
    """Where `key = value` stands in a text."""

    key: str
    begin: int
    value_begin: int
    value_end: int


def write_user_config(
    values: Mapping[str, Value | None], environment: Mapping[str, str] | None = None, path: Path | None = None
) -> Path:
    """Set keys in the user's configuration file, or in another one, and leave all else in it as it is.

    The file is replaced in one step, so that a loss of power leaves the old one or the new one.

    Args:
        values: by key; None takes a key out. Values are not checked against the keys that exist.
        environment: says where the user's file is; that of the process where not given.
        path: another file.

    Returns:
        The file that was written.

    Raises:
        ConfigError: there is no home folder, the file cannot be read or written, a value cannot be written in TOML, or
            the file holds one of the keys in a form that cannot be edited.
    """
    target = path or user_file(os.environ if environment is None else environment)
    if target is None:
        raise ConfigError("there is no home folder to write a configuration into: set HOME or XDG_CONFIG_HOME")
    before = parse_file(target) if target.exists() else {}
    by_hand = ConfigError(f"cannot edit {target}: set {', '.join(values)} in it by hand")
    try:
        # As bytes, so that the ends of lines stay as they are.
        text = target.read_bytes().decode() if target.exists() else NEW_FILE
        edited = edited_text(text, values)
        wanted = {**before, **{name: _plain(value) for name, value in values.items()}}
        if tomllib.loads(edited) != {name: value for name, value in wanted.items() if value is not None}:
            raise by_hand
        if edited != text or not target.exists():
            replace_text(target, edited)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise by_hand from error
    except OSError as error:
        raise ConfigError(f"cannot write {target}: {error.strerror}") from error
    return target


def edited_text(text: str, values: Mapping[str, Value | None]) -> str:
    """A TOML text with some of its keys set; new ones go before the first table, None takes one out.

    Raises:
        ConfigError: a value cannot be written in TOML.
    """
    for name, value in values.items():
        statements, end = _statements(text)
        found = next((one for one in statements if one.key == name), None)
        new = None if value is None else toml_value(value)
        if found is not None and new is not None:
            rest = text[found.value_end :]
            text = text[: found.value_begin] + new + ("  " if rest.startswith("#") else "") + rest
        elif found is not None:
            line_begin = text.rfind("\n", 0, found.begin) + 1
            line_end = text.find("\n", found.value_end)
            text = text[:line_begin] + ("" if line_end < 0 else text[line_end + 1 :])
        elif new is not None:
            newline = "\r\n" if "\r\n" in text else "\n"
            head = text[:end]
            head += newline if head and not head.endswith("\n") else ""
            text = f"{head}{name} = {new}{newline}{text[end:]}"
    return text if not text or text.endswith("\n") else text + "\n"


def toml_value(value: Value) -> str:
    """A value as TOML writes it, on one line of visible characters.

    Raises:
        ConfigError: a text holds bytes that are no text, as a file name may.
    """
    if isinstance(value, tuple):
        return f"[{', '.join(toml_value(part) for part in value)}]"
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"{value!r} is not UTF-8 and cannot be written into a file of settings") from None
        # TOML's and JSON's texts are written alike.
        return ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return str(value)
    return json.dumps(value)


def _statements(text: str) -> tuple[list[_Statement], int]:
    """What is set before the first table, and where the first table, or the end, is; the text is valid TOML."""
    found: list[_Statement] = []
    position = 0
    while True:
        begin = _match(BLANK, text, position)
        if begin >= len(text) or text[begin] == "[":
            # A comment above a table belongs to it.
            end = len(text) if begin >= len(text) else position
            return found, end
        equals = _after(text, begin, "=")
        value_begin = _match(SPACES, text, equals + 1)
        value_end = value_begin + len(text[value_begin : _after(text, value_begin, "\n#")].rstrip())
        found.append(_Statement(_key(text[begin:equals].strip()), begin, value_begin, value_end))
        line_end = text.find("\n", value_end)
        position = len(text) if line_end < 0 else line_end + 1


def _after(text: str, position: int, ends: str) -> int:
    """Where one of these characters stands outside of quotes, brackets and comments within them; else the end."""
    depth = 0
    while position < len(text):
        char = text[position]
        if depth == 0 and char in ends:
            return position
        if char in "\"'":
            position = max(position + 1, _match(QUOTED, text, position))
            continue
        if char == "#":
            line_end = text.find("\n", position)
            position = len(text) if line_end < 0 else line_end
            continue
        depth += (char in "[{") - (char in "]}")
        position += 1
    return len(text)


def _match(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.match(text, position)
    return position if found is None else found.end()


def _key(written: str) -> str:
    """A key without its quotes; a dotted one stays as it is written, and is none of ours."""
    if written[:1] in ("'", '"') and QUOTED.fullmatch(written):
        return next(iter(tomllib.loads(f"{written} = 0")))
    return written


def _plain(value: Value | None) -> object:
    return list(value) if isinstance(value, tuple) else value
