"""Browsers that signed in: each has a random secret of its own, with a date, and is forgotten when it signs out.

Dates and digests, with which nobody can sign in, are kept on the disk beside the token: they outlive a restart of the
service and end with the token.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
import threading
from typing import TYPE_CHECKING

from edge_fer.atomic_files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from edge_fer.sinks.web.token import Token

SESSION_SECONDS = 30 * 24 * 3600
"""Time after which a browser must sign in again."""
MOST_SESSIONS = 64
"""Browsers that are signed in at once; the one that signed in first is signed out for one more."""
SECRET_BYTES = 32
COOKIE_PREFIX = "edge_fer_session_"
HOST_PREFIX = "__Host-"
"""Browsers let nobody but this very host set a cookie of such a name, and over HTTPS alone."""
MOST_COOKIES = 16
"""Cookies of our name that are looked at: another service on this host may have set some of the same name."""
MOST_FILE_BYTES = 65_536
FILE_MODE = 0o600


class Sessions:
    """The sessions of one page."""

    def __init__(self, token: Token, port: int, wall_time: Callable[[], float], path: Path | None = None) -> None:
        """Take those that are kept and still hold.

        Args:
            token: they end with it.
            port: of the page: browsers send cookies to every port of a host, so that the name distinguishes services.
            wall_time: seconds since 1970.
            path: where they are kept; None keeps them in memory.
        """
        self._wall_time, self._path = wall_time, path
        self._saving = threading.Lock()
        self.cookie_name = f"{COOKIE_PREFIX}{token.derive(f'cookie {port}')[:12]}"
        self._bound_to = token.derive("sessions")
        self._begun: dict[str, float] = {} if path is None else self._kept(path)

    def __len__(self) -> int:
        """How many hold."""
        self._forget_old()
        return len(self._begun)

    def begin(self) -> str:
        """A new session; its secret is what the browser is to send back."""
        self._forget_old()
        while len(self._begun) >= MOST_SESSIONS:
            del self._begun[next(iter(self._begun))]
        secret = secrets.token_urlsafe(SECRET_BYTES)
        self._begun[_digest(secret)] = self._wall_time()
        return secret

    def holds(self, secret: str) -> bool:
        """Whether a browser with this secret is signed in."""
        begun = self._begun.get(_digest(secret))
        return begun is not None and self._wall_time() - begun < SESSION_SECONDS

    def end(self, secret: str) -> bool:
        """Sign a browser out; True where it was signed in."""
        return self._begun.pop(_digest(secret), None) is not None

    def found_in(self, headers: Iterable[str]) -> list[str]:
        """The secrets of our name in these Cookie headers, whatever else is in them.

        Cookies of other services on this host come along, in forms that no parser expects.
        """
        names = (self.cookie_name, HOST_PREFIX + self.cookie_name)
        pairs = (pair.partition("=") for header in headers for pair in header.split(";"))
        found = [value.strip().strip('"') for name, _, value in pairs if name.strip() in names]
        return found[:MOST_COOKIES]

    def save(self) -> None:
        """Keep them for the next start.

        Raises:
            OSError: the file cannot be written.
        """
        if self._path is None:
            return
        # One after the other, each with what holds by then: a session that has ended must not come back.
        with self._saving:
            record = {"bound_to": self._bound_to, "begun": dict(self._begun)}
            write_atomically(self._path, (json.dumps(record) + "\n").encode(), FILE_MODE)

    def _forget_old(self) -> None:
        now = self._wall_time()
        self._begun = {digest: begun for digest, begun in self._begun.items() if now - begun < SESSION_SECONDS}

    def _kept(self, path: Path) -> dict[str, float]:
        # A file that is damaged, another's, or of another token is no fault: people sign in again.
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                status = os.fstat(descriptor)
                closed = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
                record = json.loads(file.read(MOST_FILE_BYTES)) if closed else None
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(record, dict) or record.get("bound_to") != self._bound_to:
            return {}
        begun = record.get("begun")
        if not isinstance(begun, dict) or len(begun) > MOST_SESSIONS:
            return {}
        return {digest: float(date) for digest, date in begun.items() if isinstance(date, (int, float))}


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
