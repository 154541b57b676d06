"""The one gate before every listener: under which name it may be asked, from which page, by whom and how much.

The page and the metrics go by these rules alike. Nothing here knows of a web framework: headers are pairs of bytes with
names in lower case, as ASGI has them.
"""

from __future__ import annotations

import ipaddress
import socket
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from edge_fer.sinks.net import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    Headers = Sequence[tuple[bytes, bytes]]
    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HEADER_BYTES = 16_384
"""Request line and headers together."""

HEADERS: dict[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With no-referrer browsers would send forms with `Origin: null`, which cannot be distinguished from a foreign page.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
"""With every response. Scripts, styles and pictures come from this server alone, and no other page may embed it."""

LOCAL_DOMAINS = ("local", "lan", "home", "internal", "localdomain", "home.arpa")
"""Domains that the public name system does not have, so that no web site can own a name in them."""

FORWARDED_FOR = b"x-forwarded-for"
MOST_HOPS = 32
"""Addresses of `X-Forwarded-For` that are looked at, from the nearest on."""

LOOPBACK_CLIENT = "this computer"
UNKNOWN_CLIENT = "unknown"


class Refused(Exception):  # noqa: N818 - names what is the case
    """A request that does not pass the gate."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


class Full(Exception):  # noqa: N818 - names what is the case
    """Every place, or every place of this client's share, is taken."""


@dataclass(frozen=True, slots=True)
class GateRules:
    """What a listener's requests must be like."""

    hosts: frozenset[str]
    """Names under which the server may be asked, in lower case."""
    loopback_only: bool
    """True allows no address but those of this computer, and no name but those in `hosts`."""
    pages: frozenset[str] = frozenset()
    """Paths that a link on another page may lead to."""
    proxies: tuple[Network, ...] = ()
    """Whose `X-Forwarded-For` is believed."""
    header_bytes: int = HEADER_BYTES
    """Request line and headers together at most."""


def own_names(host: str, names: Collection[str]) -> frozenset[str]:
    """Names under which a server that listens on this host may be asked: its own, and those given."""
    found = {"localhost", host.lower(), *(name.lower().removesuffix(".") for name in names)}
    if not is_loopback(host):
        own = socket.gethostname().lower()
        found |= {own, own.split(".")[0], f"{own.split('.')[0]}.local"}
    return frozenset(name for name in found if name)


def check(method: str, path: str, target_bytes: int, headers: Headers, rules: GateRules) -> None:
    """Let a request pass.

    Args:
        method: as in the request line.
        path: without the query.
        target_bytes: length of the whole target, with the query.
        headers: all of them.
        rules: of the listener.

    Raises:
        Refused: 400 without a single Host, 403 for a foreign host or page, 431 for too much of it all.
    """
    # Each header has a colon, a blank and a line end; the request line two blanks, the version and a line end.
    size = len(method) + target_bytes + 12 + sum(len(name) + len(value) + 4 for name, value in headers)
    if size > rules.header_bytes:
        raise Refused(431, "the request's headers are too long")
    hosts = values(headers, b"host")
    if len(hosts) != 1:
        raise Refused(400, "give one Host header")
    if not host_allowed(hosts[0], rules):
        raise Refused(403, "this is not a name of this server: use its address, or give the name when it is started")
    if _from_elsewhere(headers, hosts[0]) and not _is_page_visit(method, path, headers, rules):
        raise Refused(403, "requests from other pages are not answered")


def values(headers: Headers, name: bytes) -> list[str]:
    """All values of a header."""
    return [value.decode("latin-1").strip() for key, value in headers if key == name]


def host_allowed(given: str, rules: GateRules) -> bool:
    """Whether a Host header names this server."""
    try:
        parts = urlsplit(f"//{given}")
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if host is None or parts.netloc != given or parts.username is not None or not given.isascii():
        return False
    host = host.removesuffix(".")
    if host in rules.hosts:
        return True
    # A public name can be made to point here by anybody who owns one; an address or a local name cannot.
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return not rules.loopback_only and _is_local_name(host)
    return address.is_loopback or not rules.loopback_only


def _is_local_name(host: str) -> bool:
    labels = host.split(".")
    if not all(label and all(char.isalnum() or char in "-_" for char in label) for label in labels):
        return False
    # All digits, or hexadecimal ones, are an address in some reader's eyes.
    if labels[-1].isdigit() or labels[-1].startswith("0x"):
        return False
    return len(labels) == 1 or host.endswith(tuple(f".{domain}" for domain in LOCAL_DOMAINS))


def _from_elsewhere(headers: Headers, host: str) -> bool:
    """Whether a browser says that another page made the request."""
    sites = values(headers, b"sec-fetch-site")
    if any(site not in ("none", "same-origin") for site in sites) or len(sites) > 1:
        return True
    origins = values(headers, b"origin")
    if origins and (len(origins) > 1 or _site(origins[0]) != host.lower()):
        return True
    # Browsers leave Sec-Fetch-Site out where the address is neither HTTPS nor this computer.
    referers = values(headers, b"referer")
    return not sites and any(_site(referer) != host.lower() for referer in referers)


def _site(address: str) -> str | None:
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return parts.netloc.lower() if parts.scheme in ("http", "https") else None


def _is_page_visit(method: str, path: str, headers: Headers, rules: GateRules) -> bool:
    if method not in ("GET", "HEAD") or path not in rules.pages or values(headers, b"origin"):
        return False
    return wants_page(headers)


def wants_page(headers: Headers) -> bool:
    """Whether a browser asks for a page to show, and not a program or a page's part."""
    modes = values(headers, b"sec-fetch-mode") or ["navigate"]
    return modes == ["navigate"] and any("text/html" in value for value in values(headers, b"accept"))


def client_key(address: str | None) -> str:
    """Whom an address is counted as: a network of 64 bits in IPv6, where one household has so many addresses.

    >>> client_key("2001:db8::17"), client_key("::ffff:192.0.2.1"), client_key("127.8.0.1")
    ('2001:db8::/64', '192.0.2.1', 'this computer')
    """
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return UNKNOWN_CLIENT
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
    if found.is_loopback:
        return LOOPBACK_CLIENT
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((found, 64), strict=False))
    return str(found)


