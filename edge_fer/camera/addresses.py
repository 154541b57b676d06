"""Network addresses of streams: taken apart, shown without their secrets, and kept from pointing where they should not.

A server may answer with another address: in a redirect, or in a playlist. What it names is asked for only where the
user could have meant it: by the same scheme, and on this computer or in a private network only where the address that
the user gave is there itself (the kinds of addresses are those of RFC 6890).
"""

from __future__ import annotations

import contextlib
import ipaddress
import queue
import re
import socket
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import quote, unquote, urljoin

from edge_fer.background import BackgroundThread
from edge_fer.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}
SCHEMES = ("rtsp", "rtsps", "http", "https")
PASSWORD_PLACE = "{password}"
"""Stands in an address for the password, for cameras that take it in the path or in a parameter."""
SECRET_PARAMETER = re.compile(
    r"([?&;#][^=&;#]*(?:pass|pwd|token|key|secret|auth|sig|cred|user|login)[^=&;#]*=)[^&;#]*", re.IGNORECASE
)
PASSWORD_PARAMETER = re.compile(
    r"[?&;#][^=&;#]*(?:pass|pwd|token|key|secret|auth|cred)[^=&;#]*=(?!\{password\})[^&;#]", re.IGNORECASE
)
RESOLVE_SECONDS = 10.0
TARGET_CHARACTERS = "%/?&=+:;,@!$'()*~[]"
"""What stays in a path and its parameters as it is; all else, spaces and letters beyond ASCII, is percent-encoded."""

Network: TypeAlias = Literal["this computer", "link-local", "private", "public", "special"]
Resolve: TypeAlias = "Callable[[str, int], Sequence[str]]"


def redacted(address: str) -> str:
    """The address without user, password and secret-looking parameters, fit to be shown and stored.

    >>> redacted("rtsp://anna:secret@camera.local/live?token=1&size=2")
    'rtsp://***@camera.local/live?token=***&size=2'
    """
    scheme, separator, rest = address.partition("://")
    if not separator:
        return address
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        rest = "***@" + authority.rpartition("@")[2] + slash + path
    elif "@" in path and ":" in authority:
        # Either a port and an "@" in the path, or a password that contains a slash: taken for a password.
        rest = "***@" + path.rpartition("@")[2]
    return scheme + separator + SECRET_PARAMETER.sub(r"\1***", rest)


def holds_password(address: str) -> bool:
    """Whether a password stands in an address, where a list of processes and a unit of systemd show it."""
    if not re.match(r"[a-z]+://", address, re.IGNORECASE):
        return False
    try:
        password = parse_address(address).password
    except SourceError:
        password = "@" if "@" in address else None
    return bool(password) or bool(PASSWORD_PARAMETER.search(address))


