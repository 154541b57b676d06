"""Every kind of network in every recipe and both engines says what it said when the golden outputs were written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from edge_fer_convert import InputOptions, calibration_set
from edge_fer_convert.conversion import convert
from edge_fer_convert.outputs import as_probabilities
from edge_fer_convert.recipes import RECIPES

from edge_fer.faces.crop import whole_to_batch
from edge_fer.inference.open_model import open_classifier
from edge_fer.types import FER_LABELS
from tests.make_models import save
from tests.make_networks import GOLDEN, NETWORKS, SHOWN, batch, build, shown_pictures

if TYPE_CHECKING:
    from edge_fer_convert import ConversionResult, ConvertedFile

TOLERANCE = {"fp32": 1e-4, "fp16": 5e-3, "dynamic_wi8_afp32": 0.03, "static_wi8_ai8": 0.08}
OPTIONS = InputOptions(FER_LABELS, "-1..1")


@pytest.fixture(scope="module", params=list(NETWORKS))
def network(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def result(converters: None, network: str, tmp_path_factory: pytest.TempPathFactory) -> ConversionResult:
    folder = tmp_path_factory.mktemp(network)
    pictures = shown_pictures()
    return convert(
        save(build(network), folder / f"{network}.keras"),
        folder / "out",
        recipes=[recipe.name for recipe in RECIPES],
        options=OPTIONS,
        calibration=calibration_set(pictures, np.arange(len(pictures), dtype=np.int64) % 7, "patterns"),
    )


def golden(network: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(json.loads(GOLDEN.read_text(encoding="utf-8"))[network])


def test_keras_says_what_it_said(converters: None, network: str) -> None:
    found = np.asarray(build(network)(batch(shown_pictures()[:SHOWN]), training=False))
    np.testing.assert_allclose(found, golden(network), atol=1e-4)


@pytest.mark.parametrize("engine", ["onnx", "tflite"])
@pytest.mark.parametrize("recipe", [recipe.name for recipe in RECIPES])
def test_a_file_says_what_keras_said(result: ConversionResult, network: str, recipe: str, engine: str) -> None:
    [file] = [one for one in result.files if (one.manifest.recipe, one.manifest.format) == (recipe, engine)]
    expected = as_probabilities(golden(network), result.trained)
    classifier = open_classifier(file.path)
    shown = whole_to_batch(list(shown_pictures()[:SHOWN]), classifier.input_spec)
    found = np.asarray([scores.values for scores in classifier.classify(shown)])
    classifier.close()
    np.testing.assert_allclose(found, expected, atol=TOLERANCE[recipe])
    assert file.agreement.max_difference < 2 * TOLERANCE[recipe]
    if recipe == "fp32":
        assert file.agreement.top_1 == 1.0


def of(result: ConversionResult, recipe: str) -> list[ConvertedFile]:
    return [file for file in result.files if file.manifest.recipe == recipe]


def test_int8_is_told_layer_by_layer(result: ConversionResult) -> None:
    for file in of(result, "static_wi8_ai8"):
        assert file.layer_errors
        assert file.layer_errors[0].relative_error < 0.3
        assert set(file.operations.in_float) <= {"Softmax"}


def test_no_transpose_is_left_between_convolutions(result: ConversionResult, network: str) -> None:
    import onnx

    for file in result.files:
        if file.manifest.format == "onnx":
            kinds = [node.op_type for node in onnx.load(file.path).graph.node]
            convolutions = [
                number for number, kind in enumerate(kinds) if kind in ("Conv", "ConvInteger", "QLinearConv")
            ]
            assert "Transpose" not in kinds[: convolutions[-1]], file.path.name
