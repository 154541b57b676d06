"""Where a server of ours listens: at this computer alone unless asked otherwise."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from dataclasses import dataclass

from edge_fer.errors import ConfigError, SinkError

DEFAULT_HOST = "127.0.0.1"
ADDRESS = re.compile(r"(?:(?P<host>[^:\[\]\s/@]+|\[[0-9A-Fa-f:.]+\])?:)?(?P<port>[0-9]{1,5})")
HIGHEST_PORT = 65_535
BACKLOG = 16


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port."""

    host: str
    """An address or a name of this computer; never in brackets."""
    port: int
    """0 takes any free port."""

    def __str__(self) -> str:
        """As it stands in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, option: str) -> Address:
    """Read `HOST:PORT`, `[IPV6]:PORT`, `:PORT` or `PORT`; without a host it is 127.0.0.1.

    Raises:
        ConfigError: it is none of them; the message names the option.
    """
    match = ADDRESS.fullmatch(text.strip())
    if match is None or int(match["port"]) > HIGHEST_PORT:
        raise ConfigError(f"{option} {text!r} is no address: give HOST:PORT, such as 127.0.0.1:9309")
    host = (match["host"] or DEFAULT_HOST).strip("[]")
    if ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise ConfigError(f"{option} {text!r} is no address: {host} is not IPv6") from None
    return Address(host, int(match["port"]))


def listen(address: Address, option: str) -> socket.socket:
    """A socket that listens there.

    Raises:
        SinkError: it is taken, not this computer's, or may not be used; the message names the option.
    """
    listener: socket.socket | None = None
    try:
        family, kind, _, _, where = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(BACKLOG)
    except (OSError, UnicodeError) as error:
        if listener is not None:
            listener.close()
        number = error.errno if isinstance(error, OSError) else None
        way_out = {errno.EADDRINUSE: "give another port", errno.EACCES: "give a port above 1023"}.get(
            number or 0, "give an address of this computer"
        )
        why = getattr(error, "strerror", None) or error
        raise SinkError(f"cannot listen on {address} ({option}): {why}; {way_out}") from None
    return listener
