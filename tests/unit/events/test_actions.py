"""Actions as people write them: what each means, and one line for what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_fer.errors import ConfigError
from edge_fer.events.actions import (
    CommandAction,
    LogAction,
    MqttAction,
    SnapshotAction,
    WebhookAction,
    command_of,
    parse_action,
)


def test_each_action_is_read() -> None:
    assert parse_action("log") == LogAction()
    assert parse_action(" mqtt ") == MqttAction()
    assert parse_action("snapshot:pictures of us") == SnapshotAction(Path("pictures of us"))
    assert parse_action("command:/bin/echo 'a b' $HOME ; ls | cat") == CommandAction(
        ("/bin/echo", "a b", "$HOME", ";", "ls", "|", "cat")
    )
    assert command_of(["/bin/echo", "a b"]) == CommandAction(("/bin/echo", "a b"))
    assert parse_action("webhook:https://hooks.example/a/b?c=d") == WebhookAction(
        "hooks.example", 443, True, "/a/b?c=d"
    )
    assert parse_action("webhook:http://[::1]:8123") == WebhookAction("::1", 8123, False, "/")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("comand:ls", "did you mean command?"),
        ("shell:ls", "take one of log"),
        ("", "take one of log"),
        ("log:now", "takes nothing behind it"),
        ("command:", "needs more"),
        ("command", "needs more"),
        ("command:'ls", "cannot be split"),
        ("command:''", "needs a program"),
        ("command:no-such-program-here", "in the folders of PATH"),
        ("command:/no/such/program", "there is no program /no/such/program"),
        ("command:/etc/passwd", "is not executable: chmod +x /etc/passwd"),
        ("command:/etc", "is a folder"),
        ("snapshot:", "needs more"),
        ("webhook:ftp://host/", "does not begin with https://"),
        ("webhook:https:///path", "is no address"),
        ("webhook:https://host:0/", "is no address"),
        ("webhook:https://host:99999/", "is no address"),
        ("webhook:https://host/a b", "is no address"),
        ("webhook:https://host/a\r\nX: y", "is no address"),
        ("webhook:https://host/#part", "is no address"),
        ("webhook:https://host\x00/", "no program, address or folder"),
        ("webhook:@/no/such/file", "cannot read the webhook's password"),
    ],
)
def test_what_cannot_be_is_one_line(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_action(text)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_login_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_action("webhook:https://anna:very-secret@host/path")
    assert "very-secret" not in str(caught.value)
    assert "--webhook-secret-file" in str(caught.value)


def test_an_address_in_a_file_is_read_from_there(tmp_path: Path) -> None:
    file = tmp_path / "address"
    file.write_text("https://host/very-secret\n")
    action = parse_action(f"webhook:@{file}")
    assert action == WebhookAction("host", 443, True, "/very-secret")
    assert "very-secret" not in repr(action)
