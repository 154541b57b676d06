"""The scripts of benchmarks/pipeline, which are no package."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

PIPELINE = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "pipeline"


def load_script(name: str) -> ModuleType:
    """Import one of the scripts by its name."""
    sys.path.insert(0, str(PIPELINE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(PIPELINE))


@pytest.fixture
def script() -> Any:
    """Imports one of the scripts by its name."""
    return load_script
