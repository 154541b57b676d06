"""The large networks of keras.applications, from random, ImageNet's or given weights."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import keras
from keras import layers

from edge_fer.errors import ConfigError, EdgeFerError, ModelError
from edge_fer.inference.decoding import first_line
from edge_fer_train.given_models import checked_weights

if TYPE_CHECKING:
    from edge_fer_train.classic import Shape

Application: TypeAlias = Callable[..., keras.Model]

CAFFE_OFFSETS = (127.5 - 103.939, 127.5 - 116.779, 127.5 - 123.68)
"""From inputs of -1 to 1 times 127.5 to pixels less ImageNet's mean, as VGG16 and ResNet50 were trained."""


def transferred(application: Application, offsets: tuple[float, float, float] | None) -> Callable[..., keras.Model]:
    """A builder of that network with a new head, taking inputs of -1 to 1.

    Args:
        application: a constructor of keras.applications.
        offsets: added to each channel after multiplying by 127.5; None for a network that takes -1 to 1 itself.
    """

    def build(shape: Shape, classes: int) -> keras.Model:
        inputs = keras.Input(shape, name="face")
        # Grey is repeated inside the network, so that what it is given when running is grey as in training.
        x = layers.Concatenate()([inputs] * 3) if shape[2] == 1 else inputs
        if offsets is not None:
            x = layers.Rescaling(127.5, offset=list(offsets))(x)
        base = application(weights=None, include_top=False, input_tensor=x)
        x = layers.GlobalAveragePooling2D(name="features")(base.output)
        x = layers.Dropout(0.5)(layers.Dense(256, activation="relu")(x))
        return keras.Model(inputs, layers.Dense(classes, name="logits")(x))

    return build


def load_imagenet(network: keras.Model, application: Application, name: str, weights: str) -> None:
    """Give the layers of `network` that the application has too its weights.

    Args:
        network: what `transferred` built.
        application: the constructor that it was built with.
        name: of the architecture, for messages.
        weights: "imagenet", or an .h5 file without the top layers as Keras publishes them.

    Raises:
        ConfigError: the file holds other weights.
        ModelError: it is no HDF5 file, is damaged, or keeps data in other files.
        EdgeFerError: the weights cannot be downloaded.
    """
    try:
        given = contextlib.nullcontext(weights) if weights == "imagenet" else checked_weights(Path(weights))
        # Keras shows downloads on stdout, which is for results.
        with given as file, contextlib.redirect_stdout(sys.stderr):
            source = application(weights=str(file), include_top=False, input_shape=(*network.input_shape[1:3], 3))
    except ModelError as error:
        raise ModelError(f"--weights {error}") from None
    except Exception as error:  # Keras raises bare exceptions for a failed download
        if weights != "imagenet":
            raise ConfigError(f"{weights}: not weights of {name} without its top ({first_line(error)})") from None
        raise EdgeFerError(
            f"the ImageNet weights of {name} cannot be downloaded; give a downloaded .h5 file as --weights FILE, "
            "or train from scratch with --weights none"
        ) from None
    ours = {layer.name: layer for layer in network.layers}
    for layer in source.layers:
        if layer.weights:
            ours[layer.name].set_weights(layer.get_weights())
