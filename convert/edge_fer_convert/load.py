"""Trained Keras models in, with what is known of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer.errors import ConfigError, MissingExtra, ModelError
from edge_fer.scores.decoding import first_line
from edge_fer.scores.manifest import Manifest, manifest_path, read_manifest, read_model_bytes
from edge_fer.types import FER_LABELS
from edge_fer_convert.inputs import input_spec, parse_scale
from edge_fer_convert.tensorflow_log import quiet_tensorflow

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_fer.scores.manifest import OutputKind
    from edge_fer.types import Batch, InputSpec
    from edge_fer_convert.inputs import InputOptions

_FIRST_BYTES = {".keras": b"PK\x03\x04", ".h5": b"\x89HDF\r\n\x1a\n", ".hdf5": b"\x89HDF\r\n\x1a\n"}


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A loaded Keras model and its manifest (engine "keras", recipe "fp32")."""

    keras_model: Any
    manifest: Manifest
    guesses: tuple[str, ...]
    """What nobody said and was assumed, one sentence each, for the user to read."""

    def probabilities(self, batch: Batch) -> NDArray[np.float64]:
        """What the model says of inputs [N, height, width, channels]: float64 [N, labels], rows summing to 1."""
        outputs = _outputs(self.keras_model, batch)
        if self.manifest.output_kind == "logits":
            outputs = np.exp((outputs - outputs.max(axis=1, keepdims=True)) / self.manifest.temperature)
        else:
            outputs = np.clip(outputs, 0.0, None) ** (1.0 / self.manifest.temperature)
        return np.asarray(outputs / outputs.sum(axis=1, keepdims=True))


def load_trained(path: Path, options: InputOptions) -> TrainedModel:
    """Load a .keras or whole-model .h5/.hdf5 file; its sidecar `<file>.json` is read where there is one.

    Options win over the sidecar; where both are silent, FER-2013's label order and a scale of 1/255 are assumed.

    Raises:
        ModelError: the file is no such model, or its input or output is not a picture and a class vector.
        ConfigError: an option does not fit the model.
        MissingExtra: TensorFlow or Keras is not installed.
    """
    if options.scale is not None:
        parse_scale(options.scale)  # a mistyped option is found before the slow part
    data = read_model_bytes(path)
    _check_kind(path, data)
    model = _load_keras(path)
    height, width, channels, classes = _shapes(model, path)
    sidecar = read_manifest(path, data) if manifest_path(path).is_file() else None
    guesses: list[str] = []
    spec = _input_spec(model, width, height, channels, sidecar, options, guesses)
    labels = options.labels or (sidecar.labels if sidecar else None)
    if labels is None:
        if classes != len(FER_LABELS):
            raise ConfigError(f"{path} has {classes} classes: name them in their order with --labels a,b,c")
        labels = FER_LABELS
        guesses.append(f"labels are taken to be FER-2013's: {','.join(labels)} (--labels says otherwise)")
    if len(labels) != classes:
        raise ConfigError(f"{path} has {classes} classes but {len(labels)} labels are named: mend --labels")
    output_kind = _output_kind(model, spec, path)
    if sidecar and sidecar.output_kind != output_kind:
        raise ModelError(
            f"{manifest_path(path)}: 'output_kind' is {sidecar.output_kind}, the model gives {output_kind}"
        )
    base = sidecar or Manifest(path.stem, "keras", "fp32", labels, spec, output_kind)
    manifest = replace(
        base,
        labels=tuple(labels),
        input=spec,
        output_kind=output_kind,
        parameters=int(model.count_params()),
        multiply_adds=multiply_adds(model),
    )
    return TrainedModel(model, manifest, tuple(guesses))


def multiply_adds(model: Any) -> int:
    """Multiplications with addition for one input, counted over convolutions and dense layers."""
    total = 0
    for layer in model.layers:
        if hasattr(layer, "layers"):
            total += multiply_adds(layer)
            continue
        kind = type(layer).__name__
        if kind not in ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense"):
            continue
        output = layer.output.shape
        positions = int(np.prod([size for size in output[1:-1] if size is not None], dtype=np.int64))
        # A kernel holds each weight once; each is used once for every position of the output.
        kernels = [weight for weight in layer.weights if "kernel" in weight.name]
        total += positions * sum(int(np.prod(kernel.shape)) for kernel in kernels)
    return total


