"""Writing settings into a file: what stands there beside them, comments too, stays as it is."""

from __future__ import annotations

import json
import os
import re
import tomllib
from typing import TYPE_CHECKING

from edge_fer.atomic_files import replace_text
from edge_fer.config.layers import parse_file, user_file
from edge_fer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge_fer.config.keys import Value

NEW_FILE = "# Settings of edge-fer; docs/configuration.md lists them all, `edge-fer config show` those in force.\n"


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
        ConfigError: there is no home folder, the file cannot be read or written, or holds one of the keys in a form
            that cannot be edited by lines.
    """
    target = path or user_file(os.environ if environment is None else environment)
    if target is None:
        raise ConfigError("there is no home folder to write a configuration into: set HOME or XDG_CONFIG_HOME")
    before = parse_file(target) if target.exists() else {}
    try:
        text = target.read_text(encoding="utf-8") if target.exists() else NEW_FILE
        edited = edited_text(text, values)
        wanted = {**before, **{name: _plain(value) for name, value in values.items()}}
        if tomllib.loads(edited) != {name: value for name, value in wanted.items() if value is not None}:
            raise ConfigError(f"cannot edit {target} line by line: set {', '.join(values)} in it by hand")
        if edited != text or not target.exists():
            replace_text(target, edited)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"cannot edit {target} line by line: set {', '.join(values)} in it by hand") from error
    except OSError as error:
        raise ConfigError(f"cannot write {target}: {error.strerror}") from error
    return target


def edited_text(text: str, values: Mapping[str, Value | None]) -> str:
    """A TOML text without tables with some of its keys set; new ones go to the end, None takes one out."""
    lines = text.splitlines()
    for name, value in values.items():
        pattern = re.compile(rf"""\s*{re.escape(name)}\s*=\s*(?:"[^"]*"|'[^']*'|[^#"']*?)\s*(#.*)?""")
        places = [(index, found) for index, line in enumerate(lines) if (found := pattern.fullmatch(line))]
        if places:
            index, found = places[0]
            comment = f"  {found[1]}" if found[1] else ""
            lines[index : index + 1] = [] if value is None else [f"{name} = {toml_value(value)}{comment}"]
        elif value is not None:
            lines.append(f"{name} = {toml_value(value)}")
    return "".join(f"{line}\n" for line in lines)


def toml_value(value: Value) -> str:
    """A value as TOML writes it; its texts and JSON's are written alike."""
    if isinstance(value, tuple):
        return f"[{', '.join(toml_value(part) for part in value)}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)


def _plain(value: Value | None) -> object:
    return list(value) if isinstance(value, tuple) else value
