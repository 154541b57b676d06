"""The weights of a network from an ONNX file that `edge-fer convert` made of it, whose .keras file is gone.

Converting folds batch norm into the convolutions before it. Here it is unfolded again: each batch norm gets the
statistics that its convolution has on training pictures, and the scale and offset that undo them, so that the network
answers as the file does and can be trained on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from edge_fer.errors import ConfigError, MissingExtra, ModelError
from edge_fer.inference.manifest import read_model_bytes
from edge_fer.inference.onnx_file import scan_onnx

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

PICTURES = 1024
"""How many training pictures the statistics are measured on."""


def load_onnx_weights(network: keras.Model, name: str, path: Path, inputs: NDArray[np.float32]) -> None:
    """Give a network of convolutions with batch norm, and a Dense layer at its end, the weights of an ONNX file.

    Args:
        network: of random weights.
        name: of its architecture, for messages.
        path: of the file, in 32-bit floats.
        inputs: training pictures as the network takes them, float32 [N, side, side, channels]; `PICTURES` are enough.

    Raises:
        ConfigError: the file is not there, is no ONNX model, or is of another network.
        MissingExtra: the package onnx is not installed.
    """
    wrong = f"--weights {path}: is not {name} in 32-bit floats as edge-fer convert --fp32 makes it"
    layers = [layer for layer in network.layers if layer.weights]
    convolutions = [layer for layer in layers if isinstance(layer, keras.layers.Conv2D)]
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    heads = [layer for layer in layers if isinstance(layer, keras.layers.Dense)]
    if len(convolutions) != len(norms) or len(heads) != 1 or len(layers) != len(convolutions) + len(norms) + 1:
        raise ConfigError(f"--weights {path}: {name} cannot begin with an ONNX file; give a .keras file")
    found, last = _read(path, wrong)
    if len(found) != len(convolutions) or last is None:
        raise ConfigError(wrong)
    for layer, (kernel, _) in zip(convolutions, found, strict=True):
        if kernel.shape != tuple(layer.kernel.shape):
            raise ConfigError(wrong)
        layer.set_weights([kernel])
    for norm, (_, bias) in zip(norms, found, strict=True):
        # Of the identity, but for the bias: moving mean 0 and variance 1.
        one = np.ones_like(bias)
        norm.set_weights([one * np.sqrt(1 + norm.epsilon), bias, np.zeros_like(bias), one])
    outputs = keras.Model(network.input, [layer.output for layer in convolutions])
    sums = [np.zeros((2, layer.filters)) for layer in convolutions]
    counts = np.zeros(len(convolutions))
    for at in range(0, len(inputs), 64):
        for place, maps in enumerate(outputs.predict_on_batch(inputs[at : at + 64])):
            rows = np.asarray(maps, np.float64).reshape(-1, maps.shape[-1])
            sums[place] += np.stack([rows.sum(axis=0), (rows**2).sum(axis=0)])
            counts[place] += len(rows)
    for norm, total, count, (_, bias) in zip(norms, sums, counts, found, strict=True):
        mean = total[0] / count
        variance = np.maximum(total[1] / count - mean**2, 0.0)
        norm.set_weights([np.sqrt(variance + norm.epsilon), bias + mean, mean, variance])
    kernel, bias = last
    if kernel.shape == tuple(heads[0].kernel.shape):
        heads[0].set_weights([kernel, bias])


def _read(path: Path, wrong: str) -> tuple[list[tuple[Any, Any]], tuple[Any, Any] | None]:
    try:
        import onnx
    except ImportError:
        raise MissingExtra(f"--weights {path}", "convert") from None
    if not path.exists():
        raise ConfigError(f"--weights {path}: no such file; give the .keras or .onnx file of an earlier run")
    data = read_model_bytes(path)
    try:
        complaints = scan_onnx(data, path).complaints
        graph = onnx.load_from_string(data).graph
    except ModelError as error:
        raise ConfigError(f"{wrong}; {error}") from None
    except Exception:  # protobuf's DecodeError, and whatever a damaged file raises
        raise ConfigError(wrong) from None
    if complaints:
        raise ConfigError(f"{wrong}; it {complaints[0]}")
    values = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    convolutions: list[tuple[Any, Any]] = []
    last = None
    for number, node in enumerate(graph.node):
        weights = [values[one] for one in node.input if one in values]
        if node.op_type == "Conv":
            if len(weights) != 2:
                raise ConfigError(wrong)
            convolutions.append((weights[0].transpose(2, 3, 1, 0), weights[1]))
        if node.op_type in ("MatMul", "Gemm") and weights:
            after = graph.node[number + 1 : number + 2]
            added = [values[one] for other in after for one in other.input if one in values]
            pair = [*weights, *added][:2]
            last = (pair[0], pair[1].reshape(-1)) if len(pair) == 2 else None
    return convolutions, last