def _check_kind(path: Path, data: bytes) -> None:
    expected = _FIRST_BYTES.get(path.suffix.lower())
    if expected is None:
        raise ModelError(f"{path} is not a trained Keras model: give a .keras, .h5 or .hdf5 file")
    if data.startswith(b"version https://git-lfs"):
        raise ModelError(f"{path} is a Git LFS pointer, not the model: run `git lfs pull` where it came from")
    if not data.startswith(expected):
        raise ModelError(f"{path} is not what its name says, or is damaged: get the model again")


def _load_keras(path: Path) -> Any:
    with quiet_tensorflow():
        try:
            import keras
            import tensorflow as tf
        except ImportError:
            raise MissingExtra("converting a trained model", "convert") from None
        if keras.backend.backend() != "tensorflow":
            raise ConfigError("converting needs Keras on TensorFlow: unset KERAS_BACKEND")
        tf.config.set_visible_devices([], "GPU")
        try:
            # Optimiser settings of old files are not needed, and newer versions refuse some of them.
            return keras.models.load_model(path, compile=False)
        except Exception as error:  # Keras raises whatever its layers raise
            raise ModelError(f"Keras cannot load {path}: {first_line(error)}") from None


def _shapes(model: Any, path: Path) -> tuple[int, int, int, int]:
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelError(
            f"{path} has {len(model.inputs)} inputs and {len(model.outputs)} outputs: a picture in and one class "
            "vector out are needed"
        )
    taken, given = model.inputs[0].shape, model.outputs[0].shape
    if len(taken) != 4 or None in taken[1:] or taken[3] not in (1, 3):
        raise ModelError(f"{path} takes inputs of {tuple(taken)}: pictures of a fixed size with 1 or 3 channels needed")
    if len(given) != 2 or given[1] is None or given[1] < 2:
        raise ModelError(f"{path} gives outputs of {tuple(given)}: one score for each of two or more classes needed")
    return int(taken[1]), int(taken[2]), int(taken[3]), int(given[1])


def _input_spec(
    model: Any,
    width: int,
    height: int,
    channels: int,
    sidecar: Manifest | None,
    options: InputOptions,
    guesses: list[str],
) -> InputSpec:
    if sidecar and (sidecar.input.width, sidecar.input.height, sidecar.input.channels) != (width, height, channels):
        found = f"{width}x{height} with {channels} channels"
        raise ModelError(f"the manifest of {sidecar.name} has another 'input' than the model, which takes {found}")
    if sidecar and options.scale is None and options.colour is None:
        return replace(sidecar.input, layout="NHWC")
    scale = options.scale
    if scale is None:
        scales_itself = any(type(layer).__name__ in ("Rescaling", "Normalization") for layer in model.layers)
        scale = "0..255" if scales_itself else "1/255"
        why = "the model scales by itself" if scales_itself else "the usual"
        guesses.append(f"pixels are taken to be scaled by {scale}, {why} (--scale says otherwise)")
    return input_spec(width, height, channels, scale, options.colour)


def _output_kind(model: Any, spec: InputSpec, path: Path) -> OutputKind:
    """Tried rather than looked up, as softmax may be an activation, a layer or a function of its own."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, spec.height, spec.width, spec.channels))
    batch = ((pixels - np.asarray(spec.mean)) / np.asarray(spec.std)).astype(np.float32)
    outputs = _outputs(model, batch)
    if not np.isfinite(outputs).all():
        raise ModelError(f"{path} gives scores that are not finite: its weights are damaged")
    is_distribution = (outputs >= 0.0).all() and np.allclose(outputs.sum(axis=1), 1.0, atol=1e-3)
    return "probabilities" if is_distribution else "logits"


def _outputs(model: Any, batch: Batch, at_a_time: int = 64) -> NDArray[np.float64]:
    with quiet_tensorflow():  # Keras warns of the input's name in old files
        starts = range(0, len(batch), at_a_time)
        parts = [np.asarray(model(batch[at : at + at_a_time], training=False)) for at in starts]
    return np.concatenate(parts).astype(np.float64)
