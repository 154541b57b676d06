"""The secret that lets people in from other computers: made once, kept in a file of mode 600, compared safely.

Browsers send it once, to sign in, and have a session from then on (`sessions`), which ends with the token: delete its
file, start again, and everybody must sign in again.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN_BYTES = 24
TOKEN_NAME = "web-token"
TOKEN_PATTERN = re.compile(r"[A-Za-z0-9_-]{20,200}")


class Token:
    """A secret to compare with; it is never shown."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def is_secret(self, given: str) -> bool:
        """Whether this is the token; takes the same time wherever it differs."""
        return hmac.compare_digest(self._secret, given.encode("utf-8", "surrogatepass"))

    def derive(self, purpose: str) -> str:
        """A text that is the same for this token and purpose, and from which nobody gets the token."""
        return hmac.new(self._secret, f"edge-fer page {purpose}".encode(), hashlib.sha256).hexdigest()

    def __repr__(self) -> str:
        """Hide the secret from tracebacks and logs."""
        return "Token(...)"


def state_directory(environment: Mapping[str, str]) -> Path:
    """Where a program keeps its state: systemd's $STATE_DIRECTORY, else $XDG_STATE_HOME or ~/.local/state.

    Raises:
        ConfigError: none of them is set, and the user has no home folder.
    """
    given = environment.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    home = environment.get("XDG_STATE_HOME", "")
    # The XDG specification says to ignore paths that are not absolute.
    if home.startswith("/"):
        return Path(home) / "edge-fer"
    try:
        return Path(environment.get("HOME") or "~").expanduser() / ".local" / "state" / "edge-fer"
    except RuntimeError:  # a user who is not in the list of users, as in a container
        raise ConfigError(
            "this user has no home folder to keep the page's token in: set HOME or XDG_STATE_HOME to a folder"
        ) from None


def load_token(folder: Path) -> tuple[Token, Path]:
    """Read the token from its file in this folder, or make both where they are missing.

    Raises:
        ConfigError: the file is open to others, is not ours, holds no token, or cannot be read or written.
    """
    path = folder / TOKEN_NAME
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.path.lexists(path):
            _store(path, secrets.token_urlsafe(TOKEN_BYTES))
        return Token(_read(path)), path
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"cannot keep the page's token in {path}: {reason}; set XDG_STATE_HOME") from error


def _read(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, encoding="ascii", errors="replace") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise ConfigError(f"{path} is not a file of the user that runs edge-fer: delete it")
        if status.st_mode & 0o077:
            raise ConfigError(f"{path} can be read by others: delete it, and a new token is made")
        text = file.read(1000).strip()
    if not TOKEN_PATTERN.fullmatch(text):
        raise ConfigError(f"{path} holds no token: delete it, and a new one is made")
    return text


def _store(path: Path, secret: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    # A power cut may have left it, and the number of this process come again, as it does in a container. A secret that
    # nobody uses is not left lying about under ever new names, as `write_atomically` would do.
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(descriptor)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
