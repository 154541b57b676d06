from __future__ import annotations

import inspect
import re

from edge_fer import errors
from edge_fer.installation import install_command

LINE = re.compile(r"^ {4}(?P<branch>[ │├└─]*)(?P<name>[A-Z]\w+) +(?P<code>\d+) {4}\S")


def drawn() -> dict[str, tuple[str, int]]:
    """Parent and exit code by name, as drawn in the docstring."""
    tree: dict[str, tuple[str, int]] = {}
    above: list[str] = ["Exception"]
    for line in (errors.__doc__ or "").splitlines():
        if found := LINE.match(line):
            depth = len(found["branch"]) // 4
            above = [*above[: depth + 1], found["name"]]
            tree[found["name"]] = (above[depth], int(found["code"]))
    return tree


def test_the_drawn_tree_is_the_tree() -> None:
    classes = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]
    assert drawn() == {kind.__name__: (kind.__base__.__name__, kind.exit_code) for kind in classes}


def test_a_missing_extra_names_the_command_that_mends_it() -> None:
    error = errors.MissingExtra("the window", "window")
    assert str(error) == f"the window needs the extra 'window': {install_command('window')}"
    assert error.extra == "window"
