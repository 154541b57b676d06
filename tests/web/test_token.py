"""The token's file: made once, closed to others, refused where it is not."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from edge_fer.errors import ConfigError
from edge_fer.sinks.web.token import TOKEN_NAME, TOKEN_PATTERN, Token, load_token, state_directory


def test_it_is_made_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "edge-fer"
    token, path = load_token(folder)
    assert path == folder / TOKEN_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    text = path.read_text().strip()
    assert TOKEN_PATTERN.fullmatch(text)
    assert token.is_secret(text)
    again, _ = load_token(folder)
    assert again.derive("x") == token.derive("x")
    assert [entry.name for entry in folder.iterdir()] == [TOKEN_NAME]


def test_two_tokens_differ(tmp_path: Path) -> None:
    assert load_token(tmp_path / "a")[0].derive("x") != load_token(tmp_path / "b")[0].derive("x")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    _, path = load_token(tmp_path)
    path.chmod(mode)
    with pytest.raises(ConfigError, match="can be read by others: delete it"):
        load_token(tmp_path)


@pytest.mark.parametrize("text", ["", "short", "with spaces in between them", "x" * 300, "\0" * 32])
def test_a_file_without_a_token_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / TOKEN_NAME
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="holds no token: delete it"):
        load_token(tmp_path)


def test_a_link_and_a_pipe_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / TOKEN_NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="cannot keep the page's token"):
        load_token(tmp_path / "link")
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / TOKEN_NAME, 0o600)
    with pytest.raises(ConfigError, match="is not a file of the user"):
        load_token(tmp_path / "pipe")


def test_a_place_that_is_no_folder_is_told_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="set XDG_STATE_HOME"):
        load_token(tmp_path / "file")


def test_it_never_shows_itself() -> None:
    token = Token("a-secret-of-some-length")
    assert "secret" not in repr(token)
    assert "secret" not in f"{token}"


@pytest.mark.parametrize("given", ["", "a", "a-secret-of-some-lengt", "a-secret-of-some-length ", "é", "\udcff"])
def test_only_the_token_itself_is_taken(given: str) -> None:
    token = Token("a-secret-of-some-length")
    assert not token.is_secret(given)
    assert token.is_secret("a-secret-of-some-length")


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"STATE_DIRECTORY": "/var/lib/edge-fer"}, "/var/lib/edge-fer"),
        ({"STATE_DIRECTORY": "/var/lib/one:/var/lib/two"}, "/var/lib/one"),
        ({"XDG_STATE_HOME": "/state", "HOME": "/srv/a"}, "/state/edge-fer"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/srv/a"}, "/srv/a/.local/state/edge-fer"),
        ({"HOME": "/srv/a"}, "/srv/a/.local/state/edge-fer"),
    ],
)
def test_where_state_is_kept(environment: dict[str, str], folder: str) -> None:
    assert state_directory(environment) == Path(folder)
