"""What is loaded when: a device has no heavy package, and help must not wait for the light ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.programs import run_python

HEAVY = {"tensorflow", "keras", "tf_keras", "onnx", "tf2onnx", "matplotlib", "pandas", "torch", "jax", "scipy", "PIL"}
TOOLS = {"edge_fer_convert", "edge_fer_train", "edge_fer_bench"}
ENGINES = {"onnxruntime", "ai_edge_litert", "tflite_runtime"}

EVERY_MODULE = """
import importlib, pkgutil, edge_fer
for module in pkgutil.walk_packages(edge_fer.__path__, "edge_fer."):
    importlib.import_module(module.name)
"""
COMMAND = """
import sys
from edge_fer.cli.main import exit_code
assert exit_code({arguments}) == 0
"""


def loaded(code: str) -> set[str]:
    """Top-level names of the modules that are loaded after this code ran in a fresh Python."""
    report = "\nimport json, sys\nprint()\nprint(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = run_python(code + report, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_runtime_loads_no_heavy_package_no_engine_and_no_tool() -> None:
    names = loaded(EVERY_MODULE)
    assert {"edge_fer", "cv2", "numpy"} <= names  # or the test has looked at nothing
    assert names & (HEAVY | TOOLS | ENGINES) == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["predict", "--help"]])
def test_help_of_the_runtime_waits_for_nothing(arguments: list[str]) -> None:
    names = loaded(COMMAND.format(arguments=arguments))
    assert "click" in names
    assert names & (HEAVY | TOOLS | ENGINES | {"numpy", "cv2"}) == set()


@pytest.mark.parametrize("name", ["convert", "train"])
def test_help_of_the_tools_needs_no_extra(name: str) -> None:
    names = loaded(COMMAND.format(arguments=[name, "--help"]))
    assert f"edge_fer_{name}" in names
    assert names & HEAVY == set()


def test_the_package_itself_loads_nothing() -> None:
    names = loaded("import edge_fer; edge_fer.__version__")
    assert names & (HEAVY | TOOLS | ENGINES | {"numpy", "cv2", "click"}) == set()


@pytest.mark.parametrize(
    ("command", "given", "found"), [("predict", None, "1"), ("run", "3", "3"), ("train", None, "None")]
)
def test_the_runtime_starts_no_threads_for_linear_algebra(command: str, given: str | None, found: str) -> None:
    kept = {key: value for key, value in os.environ.items() if key != "OPENBLAS_NUM_THREADS"}
    environment = kept if given is None else {**kept, "OPENBLAS_NUM_THREADS": given}
    code = COMMAND.format(arguments=[command, "--help"]) + "import os; print(os.environ.get('OPENBLAS_NUM_THREADS'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines()[-1] == found
