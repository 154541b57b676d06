"""Trained models in, with what is known of them."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_fer.errors import ConfigError, MissingExtra, ModelError
from edge_fer.evaluation.multiply_adds import multiply_adds
from edge_fer.scores.decoding import first_line
from edge_fer.scores.manifest import manifest_path, read_manifest, read_model_bytes
from edge_fer.third_party import isolate_keras
from edge_fer_convert.describe import describe
from edge_fer_convert.inputs import parse_scale
from edge_fer_convert.legacy import read_legacy
from edge_fer_convert.network import Network, from_keras, from_saved_model
from edge_fer_convert.outputs import as_probabilities
from edge_fer_convert.safety import (
    check_config,
    check_first_bytes,
    check_hdf5,
    check_keras_archive,
    check_saved_model,
    read_architecture,
)
from edge_fer_convert.tensorflow_log import quiet_tensorflow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_fer.scores.manifest import Manifest
    from edge_fer.types import Batch
    from edge_fer_convert.inputs import InputOptions

_FIRST_BYTES = {".keras": b"PK\x03\x04", ".h5": b"\x89HDF\r\n\x1a\n", ".hdf5": b"\x89HDF\r\n\x1a\n"}


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A loaded network and its manifest (engine "keras", recipe "fp32")."""

    network: Network
    manifest: Manifest
    guesses: tuple[str, ...]
    """What nobody said and was assumed, one sentence each, for the user to read."""

    def run(self, batch: Batch) -> NDArray[np.float64]:
        """Outputs [N, classes] for inputs [N, height, width, channels]."""
        return self.network.outputs(batch)

    def probabilities(self, batch: Batch) -> NDArray[np.float64]:
        """What the model says of inputs [N, height, width, channels]: float64 [N, labels], rows summing to 1."""
        return as_probabilities(self.network.outputs(batch), self.manifest)


def load_trained(path: Path, options: InputOptions) -> TrainedModel:
    """Load a .keras file, an .h5/.hdf5 file (a whole model, or weights with their architecture) or a SavedModel.

    A file's sidecar `<file>.json` is read where there is one. Options win over it; where both are silent,
    FER-2013's label order and a scale of 1/255 are assumed.

    Raises:
        ModelError: the file is no such model, holds code, or its input or output is not a picture and a class vector.
        ConfigError: an option does not fit the model.
        MissingExtra: TensorFlow or Keras is not installed.
    """
    if options.scale is not None:
        parse_scale(options.scale)  # a mistyped option is found before the slow part
    network = _load_folder(path, options) if path.is_dir() else _load_file(path, options)
    sidecar = read_manifest(path) if manifest_path(path).is_file() and not path.is_dir() else None
    guesses: list[str] = []
    manifest = describe(path, network.shapes, network.outputs, options, sidecar, guesses)
    counted = None if network.keras_model is None else multiply_adds(network.keras_model)
    manifest = replace(manifest, parameters=network.parameters, multiply_adds=counted)
    return TrainedModel(network, manifest, tuple(guesses))


def _load_folder(path: Path, options: InputOptions) -> Network:
    _keras()
    if not options.trust_model:
        check_saved_model(path)
    return from_saved_model(path, path, options.output)


def _load_file(path: Path, options: InputOptions) -> Network:
    data = read_model_bytes(path)
    expected = _FIRST_BYTES.get(path.suffix.lower())
    if expected is None:
        raise ModelError(
            f"{path} is not a trained Keras model: give a .keras, .h5 or .hdf5 file, a SavedModel folder, or a .tflite "
            "or .onnx file to package anew"
        )
    check_first_bytes(path, data, expected)
    keras = _keras()
    if not options.trust_model:
        (check_keras_archive if path.suffix.lower() == ".keras" else check_hdf5)(path, data)
    try:
        with quiet_tensorflow():
            model = _built(keras, path, data, options)
    except ModelError:
        raise
    except Exception as error:  # Keras raises whatever its layers raise
        why = _reason(error)
        if path.suffix.lower() == ".keras":
            raise ModelError(f"Keras cannot load {path}: {why}") from None
        with tempfile.TemporaryDirectory(prefix="edge-fer-") as folder:
            read_legacy(path, options.architecture, Path(folder), why)
            return from_saved_model(path, Path(folder), options.output)
    if not model.built or not getattr(model, "inputs", None):
        raise ModelError(f"{path} does not say what it takes: call the model once on pictures and save it again")
    return from_keras(path, model, options.output)


def _built(keras: Any, path: Path, data: bytes, options: InputOptions) -> Any:
    safe = not options.trust_model
    if options.architecture is None:
        if path.suffix.lower() != ".keras" and _holds_weights_alone(data):
            raise ModelError(f"{path} holds weights without a model: give its model.json with --architecture")
        # Optimiser settings of old files are not needed, and newer versions refuse some of them.
        return keras.models.load_model(path, compile=False, safe_mode=safe)
    text = read_architecture(options.architecture)
    if safe:
        check_config(options.architecture, json.loads(text))
    if not safe:
        keras.config.enable_unsafe_deserialization()
    model = keras.models.model_from_json(text)
    # Keras tells old and new files of weights apart by their names.
    with tempfile.TemporaryDirectory(prefix="edge-fer-") as folder:
        copy = Path(folder, "old.h5" if _is_old(data) else "new.weights.h5")
        shutil.copyfile(path, copy)
        model.load_weights(copy)
    return model


def _holds_weights_alone(data: bytes) -> bool:
    return "model_config" not in _root_attributes(data)


def _is_old(data: bytes) -> bool:
    return bool({"layer_names", "model_config"} & _root_attributes(data))


def _root_attributes(data: bytes) -> set[str]:
    import io

    import h5py

    with h5py.File(io.BytesIO(data), "r") as file:
        return set(file.attrs) | ({"model_config"} if "model_weights" in file else set())


def _reason(error: Exception) -> str:
    # Keras begins with the whole configuration of the layer and ends with what is wrong with it.
    _, marked, reason = str(error).partition("Exception encountered: ")
    return first_line(ValueError(reason)) if marked and reason else first_line(error)[:300]


def _keras() -> Any:
    isolate_keras()
    with quiet_tensorflow():
        try:
            import keras
            import tensorflow as tf
        except ImportError:
            raise MissingExtra("converting a trained model", "convert") from None
        if keras.backend.backend() != "tensorflow":
            raise ConfigError("converting needs Keras on TensorFlow: unset KERAS_BACKEND")
        tf.config.set_visible_devices([], "GPU")
        return keras
