from __future__ import annotations

import ast
from pathlib import Path

import pytest

import edge_fer


def test_all_is_sorted_and_equals_what_is_exported() -> None:
    tree = ast.parse(Path(edge_fer.__file__).read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module != "__future__"]
    exported = {alias.name for node in imports for alias in node.names if node.module != "typing"}
    assert set(edge_fer.__all__) == exported
    assert edge_fer.__all__ == sorted(edge_fer.__all__)


@pytest.mark.parametrize("name", edge_fer.__all__)
def test_each_name_resolves(name: str) -> None:
    value = getattr(edge_fer, name)
    assert name == "__version__" or value.__name__ == name


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Emotion'"):
        edge_fer.Emotion  # noqa: B018
