"""Whatever Keras 2.12 to 2.15 saved, and however: the same scores as there."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from edge_fer_convert import InputOptions
from edge_fer_convert.load import load_trained

from edge_fer.errors import ModelError
from tests.conftest import REPOSITORY
from tests.programs import run_to_end

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def old_files(converters: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("tf_keras") is None:
        pytest.skip("tf_keras reads files of Keras 2")
    folder = tmp_path_factory.mktemp("old")
    words = [sys.executable, "-m", "tests.convert.old_keras_files", str(folder)]
    done = run_to_end(words, cwd=REPOSITORY, timeout=300.0)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


WHOLE = ("keras-2.13.keras", "keras-2.14.keras", "keras-2.15.keras", "unpacked", "whole.h5", "whole.h5.keras")
WEIGHTS = ("older.weights.h5", "new.weights.h5", "old.h5")


@pytest.mark.parametrize("name", [*WHOLE, *WEIGHTS])
def test_every_form_gives_the_same_scores(old_files: Path, name: str) -> None:
    options = InputOptions(architecture=old_files / "model.json" if name in WEIGHTS else None)
    expected = np.load(old_files / "answers.npz")
    found = load_trained(old_files / name, options).run(expected["pictures"])
    assert np.allclose(found, expected["scores"], atol=1e-5)


def test_weights_without_their_architecture_name_the_option(old_files: Path) -> None:
    for name in WEIGHTS:
        with pytest.raises(ModelError, match="give its model"):
            load_trained(old_files / name, InputOptions())


# Keras converts TensorFlow's arrays in a way that NumPy frowns upon.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_layers_of_keras_own_networks(converters: None, tmp_path: Path, suffix: str) -> None:
    import keras
    from keras.src.applications.convnext import LayerScale, StochasticDepth
    from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

    face = keras.Input((8, 8, 1))
    x = StochasticDepth(0.2)(LayerScale(0.5, 4)(keras.layers.Conv2D(4, 3)(face)))
    x = keras.layers.Flatten()(CustomScaleLayer(0.3)([x, x]))
    model = keras.Model(face, keras.layers.Dense(7, activation="softmax")(x))
    path = tmp_path / f"model{suffix}"
    model.save(path)
    batch = np.random.default_rng(0).uniform(size=(2, 8, 8, 1)).astype(np.float32)
    expected = model.predict_on_batch(batch)
    assert np.allclose(load_trained(path, InputOptions()).run(batch), expected, atol=1e-5)
