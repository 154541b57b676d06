from __future__ import annotations

from typing import NamedTuple

import pytest

from edge_fer.sinks.other_users import other_users


class Account(NamedTuple):
    pw_name: str
    pw_uid: int
    pw_shell: str = "/bin/bash"


SYSTEM = [Account("root", 0), Account("daemon", 1, "/usr/sbin/nologin"), Account("mosquitto", 110)]


@pytest.mark.parametrize(
    ("accounts", "own", "others"),
    [
        ([], 1000, []),
        ([Account("pi", 1000)], 1000, []),
        ([Account("pi", 1000)], 0, ["pi"]),
        ([Account("pi", 1000)], 61_184, ["pi"]),
        ([Account("pi", 1000), Account("anna", 1001, "/usr/bin/zsh"), Account("bob", 1002)], 1000, ["anna", "bob"]),
        ([Account("ldap", 200_001)], 1000, ["ldap"]),
        ([Account("backup", 1003, "/usr/sbin/nologin"), Account("git", 1004, "/bin/false")], 1000, []),
        ([Account("nobody", 65_534), Account("nfsnobody", 4_294_967_294), Account("dynamic", 61_500)], 1000, []),
    ],
)
def test_people_who_can_log_in_are_other_users(accounts: list[Account], own: int, others: list[str]) -> None:
    assert other_users([*SYSTEM, *accounts], own) == others


def test_this_computers_accounts_are_read() -> None:
    assert isinstance(other_users(), list)
