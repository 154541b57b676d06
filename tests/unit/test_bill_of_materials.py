"""script/sbom writes what a device installs as CycloneDX, and the same for the same files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import edge_fer
from edge_fer.inference.manifest import file_sha256
from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    done = subprocess.run([sys.executable, REPOSITORY / "script" / "sbom"], capture_output=True, text=True, check=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_it_is_cyclonedx_of_this_version(bill: dict[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["version"] == edge_fer.__version__
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bill["serialNumber"])


def test_every_pinned_package_is_in_it(bill: dict[str, Any]) -> None:
    text = (REPOSITORY / "constraints" / "runtime.txt").read_text()
    pinned = set(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, flags=re.MULTILINE))
    assert {(one["name"], one["version"]) for one in bill["components"] if one["type"] == "library"} == pinned
    assert sum(len(one.get("properties", [])) for one in bill["components"]) > text.count("--hash=") - 1


def test_every_bundled_model_is_in_it_with_its_hash(bill: dict[str, Any]) -> None:
    folder = REPOSITORY / "edge_fer" / "models"
    files = {
        path.name: file_sha256(path.read_bytes()) for path in folder.iterdir() if path.suffix in (".onnx", ".tflite")
    }
    models = {
        one["name"]: one["hashes"][0]["content"] for one in bill["components"] if one["type"].startswith("machine")
    }
    assert models == files


def test_references_are_unique_and_lead_somewhere(bill: dict[str, Any]) -> None:
    references = [one["bom-ref"] for one in bill["components"]]
    assert len(set(references)) == len(references)
    assert bill["dependencies"] == [{"ref": "edge-fer", "dependsOn": references}]


def test_it_is_the_same_twice_and_goes_into_a_file(bill: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "bill.json"
    subprocess.run([sys.executable, REPOSITORY / "script" / "sbom", path], check=True)
    assert json.loads(path.read_text()) == bill
