"""Where settings are read: a file of the system, one of the user, and the environment; the later beats the earlier."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.config.setting import ENVIRONMENT_PREFIX, Setting, Value, by_name, find_setting, unknown_key
from edge_fer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SYSTEM_FILE = Path("/etc/edge-fer/config.toml")
FILE_VARIABLE = ENVIRONMENT_PREFIX + "CONFIG"
"""Names the file to read, as --config does."""
MAX_FILE_BYTES = 65_536
"""A longer file is no configuration."""
DEFAULT = "default"
EVENTS = "events"
"""The tables of a file that are rules and no settings: `[[events]]`."""


@dataclass(frozen=True, slots=True)
class SettingValue:
    """A value and where it is from."""

    value: Value | None
    origin: str
    """A file, an environment variable, or `default`."""


def user_file(environment: Mapping[str, str]) -> Path | None:
    """The user's file by the XDG rules; None without a home folder."""
    folder = Path(environment.get("XDG_CONFIG_HOME", ""))
    if not folder.is_absolute():  # the rules say to ignore a relative one
        home = Path(environment.get("HOME", ""))
        if not home.is_absolute():
            return None
        folder = home / ".config"
    return folder / "edge-fer" / "config.toml"


def files_to_read(
    environment: Mapping[str, str], given: Path | None = None, system_file: Path = SYSTEM_FILE
) -> list[Path]:
    """The files that count, lowest first: one that was named stands alone, else those of the system and the user.

    Raises:
        ConfigError: the named file does not exist.
    """
    if given is None and environment.get(FILE_VARIABLE):
        given = Path(environment[FILE_VARIABLE])
    if given is not None:
        if not given.exists():
            raise ConfigError(f"there is no configuration file {given}")
        return [given]
    return [path for path in (system_file, user_file(environment)) if path is not None and is_there(path)]


def is_there(path: Path) -> bool:
    """Whether a file exists; a service may not enter homes, and so has no file of a user."""
    try:
        return path.is_file()
    except OSError:
        return False


def read_settings(
    keys: Iterable[Setting],
    environment: Mapping[str, str],
    given: Path | None = None,
    system_file: Path = SYSTEM_FILE,
) -> dict[str, SettingValue]:
    """Every key with its value and origin.

    Args:
        keys: what there is to set.
        environment: the environment variables; one that is empty counts as not set.
        given: the file named by --config; it is read instead of the others.
        system_file: the file of the machine.

    Raises:
        ConfigError: a file cannot be read, or a file or variable has an unknown key or an unusable value.
    """
    known = by_name(keys)
    settings = {name: SettingValue(key.default, DEFAULT) for name, key in known.items()}
    for path in files_to_read(environment, given, system_file):
        _lay(settings, read_file(path, known), known)
    _lay(settings, _read_environment(environment, known), known)
    return settings


def read_file(path: Path, known: Mapping[str, Setting]) -> dict[str, SettingValue]:
    """The settings in a TOML file.

    Raises:
        ConfigError: it cannot be read, is no TOML, or has an unknown key or an unusable value.
    """
    found: dict[str, SettingValue] = {}
    for name, value in parse_file(path).items():
        setting = find_setting(known, name)
        if setting is None and name == EVENTS:
            continue
        if setting is None:
            raise unknown_key(name, str(path), known)
        _take(found, setting, name, SettingValue(setting.check(value, str(path)), str(path)))
    return found


def parse_file(path: Path) -> dict[str, object]:
    """The keys and values of a TOML file as they stand there.

    Raises:
        ConfigError: it cannot be read, is too long, or is no TOML.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(f"{path} is longer than {MAX_FILE_BYTES // 1024} KiB: it is no configuration file")
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text (byte {error.start})") from error
    except (ValueError, RecursionError) as error:  # a TOMLDecodeError, or a number or nesting without end
        raise ConfigError(f'{path} is no valid TOML: {error}; texts need quotes, such as camera = "0"') from error


def read_events(files: Iterable[Path]) -> tuple[Path | None, list[dict[str, object]]]:
    """The tables `[[events]]` of the strongest file that has any, and which file that is.

    Args:
        files: the strongest last.

    Raises:
        ConfigError: a file cannot be read, or what it calls events are no tables.
    """
    for path in reversed(list(files)):
        tables = parse_file(path).get(EVENTS)
        if tables is None:
            continue
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise ConfigError(
                f"{path}: events are written as tables: a line [[events]], and below it on = 'RULE' and do = 'ACTION'"
            )
        return path, tables
    return None, []


def _read_environment(environment: Mapping[str, str], known: Mapping[str, Setting]) -> dict[str, SettingValue]:
    found: dict[str, SettingValue] = {}
    for variable, text in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable == FILE_VARIABLE or not text:
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        setting = find_setting(known, name)
        if setting is None:
            raise unknown_key(name, f"environment variable {variable}", known)
        _take(found, setting, name, SettingValue(setting.parse(text, variable), variable))
    return found


def _take(found: dict[str, SettingValue], setting: Setting, name: str, value: SettingValue) -> None:
    """Add what stands under a name of a setting, once.

    Raises:
        ConfigError: the setting has a value under another of its names.
    """
    if setting.name in found:
        older = name if name != setting.name else ", ".join(setting.old_names)
        raise ConfigError(f"{value.origin}: {older} is an older name of {setting.name}: keep {setting.name} alone")
    found[setting.name] = value


def _lay(settings: dict[str, SettingValue], above: Mapping[str, SettingValue], known: Mapping[str, Setting]) -> None:
    """Lay settings over those from lower places; one that is given there puts its rival out of force."""
    for name, setting in above.items():
        rival = known[name].rival
        if rival is not None and rival in above:
            raise ConfigError(f"{setting.origin}: {name} and {rival} exclude each other: keep one of them")
        if rival is not None and rival in settings:
            settings[rival] = SettingValue(known[rival].default, DEFAULT)
        settings[name] = setting
