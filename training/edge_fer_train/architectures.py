"""The networks that can be trained, by name. All end in logits: the manifest says so, and engines add the softmax.

Every network has a layer named "features", behind which its head begins, and ends in a layer named "logits".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import keras

from edge_fer.errors import ConfigError, ModelError
from edge_fer.inference.decoding import first_line
from edge_fer_train.classic import Shape, build_cnn, build_cnn4, build_mini_xception
from edge_fer_train.given_models import load_given_model
from edge_fer_train.onnx_weights import load_onnx_weights
from edge_fer_train.pretrained import CAFFE_OFFSETS, Application, load_imagenet, transferred
from edge_fer_train.residual import NANO, SMALL, residual

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Build: TypeAlias = Callable[[Shape, int], keras.Model]


@dataclass(frozen=True, slots=True)
class Architecture:
    """How to build a network, and what may be done with it in training."""

    build: Build
    """Takes the input shape (height, width, channels) and the number of classes; returns a model of logits."""
    any_size: bool = False
    """True where the network takes pictures of any size, so that training may begin with smaller ones."""
    application: Application | None = None
    """The constructor of keras.applications that ImageNet's weights come from; None where there are none."""


ARCHITECTURES: dict[str, Architecture] = {
    "small": Architecture(residual(SMALL), any_size=True),
    "nano": Architecture(residual(NANO), any_size=True),
    "cnn": Architecture(build_cnn),
    "cnn4": Architecture(build_cnn4),
    "mini-xception": Architecture(build_mini_xception, any_size=True),
    "vgg16": Architecture(transferred(keras.applications.VGG16, CAFFE_OFFSETS), application=keras.applications.VGG16),
    "resnet50": Architecture(
        transferred(keras.applications.ResNet50, CAFFE_OFFSETS), application=keras.applications.ResNet50
    ),
    "resnet50v2": Architecture(
        transferred(keras.applications.ResNet50V2, None), application=keras.applications.ResNet50V2
    ),
}


def build_network(name: str, side_px: int | None, channels: int, classes: int) -> keras.Model:
    """A network with random weights; `side_px` None where it takes any size.

    Raises:
        ConfigError: pictures of that size are too small for it.
    """
    try:
        return ARCHITECTURES[name].build((side_px, side_px, channels), classes)
    except ValueError as error:
        size = f"{side_px}x{side_px}x{channels}"
        raise ConfigError(f"{name} cannot take pictures of {size} ({first_line(error)}); use larger ones") from None


def load_start(network: keras.Model, name: str, weights: str, inputs: NDArray[np.float32]) -> None:
    """Give a new network the weights that training begins with.

    Args:
        network: built by `build_network`.
        name: of its architecture.
        weights: "none", "imagenet", a .keras file of an earlier run of that architecture, whose last layer is left
            out where it has other classes, an .onnx file made of one, or an .h5 file that Keras publishes for the
            architecture.
        inputs: training pictures as the network takes them, float32 [N, side, side, channels].

    Raises:
        ConfigError: there are no such weights, or they are of another network.
        ModelError: the file is damaged, or holds more than layers of Keras and numbers.
        EdgeFerError: they cannot be downloaded.
    """
    if weights == "none":
        return
    application = ARCHITECTURES[name].application
    if weights.endswith(".keras"):
        _copy_weights(_load(weights), network, name, weights)
    elif weights.endswith(".onnx"):
        load_onnx_weights(network, name, Path(weights), inputs)
    elif application is not None:
        if weights != "imagenet" and not Path(weights).is_file():
            raise ConfigError(f"--weights {weights}: no such file; give imagenet, none or a .keras or .h5 file")
        load_imagenet(network, application, name, weights)
    else:
        raise ConfigError(
            f"--weights {weights}: {name} begins with none or with a .keras or .onnx file of an earlier run"
        )


def _load(path: str) -> keras.Model:
    if not Path(path).is_file():
        raise ConfigError(f"--weights {path}: no such file; give the .keras file of an earlier run")
    try:
        return load_given_model(Path(path))
    except ModelError as error:
        raise ModelError(f"--weights {error}") from None
    except Exception as error:  # Keras raises whatever its layers raise
        raise ConfigError(f"--weights {path}: Keras cannot load it ({first_line(error)})") from None


def _copy_weights(source: keras.Model, network: keras.Model, name: str, path: str) -> None:
    # By position, as Keras numbers the names of layers through all networks of a process.
    pairs = list(zip(_with_weights(source), _with_weights(network), strict=False))
    fitting = [_shapes(given) == _shapes(own) for given, own in pairs]
    if len(_with_weights(source)) != len(_with_weights(network)) or not all(fitting[:-1]):
        raise ConfigError(f"--weights {path}: holds another network than {name}; give a file of that --arch")
    for (given, own), fits in zip(pairs, fitting, strict=True):
        if fits:
            own.set_weights(given.get_weights())


def _with_weights(model: keras.Model) -> list[Any]:
    return [layer for layer in model.layers if layer.weights]


def _shapes(layer: Any) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in layer.weights]
