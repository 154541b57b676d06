"""The other people who have an account on this computer, since loopback addresses are open to all of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST_PERSON = 1000
"""Lowest number of a person's account: Debian's and most others' setting in /etc/login.defs."""
SYSTEM_NUMBERS = (range(60_514, 65_536), range(2**31, 2**32))
"""Above the first person's: users that systemd makes for services, and `nobody`."""
NO_SHELLS = ("nologin", "false", "sync", "")


class Account(Protocol):
    """What is read of an entry of /etc/passwd."""

    @property
    def pw_name(self) -> str:
        """Name of the user."""

    @property
    def pw_uid(self) -> int:
        """Number of the user."""

    @property
    def pw_shell(self) -> str:
        """Program that a login starts."""


def other_users(accounts: Iterable[Account] | None = None, own: int | None = None) -> list[str]:
    """Names of the people with an account other than this process's user and root, who may do all of this anyway.

    Args:
        accounts: where they are looked for; None for this computer's.
        own: number of the user; None for this process's.
    """
    if accounts is None:
        try:
            import pwd
        except ImportError:  # Windows
            return []
        accounts = pwd.getpwall()
    own = os.geteuid() if own is None else own
    return sorted(
        account.pw_name
        for account in accounts
        if account.pw_uid >= FIRST_PERSON
        and account.pw_uid != own
        and not any(account.pw_uid in numbers for numbers in SYSTEM_NUMBERS)
        and account.pw_shell.rsplit("/", 1)[-1] not in NO_SHELLS
    )
