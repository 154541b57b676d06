"""Passwords from files and from systemd's credentials: they never stand on a command line or in a unit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_PASSWORD_BYTES = 4096


def read_password(file: Path | None, environment: Mapping[str, str], credential: str, what: str) -> str | None:
    """The password from the file given, or from systemd's credential; None where there is neither.

    The file's last line end is no part of it.

    Args:
        file: that the user names.
        environment: whose CREDENTIALS_DIRECTORY holds the credential.
        credential: its name, as in `LoadCredential=NAME:/path`.
        what: whose password it is, for messages, such as `MQTT`.

    Raises:
        ConfigError: the file cannot be read, is empty, too long or no text.
    """
    if file is None:
        folder = environment.get("CREDENTIALS_DIRECTORY")
        if not folder or not (Path(folder) / credential).is_file():
            return None
        file = Path(folder) / credential
    try:
        with file.open("rb") as stream:
            data = stream.read(MOST_PASSWORD_BYTES + 1)
    except (OSError, ValueError) as exc:
        raise ConfigError(
            f"cannot read the {what} password in {file}: {getattr(exc, 'strerror', None) or exc}"
        ) from None
    try:
        password = data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ConfigError(f"the {what} password in {file} is no text in UTF-8") from None
    if not password or len(data) > MOST_PASSWORD_BYTES or "\n" in password:
        raise ConfigError(f"{file} holds no {what} password: it must be one line of 1 to {MOST_PASSWORD_BYTES} bytes")
    return password
