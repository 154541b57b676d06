"""The command that adds an extra is one that works on this installation."""

from __future__ import annotations

import re
import shlex
import sys
from typing import TYPE_CHECKING, Any

import pytest

from edge_fer import errors
from edge_fer.installation import command_for, install_command
from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping

PYTHON = "/home/pi/edge-fer/.venv/bin/python"


def command(origin: Mapping[str, Any] | None, *, has_pip: bool = True, writable: bool = True) -> str:
    origin = None if origin is None else dict(origin)
    return command_for("web", origin, has_pip=has_pip, python=PYTHON, writable=writable)


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ({"url": "file:///home/pi/edge-fer", "dir_info": {}}, "'/home/pi/edge-fer[web]'"),
        (
            {"url": "file:///home/pi/edge-fer", "dir_info": {"editable": True}},
            "--editable '/home/pi/edge-fer[web]'",
        ),
        (
            {"url": "file:///srv/a%20b/edge_fer-0.1.0-py3-none-any.whl", "archive_info": {}},
            "'/srv/a b/edge_fer-0.1.0-py3-none-any.whl[web]'",
        ),
        (
            {"url": "https://example.org/edge-fer.git", "vcs_info": {"vcs": "git", "commit_id": "0"}},
            "'edge-fer[web] @ git+https://example.org/edge-fer.git'",
        ),
        (
            {"url": "https://example.org/edge_fer.whl", "archive_info": {}},
            "'edge-fer[web] @ https://example.org/edge_fer.whl'",
        ),
    ],
    ids=["folder", "editable folder", "wheel", "repository", "address"],
)
def test_it_names_the_interpreter_and_the_place_that_this_came_from(origin: dict[str, Any], expected: str) -> None:
    assert command(origin) == f"{PYTHON} -m pip install {expected}"


def test_where_pip_is_missing_uv_is_named() -> None:
    folder = {"url": "file:///opt/edge-fer", "dir_info": {}}
    assert command(folder, has_pip=False) == f"uv pip install --python {PYTHON} '/opt/edge-fer[web]'"


def test_an_environment_of_root_is_changed_by_root() -> None:
    assert command({"url": "file:///opt/edge-fer", "dir_info": {}}, writable=False).startswith("sudo ")


def test_quotes_in_a_name_do_not_end_the_argument() -> None:
    words = shlex.split(command({"url": "file:///home/pi/it's%20mine", "dir_info": {}}))
    assert words[-1] == "/home/pi/it's mine[web]"


def test_an_error_prints_the_command_of_this_installation() -> None:
    message = str(errors.MissingExtra("--serve", "web"))
    assert message == f"--serve needs the extra 'web': {install_command('web')}"
    words = shlex.split(install_command("web"))
    assert sys.executable in words
    assert words[-1].endswith("[web]")


def test_no_page_names_a_package_index_that_has_no_such_project() -> None:
    pages = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("deploy/**/*.md")]
    wrong = [page.name for page in pages if re.search(r"install '?edge-fer\[", page.read_text())]
    assert wrong == ["files.md"]  # quotes the line that is printed for a folder with HEIC photos