@dataclass(frozen=True, slots=True)
class StreamAddress:
    """A network address, taken apart."""

    scheme: str
    host: str
    """Name or number of the host, an IPv6 number without brackets."""
    port: int
    target: str
    """Path and parameters as they are sent, ASCII."""
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def authority(self) -> str:
        """Host, and port where it is not the usual one, as in an address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if not host.isascii():
            with contextlib.suppress(UnicodeError):
                host = host.encode("idna").decode()
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def text(self) -> str:
        """The address without user and password; the target may hold secrets, so it is not for showing."""
        return f"{self.scheme}://{self.authority}{self.target}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """The server that is asked: others with the same one may be given the password."""
        return self.scheme, self.host.lower(), self.port

    def with_login(self) -> str:
        """The address with user and password, percent-encoded; for a library in this process only."""
        if self.user is None:
            return self.text
        login = quote(self.user, safe="") + ("" if self.password is None else ":" + quote(self.password, safe=""))
        return f"{self.scheme}://{login}@{self.authority}{self.target}"

    def joined(self, reference: str) -> StreamAddress:
        """The address that a reference in an answer means, as of a redirect or a line of a playlist.

        The login goes along only to the same scheme, host and port.

        Raises:
            SourceError: it is none of http, https, rtsp and rtsps.
        """
        # urljoin knows no relative references below rtsp.
        scheme = self.scheme.replace("rtsp", "http")
        joined = urljoin(f"{scheme}://{self.authority}{self.target}", reference.strip())
        if joined.startswith(f"{scheme}://") and not re.match(r"[a-z][a-z0-9+.-]*:", reference.strip(), re.IGNORECASE):
            joined = self.scheme + joined[len(scheme) :]
        found = parse_address(joined)
        login = (self.user, self.password) if found.origin == self.origin else (None, None)
        return replace(found, user=login[0], password=login[1])


def parse_address(text: str, password: str | None = None) -> StreamAddress:
    """Take a network address apart.

    Args:
        text: as the user gives it; a password in it may hold any character.
        password: from a file; it stands in for `{password}` in the address, or goes with the user in it.

    Raises:
        SourceError: it is no such address, or there is no place for the password; the message holds no secret.
    """
    name = redacted(text)
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in PORTS:
        known = ", ".join(f"{one}://" for one in SCHEMES)
        raise SourceError(f"unknown kind of address: {name}; give {known} or a path")
    if password is not None and PASSWORD_PLACE in rest:
        rest, password = rest.replace(PASSWORD_PLACE, quote(password, safe="")), None
    head = re.split(r"[/?#]", rest, maxsplit=1)[0]
    login, at, place = head.rpartition("@")
    if not at and "@" in rest and not re.fullmatch(r"[^:]*|\[[^\]]*\](:\d*)?|[^:]*:\d*", head):
        # No port follows the colon: the password holds a character that ends a host.
        login, at, rest = rest.rpartition("@")
        place = re.split(r"[/?#]", rest, maxsplit=1)[0]
        target = rest[len(place) :]
    else:
        target = rest[len(head) :]
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.%]+\]|[^:\[\]\s\x00-\x1f]+)(?::(\d{1,5}))?", place)
    if not found or (found[2] and not 0 < int(found[2]) < 65536):
        raise SourceError(f"{name} names no host: give {scheme}://HOST/… or {scheme}://HOST:PORT/…")
    user, colon, inside = login.partition(":")
    if password is not None and not user:
        raise SourceError(
            f"there is a password for {name} but no user: give {scheme}://USER@HOST/…, or {PASSWORD_PLACE} where the "
            "address takes it"
        )
    target = target.partition("#")[0]
    target = quote(target if target.startswith("/") else "/" + target, safe=TARGET_CHARACTERS)
    return StreamAddress(
        scheme,
        found[1].strip("[]"),
        int(found[2]) if found[2] else PORTS[scheme],
        target,
        unquote(user) if at and user else None,
        password if password is not None else (unquote(inside) if colon else None),
    )


def resolve(host: str, port: int) -> list[str]:
    """The numbers of a host, in the order in which they are to be tried.

    Raises:
        SourceError: there are none.
    """
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    # In a thread of its own: the system's resolver knows no limit, and may wait for half a minute.
    BackgroundThread(ask, f"find {host}").start()
    try:
        answer = answers.get(timeout=RESOLVE_SECONDS)
    except queue.Empty:
        raise SourceError(f"cannot find the host {host} within {RESOLVE_SECONDS:g} s; check the network") from None
    if isinstance(answer, Exception):
        why = getattr(answer, "strerror", None) or "no name of a host"
        raise SourceError(f"cannot find the host {host}: {why}; check its name and the network")
    return answer


def network_of(number: str) -> Network:
    """Where an IP address leads."""
    address = ipaddress.ip_address(number.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    if mapped is not None:
        return network_of(str(mapped))
    if address.is_loopback or address.is_unspecified:
        return "this computer"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast or (address.is_reserved and not address.is_private):
        return "special"
    return "public" if address.is_global else "private"


def may_lead(given: Network, found: Network) -> bool:
    """Whether what is in one network may lead to another: never from farther away to nearer."""
    reach: dict[Network, tuple[Network, ...]] = {
        "public": ("public",),
        "private": ("public", "private"),
        "link-local": ("public", "private", "link-local"),
        "this computer": ("public", "private", "link-local", "this computer"),
        "special": ("public",),
    }
    return found in reach[given]


class Guide:
    """Finds the numbers of hosts, and refuses those that an address of a stranger must not lead to."""

    def __init__(self, given: StreamAddress, resolve: Resolve = resolve) -> None:
        """Begin with the address that the user gave.

        Args:
            given: may lead anywhere.
            resolve: gives the numbers of a host.
        """
        self._given, self._resolve = given, resolve
        self._network: Network | None = None
        self._known: frozenset[str] = frozenset()

    def numbers(self, address: StreamAddress) -> list[str]:
        """The IP addresses to connect to.

        Raises:
            SourceError: the host is not known, or the address is one that is refused.
        """
        found = list(self._resolve(address.host, address.port))
        if address.host.lower() == self._given.host.lower() and self._network is not None:
            # Names may be changed meanwhile to lead elsewhere.
            allowed = [one for one in found if one in self._known or may_lead(self._network, network_of(one))]
        elif self._network is None:
            if address.origin == self._given.origin:
                # Of several numbers the one that leads least far in counts.
                networks = [network_of(one) for one in found]
                order: tuple[Network, ...] = ("public", "special", "private", "link-local", "this computer")
                self._network = min(networks, key=order.index)
                self._known = frozenset(found)
                return found
            self.numbers(self._given)
            return self.numbers(address)
        else:
            allowed = [one for one in found if may_lead(self._network, network_of(one))]
        if not allowed:
            raise SourceError(
                f"{redacted(self._given.text)} leads to {address.host} ({network_of(found[0])}), where no stranger may "
                "lead; if that is right, give that address itself"
            )
        return allowed

    def check(self, address: StreamAddress) -> None:
        """Refuse another scheme than that of the given address, and hosts as `numbers` does.

        Raises:
            SourceError: it is refused.
        """
        if address.scheme != self._given.scheme:
            raise SourceError(
                f"{redacted(self._given.text)} leads to {redacted(address.text)}, not to {self._given.scheme}://; "
                "if that is right, give that address itself"
            )
        self.numbers(address)
