"""Parts by name: those of edge-fer, those of other packages, and packages that are broken."""

from __future__ import annotations

import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from edge_fer.errors import ConfigError
from edge_fer.registry import BUILT_IN, DETECTORS, load, names
from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the import path, in which tests put the metadata and the code of another package."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def install(folder: Path, name: str, code: str) -> None:
    (folder / f"{name}_package.py").write_text(code)
    info = folder / f"{name}_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{DETECTORS}]\n{name} = {name}_package:create\n")


def test_the_own_parts_are_registered_as_those_of_others_are() -> None:
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["entry-points"]
    assert declared == BUILT_IN


def test_a_part_of_another_package_is_found_by_its_name(package: Path) -> None:
    install(package, "mine", "def create(settings):\n    return 'mine'\n")
    assert names(DETECTORS) == ["haar", "yunet", "mine"]
    assert "mine_package" not in sys.modules
    assert load(DETECTORS, "mine", "detector")(None) == "mine"


def test_an_unknown_name_lists_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no detector is called nix: take one of haar, yunet"):
        load(DETECTORS, "nix", "detector")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import no_such_module\n", "No module named 'no_such_module'"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("raise SystemExit('bye')\n", "SystemExit: bye"),
        ("def make():\n    pass\n", "create"),
        ("def create(:\n", "SyntaxError"),
    ],
)
def test_a_package_that_cannot_be_imported_is_named_in_one_line(package: Path, code: str, why: str) -> None:
    # Python keeps the compiled code of a module of the same name, length and second.
    name = f"broken{abs(hash(code))}"
    install(package, name, code)
    with pytest.raises(ConfigError, match=f"the detector {name} of the package {name}-package cannot be") as raised:
        load(DETECTORS, name, "detector")
    assert why in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_name_of_ours_cannot_be_taken(package: Path) -> None:
    install(package, "haar", "raise RuntimeError('not this one')\n")
    assert load(DETECTORS, "haar", "detector").__module__ == "edge_fer.faces.verified"
    assert names(DETECTORS) == ["haar", "yunet"]
