"""Trained models in, with what is known of them."""

from __future__ import annotations

import importlib
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_fer.errors import ConfigError, MissingExtra, ModelError
from edge_fer.evaluation.multiply_adds import multiply_adds
from edge_fer.inference.decoding import first_line
from edge_fer.inference.manifest import manifest_path, read_manifest, read_model_bytes
from edge_fer.third_party import isolate_keras
from edge_fer_convert.describe import describe
from edge_fer_convert.graph_check import complaints_of_saved_model, copy_checked_saved_model
from edge_fer_convert.inputs import parse_scale
from edge_fer_convert.known_layers import APPLICATION_LAYERS
from edge_fer_convert.legacy import SAVE_AGAIN, read_legacy
from edge_fer_convert.network import Network, from_keras, from_saved_model
from edge_fer_convert.outputs import as_probabilities
from edge_fer_convert.tensorflow_log import quiet_tensorflow
from edge_fer_convert.trained_files import TrainedFile, is_trained_file, read_trained_file, write_for

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_fer.inference.manifest import Manifest
    from edge_fer.types import Batch
    from edge_fer_convert.inputs import InputOptions

_MOST_SENTENCES = 20


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A loaded network and its manifest (format "keras", recipe "fp32")."""

    network: Network
    manifest: Manifest
    guesses: tuple[str, ...]
    """What nobody said and was assumed, and what was loaded only because the user trusts the file: one sentence each,
    for the user to read."""

    def run(self, batch: Batch) -> NDArray[np.float64]:
        """Outputs [N, classes] for inputs [N, height, width, channels]."""
        return self.network.outputs(batch)

    def probabilities(self, batch: Batch) -> NDArray[np.float64]:
        """What the model says of inputs [N, height, width, channels]: float64 [N, labels], rows summing to 1."""
        return as_probabilities(self.network.outputs(batch), self.manifest)


def load_trained(path: Path, options: InputOptions) -> TrainedModel:
    """Load a .keras file, an HDF5 file (a whole model, or weights with their architecture), a .keras file that was
    unpacked into a folder, or a SavedModel. Files are known by their content, not by their names.

    A file's sidecar `<file>.json` is read where there is one. Options win over it; where both are silent,
    FER-2013's label order and a scale of 1/255 are assumed.

    Raises:
        ModelError: the file is no such model, holds code, or its input or output is not a picture and a class vector.
        ConfigError: an option does not fit the model.
        MissingExtra: TensorFlow or Keras is not installed.
    """
    if options.scale is not None:
        parse_scale(options.scale)  # a mistyped option is found before the slow part
    if path.is_dir() and not is_trained_file(path):
        network, trusted = _load_saved_model(path, options)
    else:
        network, trusted = _load_file(path, options)
    sidecar = read_manifest(path) if manifest_path(path).is_file() and not path.is_dir() else None
    guesses: list[str] = []
    manifest = describe(path, network.shapes, network.outputs, options, sidecar, guesses)
    counted = None if network.keras_model is None else multiply_adds(network.keras_model)
    manifest = replace(manifest, parameters=network.parameters, multiply_adds=counted)
    guesses += [f"loaded on trust: {sentence}" for sentence in trusted[:_MOST_SENTENCES]]
    if len(trusted) > _MOST_SENTENCES:
        guesses.append(f"loaded on trust: {len(trusted) - _MOST_SENTENCES} more of this kind")
    return TrainedModel(network, manifest, tuple(guesses))


def _load_saved_model(path: Path, options: InputOptions) -> tuple[Network, tuple[str, ...]]:
    _keras()
    if options.trust_model:
        return from_saved_model(path, path, options.output), complaints_of_saved_model(path)
    with tempfile.TemporaryDirectory(prefix="edge-fer-") as folder:
        copy_checked_saved_model(path, Path(folder))
        return from_saved_model(path, Path(folder), options.output), ()


def _load_file(path: Path, options: InputOptions) -> tuple[Network, tuple[str, ...]]:
    data = b"" if path.is_dir() else read_model_bytes(path)
    architecture = None if options.architecture is None else read_model_bytes(options.architecture)
    if not is_trained_file(path, data):
        raise ModelError(
            f"{path} is not a trained Keras model: give a .keras or HDF5 file, a SavedModel folder, or a .tflite or "
            ".onnx file to package again"
        )
    keras = _keras()
    file = read_trained_file(path, data, options.architecture, architecture, trusted=options.trust_model)
    why = "it was written by Keras 2"
    with tempfile.TemporaryDirectory(prefix="edge-fer-") as folder:
        if "keras" in file.roads:
            try:
                with quiet_tensorflow():
                    model = _built(keras, file, Path(folder), trusted=options.trust_model)
            except ModelError:
                raise
            except Exception as error:  # Keras raises whatever its layers raise
                why = _reason(error)
                if "tf_keras" not in file.roads:
                    raise ModelError(f"Keras cannot load {path}: {why}: {SAVE_AGAIN}") from None
            else:
                return _network_of(path, model, options), file.complaints
        parts, made, checked = (Path(folder, name) for name in ("parts", "made", "checked"))
        for one in (parts, made, checked):
            one.mkdir()
        read_legacy(path, *write_for("tf_keras", file, parts), made, why)
        if options.trust_model:
            return from_saved_model(path, made, options.output), file.complaints
        try:
            copy_checked_saved_model(made, checked, loops=True)
        except ModelError as error:
            raise ModelError(str(error).replace(str(made), str(path))) from None
        return from_saved_model(path, checked, options.output), file.complaints


def _built(keras: Any, file: TrainedFile, folder: Path, *, trusted: bool) -> Any:
    model_file, architecture = write_for("keras", file, folder)
    if architecture is None:
        # Optimiser settings of old files are not needed, and newer versions refuse some of them.
        return keras.models.load_model(model_file, _application_layers(), compile=False, safe_mode=not trusted)
    if trusted:
        keras.config.enable_unsafe_deserialization()
    model = keras.models.model_from_json(architecture.read_text(encoding="utf-8"), _application_layers())
    model.load_weights(model_file)
    return model


def _application_layers() -> dict[str, Any]:
    """Layers of Keras's own networks, which HDF5 files name without their module."""
    return {
        name: getattr(importlib.import_module(f"keras.src.applications.{module}"), name)
        for name, module in APPLICATION_LAYERS.items()
    }


def _network_of(path: Path, model: Any, options: InputOptions) -> Network:
    if not model.built or not getattr(model, "inputs", None):
        raise ModelError(f"{path} does not say what it takes: call the model once on pictures and save it again")
    return from_keras(path, model, options.output)


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
