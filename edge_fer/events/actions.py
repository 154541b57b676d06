"""What happens when a rule becomes true, as people write it: `log`, `command:…`, `webhook:…`, `snapshot:…`, `mqtt`."""

from __future__ import annotations

import difflib
import os
import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from edge_fer.errors import ConfigError
from edge_fer.passwords import read_password
from edge_fer.sinks.net import Address, is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KINDS = ("log", "command", "webhook", "snapshot", "mqtt")
EXAMPLES = {
    "command": "command:/usr/bin/notify-send smile",
    "webhook": "webhook:https://host/path",
    "snapshot": "snapshot:FOLDER",
}
PORTS = {"http": 80, "https": 443}
MOST_URL_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class LogAction:
    """A line in the log."""


@dataclass(frozen=True, slots=True)
class CommandAction:
    """A program that is started, without a shell."""

    arguments: tuple[str, ...]
    """The program first."""


@dataclass(frozen=True, slots=True)
class WebhookAction:
    """An HTTP request; what stands behind the host may be a secret, and is never shown."""

    host: str
    port: int
    tls: bool
    target: str = field(repr=False)
    """Path and query."""

    @property
    def address(self) -> str:
        """Host and port as shown to people."""
        return str(Address(self.host, self.port))

    @property
    def local(self) -> bool:
        """Whether nobody else can listen in."""
        return is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class SnapshotAction:
    """A picture of the frame in a folder."""

    folder: Path


@dataclass(frozen=True, slots=True)
class MqttAction:
    """A message to the broker that the run is connected to."""


Action: TypeAlias = LogAction | CommandAction | WebhookAction | SnapshotAction | MqttAction


def parse_action(text: str) -> Action:
    """Read an action.

    Args:
        text: `log`, `mqtt`, `command:PROGRAM ARGUMENTS`, `webhook:URL`, `webhook:@FILE` with the URL in a file, or
            `snapshot:FOLDER`.

    Raises:
        ConfigError: it is none of them; the message never repeats what may be a secret.
    """
    kind, colon, rest = text.strip().partition(":")
    kind, rest = kind.strip(), rest.strip()
    if kind not in KINDS:
        near = difflib.get_close_matches(kind.lower(), KINDS, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else f"take one of {', '.join(KINDS)}"
        raise ConfigError(f"no action is called {kind[:40]!r}: {hint}")
    if kind in ("log", "mqtt"):
        if colon:
            raise ConfigError(f"the action {kind} takes nothing behind it: write {kind}")
        return LogAction() if kind == "log" else MqttAction()
    if not rest:
        raise ConfigError(f"the action {kind} needs more: write {EXAMPLES[kind]}")
    if "\0" in rest:
        raise ConfigError(f"the action {kind} has a character that no program, address or folder can have")
    if kind == "snapshot":
        return SnapshotAction(Path(rest))
    return parse_webhook(rest) if kind == "webhook" else command_of(rest)


def command_of(words: str | Sequence[str]) -> CommandAction:
    """The program of a command and its arguments; a text is split as a shell would, and nothing else of one is done.

    Raises:
        ConfigError: a quote has no end, or there is no such program that this user may start.
    """
    if isinstance(words, str):
        try:
            arguments = tuple(shlex.split(words))
        except ValueError as error:
            raise ConfigError(f"the command {words!r} cannot be split into arguments: {error}") from None
    else:
        arguments = tuple(words)
    if not arguments or not arguments[0]:
        raise ConfigError(f"the action command needs a program: write {EXAMPLES['command']}")
    check_program(arguments[0])
    return CommandAction(arguments)


def check_program(program: str) -> None:
    """Refuse a program that is not there or cannot be started.

    Raises:
        ConfigError: which of the two it is.
    """
    if shutil.which(program) is not None:
        return
    path = Path(program)
    if "/" not in program:
        raise ConfigError(f"command: there is no program {program} in the folders of PATH: give its whole path")
    if not path.exists():
        raise ConfigError(f"command: there is no program {program}")
    if path.is_dir():
        raise ConfigError(f"command: {program} is a folder, and no program")
    raise ConfigError(f"command: {program} is not executable: chmod +x {shlex.quote(program)}")


def parse_webhook(text: str) -> WebhookAction:
    """Read `http://HOST[:PORT]/PATH`, `https://…`, or `@FILE` with such an address in one line.

    Raises:
        ConfigError: it is no such address, or the file cannot be read.
    """
    url = text
    if text.startswith("@"):
        url = read_password(Path(text[1:]), {}, "", "webhook's") or ""
    example = f"give {EXAMPLES['webhook']}, or webhook:@FILE with the address in a file"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        ascii_host = (host or "").encode("idna" if not (host or "").isascii() else "ascii").decode()
    except (ValueError, UnicodeError):
        raise ConfigError(f"webhook: that is no address: {example}") from None
    if parts.scheme not in PORTS:
        raise ConfigError(f"webhook: that address does not begin with https:// or http://: {example}")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(
            "webhook: a user or password in an address is not sent: leave it out, and sign requests with "
            "--webhook-secret-file FILE, or put a token into the path and the address into a file: webhook:@FILE"
        )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    printable = target.isascii() and target.isprintable() and " " not in target
    if not ascii_host or port == 0 or parts.fragment or not printable or len(url) > MOST_URL_CHARACTERS:
        raise ConfigError(f"webhook: that is no address: {example}")
    return WebhookAction(ascii_host, port or PORTS[parts.scheme], parts.scheme == "https", target)


def secret_of(file: Path | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """The secret that requests are signed with, from a file or from systemd's credential `webhook-secret`.

    Raises:
        ConfigError: the file cannot be read, is empty or too long.
    """
    return read_password(file, environment, "webhook-secret", "webhook's")


def description(action: Action) -> str:
    """An action in words, without what may be a secret."""
    if isinstance(action, CommandAction):
        return f"command:{shlex.join(action.arguments)}"
    if isinstance(action, WebhookAction):
        return f"webhook:{'https' if action.tls else 'http'}://{action.address}/***"
    if isinstance(action, SnapshotAction):
        return f"snapshot:{action.folder}"
    return "log" if isinstance(action, LogAction) else "mqtt"
