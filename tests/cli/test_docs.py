"""What the pages say is there: commands, scripts, files."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from edge_fer.cli.main import COMMANDS
from tests.conftest import REPOSITORY
from tests.programs import run_python

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [
    page
    for pattern in ("*.md", "docs/*.md", "deploy/*.md", "benchmarks/*.md")
    for page in sorted(REPOSITORY.glob(pattern))
]
QUICK_START = ["script/demo", "script/test"]


def test_the_command_line_page_is_up_to_date() -> None:
    # In a Python of its own: click keeps a command's help option as its first run had it.
    code = f"import runpy; print(runpy.run_path({str(REPOSITORY / 'docs' / 'cli_page.py')!r})['cli_page'](), end='')"
    made = run_python(code, check=True).stdout
    assert (REPOSITORY / "docs" / "cli.md").read_text() == made, "docs/cli.md is old: run script/docs"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_on_the_page(name: str) -> None:
    assert f"\n## edge-fer {name}\n" in (REPOSITORY / "docs" / "cli.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_exist(page: Path) -> None:
    targets = re.findall(r"\]\((?!\w+:)([^)#]+)[^)]*\)", page.read_text())
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


def test_the_quick_start_is_two_commands() -> None:
    block = re.search(r"```sh\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    assert block is not None
    commands = [line.partition("#")[0].strip() for line in block[1].splitlines()]
    assert commands == QUICK_START


@pytest.mark.parametrize("script", [*QUICK_START, "script/lint", "script/types", "script/imports", "script/docs"])
def test_scripts_can_be_run(script: str) -> None:
    assert os.access(REPOSITORY / script, os.X_OK)


def test_continuous_integration_ends_with_the_quick_start_and_sets_nothing_else_up() -> None:
    lines = (REPOSITORY / ".ci" / "run").read_text().splitlines()
    assert lines[-len(QUICK_START) :] == QUICK_START
    assert not any(re.search(r"\b(pip|venv|python3?)\b", line) for line in lines if not line.startswith("#"))
