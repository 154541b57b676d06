"""docs/reliability.md names tests that exist, one a row."""

from __future__ import annotations

import ast
import re

from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "reliability.md"


def rows() -> list[tuple[str, str, str]]:
    """Case, what must happen and test of each row."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
    return [(row[0], row[1], row[2]) for row in cells if row[0] != "Case"]


def test_every_row_names_a_test_that_exists() -> None:
    missing = []
    for case, _, name in rows():
        found = re.fullmatch(r"`([\w/]+\.py)::(test_\w+)`", name)
        assert found is not None, f"{case}: {name} is no `path.py::test_name`"
        path = REPOSITORY / "tests" / found[1]
        names = {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}
        missing += [] if found[2] in names else [name]
    assert missing == []


def test_no_row_is_empty_or_twice() -> None:
    found = rows()
    assert len(found) > 80
    assert all(case and what for case, what, _ in found)
    assert len({case + name for case, _, name in found}) == len(found)
