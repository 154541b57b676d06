"""Where a server of ours listens: at this computer alone unless asked otherwise."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_fer.errors import ConfigError, SinkError

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_HOST = "127.0.0.1"
NAME = re.compile(r"[a-z0-9_]([a-z0-9._-]{0,251}[a-z0-9_])?\.?")
ADDRESS = re.compile(r"(?:(?P<host>[^:\[\]\s/@]+|\[[0-9A-Fa-f:.]+\])?:)?(?P<port>[0-9]{1,5})")
HIGHEST_PORT = 65_535
BACKLOG = 16


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port."""

    host: str = DEFAULT_HOST
    """An address or a name of this computer; never in brackets."""
    port: int = 0
    """0 takes any free port."""

    @property
    def is_loopback(self) -> bool:
        """Whether only programs on this computer can reach it."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        """As people are shown it, and as it stands in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, option: str, example: str = "127.0.0.1:9309") -> Address:
    """Read `HOST:PORT`, `[IPV6]:PORT`, `:PORT` or `PORT`; without a host it is 127.0.0.1.

    Args:
        text: what was given.
        option: that it was given with.
        example: an address that fits the option.

    Raises:
        ConfigError: it is none of them; the message names the option.
    """
    match = ADDRESS.fullmatch(text.strip())
    if match is None or int(match["port"]) > HIGHEST_PORT:
        raise ConfigError(f"{option} {text!r} is no address: give HOST:PORT, such as {example}")
    host = (match["host"] or DEFAULT_HOST).strip("[]")
    if match["host"] and match["host"].startswith("["):
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise ConfigError(f"{option} {text!r} is no address: {host} is not IPv6") from None
    return Address(host, int(match["port"]))


def check_names(names: Iterable[str], option: str) -> None:
    """Refuse names that are none.

    Raises:
        ConfigError: the message holds the option and the name.
    """
    for name in names:
        if not NAME.fullmatch(name.lower()):
            raise ConfigError(f"{option} {name!r} is no host name: give it without http:// and port")


def is_loopback(host: str) -> bool:
    """Whether an address or name is this computer's own, unreachable from others."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(address: Address, option: str) -> socket.socket:
    """A socket that listens there.

    Raises:
        SinkError: it is taken, not this computer's, or may not be used; the message names the option.
    """
    return open_listener(address, f"cannot listen on {address} ({option})", backlog=BACKLOG)


def open_listener(
    address: Address, trouble: str, *, backlog: int, send_buffer_bytes: int | None = None
) -> socket.socket:
    """A socket that listens.

    Args:
        address: where.
        trouble: what cannot be done where this fails; the message begins with it.
        backlog: connections that may wait to be taken.
        send_buffer_bytes: what the system may hold for a client that takes nothing; None leaves it to the system.

    Raises:
        SinkError: the address is taken, not this computer's, or may not be used.
    """
    listener: socket.socket | None = None
    try:
        family, kind, _, _, where = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if send_buffer_bytes is not None:
            # Connections inherit it.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
        listener.bind(where)
        listener.listen(backlog)
    except (OSError, UnicodeError) as error:
        if listener is not None:
            listener.close()
        number = error.errno if isinstance(error, OSError) else None
        way_out = {errno.EADDRINUSE: "give another port", errno.EACCES: "give a port above 1023"}.get(
            number or 0, "give an address of this computer"
        )
        why = getattr(error, "strerror", None) or error
        raise SinkError(f"{trouble}: {why}; {way_out}") from None
    return listener
