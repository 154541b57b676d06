"""What the page's server is asked for: where it listens and how much of it anybody may use."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_fer.errors import ConfigError
from edge_fer.sinks.gate import HEADER_BYTES
from edge_fer.sinks.net import Address, check_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_fer.sinks.gate import Network


@dataclass(frozen=True, slots=True)
class WebLimits:
    """How much the server takes on; what is above is refused, and never slows the frame loop."""

    upload_bytes: int = 16_000_000
    """Size of a photo."""
    photo_px: int = 25_000_000
    """Pixels of a photo, by its header; 75 MB when decoded."""
    upload_seconds: float = 30.0
    """Time in which a photo must have arrived."""
    photos_per_minute: int = 60
    """Photos of one client address."""
    photos_at_once: int = 10
    """Photos that one client address may send in a burst."""
    photos_waiting: int = 4
    """Photos that wait while one is looked at."""
    logins_per_minute: int = 20
    """Tries of one client address to sign in."""
    streams: int = 32
    """Clients of the live picture."""
    listeners: int = 32
    """Clients of the events."""
    connections: int = 128
    """Connections of all kinds."""
    header_bytes: int = HEADER_BYTES
    """Request line and headers together."""
    header_seconds: float = 10.0
    """Time in which a request's headers must have arrived."""
    stalled_seconds: float = 10.0
    """A client that takes nothing for this time is cut off."""
    picture_fps: float = 20.0
    """Live pictures per second at most."""
    picture_px: int = 960
    """Longer side of the live picture at most; larger frames are shrunk."""
    state_seconds: float = 0.2
    """Time from one event to the next at least."""
    heartbeat_seconds: float = 15.0
    """Time after which a silent event stream says that it is still there."""


@dataclass(frozen=True, slots=True)
class WebSettings:
    """All that the server is asked for."""

    address: Address = field(default_factory=lambda: Address(port=8080))
    names: tuple[str, ...] = ()
    """Further host names under which it is reached, such as that of a reverse proxy."""
    limits: WebLimits = field(default_factory=WebLimits)
    proxies: tuple[Network, ...] = ()
    """Proxies that name their clients in `X-Forwarded-For`: limits count those, not the proxy."""
    token: bool = False
    """True asks programs of this computer for the token as well."""

    def __post_init__(self) -> None:
        """Refuse names that are none.

        Raises:
            ConfigError: the message holds the name.
        """
        check_names(self.names, "--serve-name")

    @property
    def needs_token(self) -> bool:
        """Whether a token is asked for: wherever others than programs on this computer may come."""
        return self.token or not self.address.is_loopback or bool(self.names)


def parse_proxies(texts: Iterable[str], option: str) -> tuple[Network, ...]:
    """Read addresses or networks, such as `127.0.0.1` or `10.0.0.0/24`.

    Raises:
        ConfigError: one is neither.
    """
    found = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text.strip(), strict=False))
        except ValueError:
            raise ConfigError(
                f"{option} {text!r} is no address of a proxy: give one such as 127.0.0.1 or 10.0.0.0/24"
            ) from None
    return tuple(found)
