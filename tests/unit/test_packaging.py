"""What is installed where: the wheel's contents, the pinned packages, one version, nothing of one machine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest

import edge_fer
from edge_fer.cli.main import EXTRAS_OF_PACKAGE
from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = {"edge_fer", "edge_fer_convert", "edge_fer_train", "edge_fer_bench"}
PINNED_FILES = [REPOSITORY / "constraints" / name for name in ("runtime.txt", "device.txt", "development.txt")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in a wheel that is built now."""
    pytest.importorskip("hatchling", reason="needs the build backend")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return set(zipfile.ZipFile(built).namelist())


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def test_the_wheel_holds_the_four_packages_and_nothing_else(wheel: set[str]) -> None:
    assert {name.split("/")[0] for name in wheel} == PACKAGES | {f"edge_fer-{edge_fer.__version__}.dist-info"}


def test_the_wheel_holds_what_the_runtime_reads(wheel: set[str]) -> None:
    models = {f"edge_fer/models/{path.name}" for path in (REPOSITORY / "edge_fer" / "models").glob("*.[jkot]*")}
    assert any(name.endswith(".tflite") for name in models)
    assert any(name.endswith(".onnx") for name in models)
    assert wheel >= models | {"edge_fer/py.typed", "edge_fer/camera/demo_faces.png"}


def test_the_wheel_holds_the_page(wheel: set[str]) -> None:
    static = REPOSITORY / "edge_fer" / "sinks" / "web" / "static"
    assert (static / "app.js").is_file()
    assert {f"edge_fer/sinks/web/static/{path.name}" for path in static.iterdir()} <= wheel


def test_the_wheel_holds_no_tests_and_no_caches(wheel: set[str]) -> None:
    assert [name for name in wheel if re.search(r"(^|/)(tests?|conftest|__pycache__)(/|\.)|test_", name)] == []


def test_versions_agree() -> None:
    assert version("edge-fer") == edge_fer.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", edge_fer.__version__)


@pytest.mark.parametrize("file", PINNED_FILES, ids=lambda file: file.name)
def test_pinned_packages_have_hashes_and_no_address(file: Path) -> None:
    text = file.read_text()
    entries = re.split(r"\n(?=[a-z0-9])", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    assert len(entries) > 10
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry
    assert "://" not in text
    assert "torch" not in pinned(file)


def test_pinned_files_hold_all_that_is_asked_for(project: dict[str, Any]) -> None:
    runtime, device, development = (pinned(file) for file in PINNED_FILES)
    base = names(project["project"]["dependencies"])
    optional = project["project"]["optional-dependencies"]
    extras = {name for extra in optional.values() for name in names(extra)} - {"edge-fer"}
    in_device = {name for extra in device_extras(optional) for name in names(optional[extra])}
    groups = {name for group in project["dependency-groups"].values() for name in names(group)}
    assert base <= runtime
    assert base | extras | groups <= development
    assert base | in_device <= device
    assert runtime <= device <= development


def test_the_extra_for_devices_leaves_out_what_is_large(project: dict[str, Any]) -> None:
    optional = project["project"]["optional-dependencies"]
    assert device_extras(optional) >= {"window", "web", "mqtt", "metrics", "yunet", "heic"}
    assert device_extras(optional).isdisjoint({"convert", "train", "bench", "video"})
    assert "tensorflow" not in pinned(PINNED_FILES[1])


def test_extras_that_messages_name_exist(project: dict[str, Any]) -> None:
    known = project["project"]["optional-dependencies"]
    assert {extra for extras in EXTRAS_OF_PACKAGE.values() for extra in extras} <= set(known)


def test_no_file_names_a_folder_of_one_machine_or_a_package_index() -> None:
    if shutil.which("git") is None or not (REPOSITORY / ".git").exists():
        pytest.skip("needs a git checkout to know which files belong to the project")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, check=True, capture_output=True, text=True)
    # Of the project's files, pinned hashes aside, nothing may lead to a place that only one machine has.
    private = re.compile(rb"(?<![\w.$}/-])/(?:root|Users|work|workspace)/|/home/(?!pi\b)\w|pypi\.or[g]|python[h]osted")
    found = {
        name: match[0].decode(errors="replace")
        for name in listed.stdout.split("\0")
        if name and (REPOSITORY / name).is_file() and (match := private.search((REPOSITORY / name).read_bytes()))
    }
    assert found == {}


def device_extras(optional: dict[str, list[str]]) -> set[str]:
    """The extras that the extra "device" is made of."""
    match = re.fullmatch(r"edge-fer\[([\w,]+)\]", optional["device"][0])
    assert match, optional["device"]
    return set(match[1].split(","))


def pinned(file: Path) -> set[str]:
    """Names of the packages in a pinned file."""
    return set(re.findall(r"^([a-z0-9-]+)==", file.read_text(), re.MULTILINE))


def names(requirements: list[str]) -> set[str]:
    """Names of the packages in a list of requirements, as pinned files write them."""
    return {re.split(r"[^\w-]", requirement)[0].replace("_", "-") for requirement in requirements}
