"""A user and a password as HTTP and RTSP servers ask for them: Basic (RFC 7617) and Digest (RFC 7616, RFC 2617)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ALGORITHMS = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
"""Names in a challenge and in hashlib."""
CHALLENGE = re.compile(r"(?:^|,)\s*(Basic|Digest)\b(?!\s*=)", re.IGNORECASE)
PARAMETER = re.compile(r'([A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a server asks for."""

    kind: str
    parameters: dict[str, str]

    @property
    def algorithm(self) -> str:
        """Of the hash, with `-SESS` where the server asks for it."""
        return self.parameters.get("algorithm", "MD5").upper()

    @property
    def usable(self) -> bool:
        """Whether it can be answered."""
        if self.kind == "basic":
            return True
        known = ALGORITHMS.get(self.algorithm.removesuffix("-SESS"), "")
        qops = [one.strip() for one in self.parameters.get("qop", "auth").split(",")]
        return known in hashlib.algorithms_available and "nonce" in self.parameters and "auth" in qops


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """The challenges of WWW-Authenticate headers, several of which may stand in one."""
    found = []
    for header in headers:
        starts = list(CHALLENGE.finditer(header))
        for start, after in zip(starts, [*(one.start() for one in starts[1:]), len(header)], strict=False):
            texts = PARAMETER.findall(header[start.end() : after])
            parameters = {key.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain for key, quoted, plain in texts}
            found.append(Challenge(start[1].lower(), parameters))
    return found


class Login:
    """Answers a server's challenge, and goes on with it for later requests."""

    def __init__(self, user: str, password: str, new_nonce: Callable[[], str] = lambda: secrets.token_hex(8)) -> None:
        """Know user and password; nothing is sent before a server asks.

        Args:
            user: may be empty.
            password: may be empty.
            new_nonce: gives a random text for each request.
        """
        self._user, self._password, self._new_nonce = user, password, new_nonce
        self._challenge: Challenge | None = None
        self._count = 0
        self._accepted = False

    def take(self, headers: Iterable[str]) -> bool:
        """Take a server's challenges, the safest that can be answered; False where there is no use in asking again."""
        usable = [one for one in parse_challenges(headers) if one.usable]
        if not usable:
            return False
        best = max(usable, key=lambda one: (one.kind == "digest", one.algorithm.startswith("SHA")))
        before, self._challenge, self._count = self._challenge, best, 0
        if before is None:
            return True
        # Asked again: the password is wrong, unless it was only the nonce that had grown old. Many cameras forget to
        # say so.
        fresh = best.parameters.get("nonce") != before.parameters.get("nonce")
        old = self._accepted or best.parameters.get("stale", "").lower() == "true"
        self._accepted = False
        return best.kind == "digest" and fresh and old

    def accepted(self) -> None:
        """The server took the last answer."""
        self._accepted = True

    def answer(self, method: str, target: str) -> str | None:
        """The header `Authorization` for a request; None before a server has asked."""
        challenge = self._challenge
        if challenge is None:
            return None
        if challenge.kind == "basic":
            return "Basic " + base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
        return self._digest(challenge, method, target)

    def _digest(self, challenge: Challenge, method: str, target: str) -> str:
        given = challenge.parameters
        name = ALGORITHMS[challenge.algorithm.removesuffix("-SESS")]

        def hashed(*parts: str) -> str:
            return hashlib.new(name, ":".join(parts).encode(), usedforsecurity=False).hexdigest()

        realm, nonce, own = given.get("realm", ""), given["nonce"], self._new_nonce()
        self._count += 1
        count = f"{self._count:08x}"
        who = hashed(self._user, realm, self._password)
        if challenge.algorithm.endswith("-SESS"):
            who = hashed(who, nonce, own)
        what = hashed(method, target)
        fields = [("username", self._user), ("realm", realm), ("nonce", nonce), ("uri", target)]
        if "qop" in given:
            response = hashed(who, nonce, count, own, "auth", what)
            plain = f", qop=auth, nc={count}"
            fields.append(("cnonce", own))
        else:
            response, plain = hashed(who, nonce, what), ""
        fields.append(("response", response))
        if "opaque" in given:
            fields.append(("opaque", given["opaque"]))
        if "algorithm" in given:
            plain += f", algorithm={challenge.parameters['algorithm']}"
        return "Digest " + ", ".join(f'{key}="{_quoted(value)}"' for key, value in fields) + plain


def _quoted(text: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", re.sub(r"[\r\n]", "", text))
