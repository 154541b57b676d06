"""Transposes that conversion to ONNX leaves behind are taken out, and nothing else changes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from edge_fer_convert.network import from_keras
from edge_fer_convert.simplify import without_transposes
from edge_fer_convert.tensorflow_log import quiet_tensorflow
from edge_fer_convert.to_onnx import to_onnx

if TYPE_CHECKING:
    from numpy.typing import NDArray


def flattened(converters: None, *between: Any) -> bytes:
    with quiet_tensorflow():
        import keras

        keras.utils.set_random_seed(0)
        layers = [
            keras.Input((8, 6, 1)),
            keras.layers.Conv2D(3, 3, activation="relu"),
            keras.layers.Flatten(),
            *between,
            keras.layers.Dense(5, activation="relu"),
            keras.layers.Dense(4),
        ]
        return to_onnx(from_keras(Path("model"), keras.Sequential(layers), None))


def kinds(model: bytes) -> Counter[str]:
    import onnx

    return Counter(node.op_type for node in onnx.load_from_string(model).graph.node)


def outputs(model: bytes, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: rows})[0])


@pytest.mark.parametrize("faces", [1, 3])
def test_a_flattened_network_needs_no_transpose(converters: None, faces: int) -> None:
    before = flattened(converters)
    assert kinds(before)["Transpose"] == 1
    after, removed = without_transposes(before)
    assert removed == 1
    assert kinds(after)["Transpose"] == 0
    # With it go the operations that worked out the shape.
    assert kinds(after).total() <= kinds(before).total() - 6
    rows = np.random.default_rng(0).normal(size=(faces, 1, 8, 6)).astype(np.float32)
    np.testing.assert_allclose(outputs(after, rows), outputs(before, rows), atol=1e-6)
    assert without_transposes(after) == (after, 0)


def test_weights_that_are_not_right_behind_are_left_alone(converters: None) -> None:
    import keras

    before = flattened(converters, keras.layers.Rescaling(2.0, 1.0))
    after, removed = without_transposes(before)
    rows = np.random.default_rng(0).normal(size=(2, 1, 8, 6)).astype(np.float32)
    np.testing.assert_allclose(outputs(after, rows), outputs(before, rows), atol=1e-6)
    assert removed in (0, 1)  # whether tf2onnx puts the scaling into the weights is its own affair
    assert kinds(after)["Transpose"] == 1 - removed
