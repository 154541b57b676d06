"""Where the broker is, who we are to it, and the password that never stands on the command line."""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from edge_fer import passwords
from edge_fer.errors import ConfigError
from edge_fer.escaping import for_terminal
from edge_fer.settings import MqttOptions
from edge_fer.sinks.net import Address, is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PORTS = {"mqtt": 1883, "mqtts": 8883}
DEFAULT_PREFIX = "edge-fer"
PASSWORD_OPTION = "--mqtt-password-file"
CREDENTIAL = "mqtt-password"
"""Name of the credential that a systemd unit loads with `LoadCredential=mqtt-password:/path`."""
MACHINE_FILES = (Path("/etc/machine-id"), Path("/proc/device-tree/serial-number"))
"""What distinguishes computers: the system's id, and the board's own number, because a copied memory card brings the
same id along."""
MOST_USER_BYTES = 1000
IDENTITY = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """How to reach a broker and what to send."""

    host: str
    port: int = 1883
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    prefix: str = DEFAULT_PREFIX
    """First levels of the topics of all devices."""
    ca: Path | None = None
    """Certificates that are trusted instead of the system's; only with TLS."""
    certificate: Path | None = None
    """By which this device is known to the broker; only with TLS."""
    key: Path | None = None
    """Of that certificate."""
    interval_seconds: float = MqttOptions().mqtt_interval
    """Shortest time between two states."""
    discovery_prefix: str = MqttOptions().mqtt_discovery
    """Where Home Assistant looks for devices; empty for no discovery."""
    name: str | None = None
    """What people call the device; None for its identity where that is chosen, else for the host and the camera."""
    identity: str | None = None
    """Name of the device in topics and in Home Assistant's memory; None makes one from this computer and camera."""

    @property
    def address(self) -> str:
        """Host and port as shown to people."""
        return str(Address(self.host, self.port))

    @property
    def local(self) -> bool:
        """Whether nobody else can listen in: the broker is on this computer."""
        return is_loopback(self.host)


def parse_mqtt_url(url: str) -> MqttSettings:
    """Read `mqtt://[USER@]HOST[:PORT][/PREFIX]` or `mqtts://…`; no message repeats a password.

    Raises:
        ConfigError: it is no such address, or it holds a password.
    """
    example = "give mqtt://USER@HOST:PORT/PREFIX, or mqtts:// for TLS"
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise ConfigError(f"--mqtt: that is no address of a broker: {example}") from None
    if parts.scheme not in PORTS:
        raise ConfigError(f"--mqtt: that address does not begin with mqtt:// or mqtts://: {example}")
    if parts.password is not None:
        raise ConfigError(
            "--mqtt: a password in an address can be read in the list of processes: "
            f"leave it out, put it in a file and give {PASSWORD_OPTION} FILE"
        )
    if not host or port == 0 or parts.query or parts.fragment:
        raise ConfigError(f"--mqtt: that is no address of a broker: {example}")
    if not _is_host(host):
        raise ConfigError(f"--mqtt: {host} is no name of a host: {example}")
    prefix = unquote(parts.path).strip("/") or DEFAULT_PREFIX
    check_topic(prefix, "--mqtt: the prefix")
    user = unquote(parts.username) if parts.username else None
    if user is not None and len(user.encode()) > MOST_USER_BYTES:
        raise ConfigError(f"--mqtt: the user's name is longer than {MOST_USER_BYTES} bytes")
    return MqttSettings(host, port or PORTS[parts.scheme], parts.scheme == "mqtts", user, prefix=prefix)


def check_identity(identity: str) -> None:
    """Refuse what Home Assistant takes for no id.

    Raises:
        ConfigError: it holds anything but letters, digits, `_` and `-`, or is longer than 64.
    """
    if not IDENTITY.fullmatch(identity):
        raise ConfigError("--mqtt-id: give 1 to 64 letters, digits, _ and -")


def check_topic(topic: str, what: str) -> None:
    """Refuse what cannot stand at the beginning of a topic that is published.

    Raises:
        ConfigError: it holds a wildcard or a control character, begins with $, or is too long.
    """
    hidden = topic != for_terminal(topic)
    if hidden or re.search(r"[+#]", topic) or topic.startswith("$") or len(topic) > 200 or "//" in topic:
        raise ConfigError(f"{what} may hold no + or # or control character, not begin with $, and be 200 long at most")


def read_password(file: Path | None, environment: Mapping[str, str]) -> str | None:
    """The password from the file given, or from systemd's credential `mqtt-password`; None where there is neither.

    Raises:
        ConfigError: the file cannot be read, is empty, too long or no text.
    """
    return passwords.read_password(file, environment, CREDENTIAL, "MQTT")


def device_id(camera: str, machine_files: Sequence[Path] = MACHINE_FILES, host: str | None = None) -> str:
    """A name for this camera on this computer that stays and that no other has, such as `edge-fer-1f3a90c25b7e4d68`.

    It is a keyed hash of what distinguishes this computer, which systemd asks to keep from the network, and the
    camera's name; where nothing does, as in some containers, of the host's name instead.
    """
    known = [text for text in map(_text, machine_files) if text]
    key = " ".join(known) or f"host {host or socket.gethostname()}"
    name = f"edge-fer {camera}".encode("utf-8", "surrogateescape")
    return "edge-fer-" + hmac.new(key.encode(), name, hashlib.sha256).hexdigest()[:16]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip("\x00 \n")
    except OSError:
        return ""


def _is_host(host: str) -> bool:
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return not re.search(r"[\x00-\x20\x7f]", host)
