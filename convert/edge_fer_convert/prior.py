"""The classes' frequencies in training, divided out of a finished model by its last layer's bias."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer.errors import ConfigError
from edge_fer.evaluation.priors import parse_shares, prior_offsets
from edge_fer.inference.manifest import Prior

if TYPE_CHECKING:
    from pathlib import Path

    from edge_fer.evaluation.metrics import Floats
    from edge_fer.inference.manifest import Manifest
    from edge_fer_convert.inputs import InputOptions

_KERAS_PASSES = ("Softmax", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "Flatten", "Reshape", "Dropout")
_ONNX_PASSES = (
    "Softmax", "LogSoftmax", "Identity", "Reshape", "Flatten", "Squeeze", "GlobalAveragePool", "ReduceMean",
)  # fmt: skip
"""What a constant for each class goes through unchanged, or what comes after the logits."""


def prior_to_fold(manifest: Manifest, options: InputOptions, path: Path) -> tuple[Floats, Prior] | None:
    """The offsets of the logits that are asked for, and what the manifest says of them; None where none are.

    Raises:
        ConfigError: nobody says how often the classes occurred, a correction is in the model already, or its outputs
            do not exclude each other.
    """
    correction = options.prior_correction
    if correction is None:
        if options.prior is not None:
            raise ConfigError("a prior without a correction does nothing: give --prior-correction TAU too")
        return None
    known = manifest.prior
    if known is not None and known.correction:
        raise ConfigError(
            f"{path} holds a prior correction of {known.correction:g} already: leave --prior-correction out"
        )
    if manifest.output_kind not in ("logits", "probabilities"):
        raise ConfigError(f"{path} gives {manifest.output_kind}: a prior can be divided out of a softmax alone")
    if options.prior is not None:
        shares = parse_shares(options.prior, manifest.labels)
    elif known is not None:
        shares = known.shares
    else:
        raise ConfigError(
            f"{path} does not say how often each class occurred in training: give their counts with --prior, in the "
            f"order {','.join(manifest.labels)}"
        )
    mixed = known.votes_mix if known is not None else 0.0
    return prior_offsets(shares, correction), Prior(shares, correction, mixed)


def fold_into_keras(model: Any, offsets: Floats, path: Path) -> None:
    """Add the offsets to the bias of the layer that makes a Keras model's logits.

    Raises:
        ConfigError: the model does not end in such a layer.
    """
    layer = _producer(model)
    while True:
        kind = type(layer).__name__
        if hasattr(layer, "layers") and getattr(layer, "outputs", None):
            layer = _producer(layer)
            continue
        if kind in _KERAS_PASSES or (kind == "Activation" and _activation(layer) in ("softmax", "linear")):
            layer = layer.input._keras_history.operation
            continue
        break
    size = getattr(layer, "units", None) or getattr(layer, "filters", None)
    if (
        kind not in ("Dense", "Conv2D")
        or size != len(offsets)
        or _activation(layer) not in ("softmax", "linear")
        or getattr(layer, "bias", None) is None
    ):
        raise ConfigError(f"{path}: ends in {kind} {layer.name!r}, not in a layer whose bias could hold the correction")
    layer.bias.assign(np.asarray(layer.bias) + offsets.astype(np.float32))


def _producer(model: Any) -> Any:
    return model.outputs[0]._keras_history.operation


def _activation(layer: Any) -> str:
    return str(getattr(getattr(layer, "activation", None), "__name__", "linear"))


def fold_into_onnx(data: bytes, offsets: Floats, path: Path) -> bytes:
    """The same for an ONNX model of one output.

    Raises:
        ConfigError: the model does not end in such a layer, or that is quantised.
    """
    import onnx

    model = onnx.load_from_string(data)
    graph = model.graph
    values = {one.name: one for one in graph.initializer}
    made_by = {name: node for node in graph.node for name in node.output}
    node = made_by.get(graph.output[0].name)
    while node is not None and node.op_type in _ONNX_PASSES:
        node = made_by.get(node.input[0])
    kind = "nothing" if node is None else node.op_type
    name = None
    if node is not None and kind in ("Add", "Gemm", "Conv"):
        name = next((one for one in reversed(node.input) if one in values and _size(values[one]) == len(offsets)), None)
        if kind != "Add" and (len(node.input) < 3 or name != node.input[2]):
            name = None
    if name is None:
        raise ConfigError(f"{path}: ends in {kind}, not in a layer whose bias could hold the correction")
    old = onnx.numpy_helper.to_array(values[name])
    new = (old.astype(np.float64) + offsets.reshape(old.shape)).astype(old.dtype)
    values[name].CopyFrom(onnx.numpy_helper.from_array(new, name))
    return bytes(model.SerializeToString())


def _size(tensor: Any) -> int:
    return int(np.prod(tensor.dims))


def with_prior(manifest: Manifest, prior: Prior) -> Manifest:
    """The manifest of a model with that correction; its accuracies were measured without."""
    return replace(manifest, prior=prior, accuracy=())
