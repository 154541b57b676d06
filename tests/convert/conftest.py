"""One conversion of a tiny model for all tests here: TensorFlow takes seconds to begin."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests import make_models

if TYPE_CHECKING:
    from pathlib import Path

    from edge_fer_convert import ConversionResult

NEEDED = ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "ai_edge_litert")


@dataclass(frozen=True)
class Converted:
    """A trained model, what was made of it, and what was said meanwhile."""

    trained: Path
    keras_model: Any
    out: Path
    result: ConversionResult
    said: tuple[str, ...]


@pytest.fixture(scope="session")
def converters() -> None:
    """Skip where a package of the extra `convert` is absent."""
    for package in NEEDED:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is absent: it comes with the extra 'convert'")


@pytest.fixture(scope="session")
def tiny_keras(converters: None) -> Any:
    """The brightness model in Keras."""
    return make_models.brightness_model()


@pytest.fixture(scope="session")
def converted(tiny_keras: Any, tmp_path_factory: pytest.TempPathFactory) -> Converted:
    """All recipes for both engines."""
    from edge_fer_convert.conversion import convert
    from edge_fer_convert.recipes import RECIPES

    folder = tmp_path_factory.mktemp("converted")
    said: list[str] = []
    trained = make_models.save_trained(folder, tiny_keras)
    result = convert(
        trained,
        folder / "new" / "out",
        recipes=[recipe.name for recipe in RECIPES],
        calibration=make_models.calibration(),
        say=said.append,
    )
    return Converted(trained, tiny_keras, folder / "new" / "out", result, tuple(said))
