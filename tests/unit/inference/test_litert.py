"""Which package of LiteRT is used."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.make_models import MODELS
from tests.programs import run_python

if TYPE_CHECKING:
    from pathlib import Path


def run_with_packages(folder: Path, litert: str, tflite: str) -> str:
    """Open a model in a process of its own where those two packages are what the texts say."""
    for package, source in (("ai_edge_litert", litert), ("tflite_runtime", tflite)):
        (folder / package).mkdir()
        (folder / package / "__init__.py").write_text("")
        (folder / package / "interpreter.py").write_text(source)
    code = (
        "import sys; from pathlib import Path; from edge_fer.errors import EdgeFerError\n"
        "from edge_fer.inference.open_model import open_classifier\n"
        f"model = Path({str(MODELS / 'brightness-tiny-48x48-fp32.tflite')!r})\n"
        "try: open_classifier(model, 'litert', first_load=None); print('opened')\n"
        "except EdgeFerError as error: print(type(error).__name__, error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return run_python(code, env=environment, check=True).stdout


FAILS_ON_IMPORT = "raise ImportError('libGL is missing')"
FAILS_ON_CONSTRUCTION = "class Interpreter:\n    def __init__(self, **_): raise AttributeError('_ARRAY_API not found')"
REFUSES_THE_MODEL = "class Interpreter:\n    def __init__(self, **_): raise ValueError('Op 99 is unknown\\nmore')"


@pytest.mark.parametrize("tflite", [FAILS_ON_IMPORT, FAILS_ON_CONSTRUCTION])
def test_a_package_that_cannot_construct_counts_as_absent(tmp_path: Path, tflite: str) -> None:
    assert "MissingExtra" in run_with_packages(tmp_path, FAILS_ON_IMPORT, tflite)


def test_the_second_package_is_used_where_the_first_fails(tmp_path: Path) -> None:
    said = run_with_packages(tmp_path, FAILS_ON_CONSTRUCTION, REFUSES_THE_MODEL)
    assert said.startswith("ModelError LiteRT cannot load")
    assert said.endswith("Op 99 is unknown\n")
