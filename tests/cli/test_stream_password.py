"""The password of an IP camera: from a file or a credential, and nowhere to be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_fer.cli import main
from tests.stream_servers import Connection, Server
from tests.unit.camera.test_stream_failures import protected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = "s3cret: fish/@"
SHORT = ("--max-frames", "2", "--headless", "--json")


@pytest.fixture
def camera() -> Iterator[Server]:
    with Server(protected('Digest realm="x", nonce="1", qop="auth"', PASSWORD)) as server:
        yield server


def run(capfd: pytest.CaptureFixture[str], model: Path, *arguments: object, code: int = 0) -> tuple[str, str]:
    assert main.exit_code(["run", *map(str, arguments), "--model", str(model), *SHORT]) == code
    output, errors = capfd.readouterr()
    assert "s3cret" not in output + errors
    return output, errors


@pytest.mark.parametrize("option", ["source", "--camera"])
def test_from_a_file(camera, tiny_model, tmp_path, capfd, option):
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD + "\n")
    words = [] if option == "source" else [option]
    output, errors = run(capfd, tiny_model, *words, camera.url(login="anna@"), "--source-password-file", secret)
    assert len(output.splitlines()) == 2
    assert "list of processes" not in errors


def test_from_systemd(camera, tiny_model, tmp_path, capfd, monkeypatch):
    (tmp_path / "source-password").write_text(PASSWORD)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert len(run(capfd, tiny_model, camera.url(login="anna@"))[0].splitlines()) == 2
    # It is for cameras that ask for a user; others do without.
    run(capfd, tiny_model, "demo")


def test_in_the_address_it_works_with_a_warning(camera, tiny_model, capfd):
    _, errors = run(capfd, tiny_model, camera.url(login="anna:s3cret%3A%20fish%2F%40@"))
    assert "--source-password-file" in errors


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("", 78, "holds no camera's password"),
        ("wrong s3cret", 3, "refuses the user or the password"),
        (None, 78, "cannot read"),
    ],
)
def test_an_unusable_file(camera, tiny_model, tmp_path, capfd, text, code, said):
    secret = tmp_path / "secret"
    if text is not None:
        secret.write_text(text)
    words = (camera.url(login="anna@"), "--source-password-file", secret)
    assert said in run(capfd, tiny_model, *words, code=code)[1]


def test_a_file_for_no_address(tiny_model, tmp_path, capfd):
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD)
    assert "for an address" in run(capfd, tiny_model, "demo", "--source-password-file", secret, code=78)[1]


def test_a_camera_that_turns_away_is_named_and_its_lines_hold_no_secret(tiny_model, capfd):
    def gone(connection: Connection) -> None:
        connection.head("404 Not Found", Content_Length="0")

    with Server(gone) as server:
        _, errors = run(capfd, tiny_model, server.url("/v?pwd=s3cret", login="anna:s3cret@"), code=3)
    assert "the path of the address is wrong" in errors
