"""What the page's server is asked for: where it listens and how much of it anybody may use."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from edge_fer.errors import ConfigError
from edge_fer.sinks.listening import Address

NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,251}[a-z0-9])?")


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
    header_bytes: int = 16_384
    """Request line and headers together."""
    header_seconds: float = 10.0
    """Time in which a request's headers must have arrived."""
    stalled_seconds: float = 10.0
    """A client that takes nothing for so long is cut off."""
    picture_fps: float = 20.0
    """Live pictures a second at most."""
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

    def __post_init__(self) -> None:
        """Refuse names that are none.

        Raises:
            ConfigError: the message holds the name.
        """
        for name in self.names:
            if not NAME.fullmatch(name.lower()):
                raise ConfigError(f"--serve-name {name!r} is no host name: give it without http:// and port")

    @property
    def needs_token(self) -> bool:
        """Whether a token is asked for: wherever others than programs on this computer may come."""
        return not self.address.is_loopback or bool(self.names)