def is_proxy(address: str | None, proxies: Sequence[Network]) -> bool:
    """Whether an address belongs to a proxy that is believed."""
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
    return any(found.version == network.version and found in network for network in proxies)


def client_of(peer: str | None, headers: Headers, proxies: Sequence[Network]) -> str:
    """The client that a request is counted for: the one that connected, or the one that a trusted proxy names.

    Each proxy adds the address that it saw at the end of `X-Forwarded-For`; what stands before the last one that is no
    proxy of ours may be made up by a client.
    """
    if not is_proxy(peer, proxies):
        return client_key(peer)
    hops = [hop.strip() for value in values(headers, FORWARDED_FOR) for hop in value.split(",")]
    client = client_key(peer)
    for hop in reversed(hops[-MOST_HOPS:]):
        address = _without_port(hop)
        key = client_key(address)
        if key == UNKNOWN_CLIENT:
            break
        client = key
        if not is_proxy(address, proxies):
            break
    return client


def _without_port(hop: str) -> str:
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


@dataclass(eq=False, slots=True)
class Place:
    """A place that a client holds."""

    client: str
    yields: Callable[[], bool] = field(repr=False, default=lambda: False)
    """Whether it gives way to a new client, because its client has not done its part yet."""
    rate: Callable[[], float] = field(repr=False, default=lambda: 0.0)
    """Of those that give way, the one with the least goes first; of equals the oldest."""
    end: Callable[[], None] = field(repr=False, default=lambda: None)
    """Ends what is done in it; called when it must give way."""


class Shares:
    """Places that clients share: none takes more than its share, and a slow one gives way to a new one.

    Used in one event loop only.
    """

    def __init__(self, count: int, changed: Callable[[int], None] = lambda taken: None) -> None:
        """No place is taken.

        Args:
            count: places; three quarters of them are the share of one client.
            changed: is given the number of places that are taken whenever it changes.
        """
        self.count, self._changed = count, changed
        self.per_client = max(1, count * 3 // 4)
        self._places: dict[Place, None] = {}

    @property
    def taken(self) -> int:
        """Places that are held now."""
        return len(self._places)

    def enter(self, place: Place, *, whole: bool = False) -> None:
        """Take a place; hold it until `leave`.

        Args:
            place: the client that asks for it, and how it gives way.
            whole: True for those that speak for many clients, such as a proxy: all places are its share.

        Raises:
            Full: none is free, and nobody who holds one gives way.
        """
        counts = Counter(one.client for one in self._places)
        candidates: list[Place] | None = None
        if counts[place.client] >= (self.count if whole else self.per_client):
            candidates = [one for one in self._places if one.client == place.client]
        elif len(self._places) >= self.count:
            candidates = list(self._places)
        if candidates is not None:
            slow = [one for one in candidates if one.yields()]
            if not slow:
                raise Full
            victim = min(slow, key=lambda one: (-counts[one.client], one.rate()))
            self.leave(victim)
            victim.end()
        self._places[place] = None
        self._changed(len(self._places))

    def leave(self, place: Place) -> None:
        """Give a place back; may be called more than once."""
        if place in self._places:
            del self._places[place]
            self._changed(len(self._places))

    @contextmanager
    def held(self, place: Place, *, whole: bool = False) -> Iterator[None]:
        """Hold a place until the end of the block.

        Raises:
            Full: as in `enter`.
        """
        self.enter(place, whole=whole)
        try:
            yield
        finally:
            self.leave(place)
