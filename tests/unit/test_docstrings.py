"""Every public name says what it is: modules, classes, functions and methods of the four packages."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGES = ("edge_fer", "convert/edge_fer_convert", "training/edge_fer_train", "benchmarks/edge_fer_bench")
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def public(tree: ast.AST, name: str) -> Iterator[tuple[str, Documented]]:
    """The public names of a module, without what is written inside functions."""
    if isinstance(tree, ast.Module | ast.ClassDef):
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith(
                "_"
            ):
                yield f"{name}.{node.name}", node
                yield from public(node, f"{name}.{node.name}")


def is_setter(node: ast.AST) -> bool:
    decorators = getattr(node, "decorator_list", [])
    return any(isinstance(one, ast.Attribute) and one.attr == "setter" for one in decorators)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_has_a_docstring(package: str) -> None:
    folder = REPOSITORY / package
    modules = sorted(folder.rglob("*.py"))
    assert len(modules) > 8
    missing = [name for module in modules for name in undocumented(module)]
    assert missing == []


def undocumented(module: Path) -> list[str]:
    tree = ast.parse(module.read_text())
    name = str(module.relative_to(REPOSITORY)).removesuffix(".py").replace("/", ".")
    named: list[tuple[str, Documented]] = [(name, tree), *public(tree, name)]
    return [name for name, node in named if not is_setter(node) and not (ast.get_docstring(node) or "").strip()]


@pytest.mark.parametrize("package", PACKAGES)
def test_docstrings_that_speak_of_errors_name_them(package: str) -> None:
    """`Raises:` is followed by lines of `Name: when`."""
    wrong = []
    for module in sorted((REPOSITORY / package).rglob("*.py")):
        for name, node in public(ast.parse(module.read_text()), module.stem):
            lines = (ast.get_docstring(node) or "").splitlines()
            if "Raises:" in lines:
                after = lines[lines.index("Raises:") + 1 :]
                wrong += [] if after and after[0].startswith("    ") and ":" in after[0] else [name]
    assert wrong == []
