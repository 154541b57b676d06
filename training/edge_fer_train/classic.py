"""Networks that emotion recognition on FER-2013 was often done with, to compare with."""

from __future__ import annotations

from typing import Any, TypeAlias

import keras
from keras import layers

Shape: TypeAlias = tuple[int | None, int | None, int]
"""Height, width (None where any will do) and channels of the input."""
Tensor: TypeAlias = Any


def build_cnn(shape: Shape, classes: int) -> keras.Model:
    """A plain network: four 3x3 convolutions without padding and a dense layer of 1024; 2.3 M parameters at 48x48."""
    inputs = keras.Input(shape, name="face")
    x = layers.Conv2D(32, 3, activation="relu")(inputs)
    x = layers.Conv2D(64, 3, activation="relu")(x)
    x = layers.Dropout(0.25)(layers.MaxPooling2D()(x))
    x = layers.MaxPooling2D()(layers.Conv2D(128, 3, activation="relu")(x))
    x = layers.MaxPooling2D()(layers.Conv2D(128, 3, activation="relu")(x))
    x = layers.Flatten(name="features")(layers.Dropout(0.25)(x))
    x = layers.Dropout(0.5)(layers.Dense(1024, activation="relu")(x))
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x))


def build_cnn4(shape: Shape, classes: int) -> keras.Model:
    """Four wide convolutions with batch norm and two dense layers; 4.5 M parameters at 48x48."""
    inputs = keras.Input(shape, name="face")
    x = inputs
    for channels, size in ((64, 3), (128, 5), (512, 3), (512, 3)):
        x = layers.BatchNormalization()(layers.Conv2D(channels, size, padding="same")(x))
        x = layers.Dropout(0.25)(layers.MaxPooling2D()(layers.ReLU()(x)))
    x = layers.Flatten(name="features")(x)
    for units in (256, 512):
        x = layers.Dropout(0.25)(layers.ReLU()(layers.BatchNormalization()(layers.Dense(units)(x))))
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x))


def build_mini_xception(shape: Shape, classes: int) -> keras.Model:
    """Separable convolutions with residuals, no dense layer; 58 k parameters (Arriaga et al., arXiv 1710.07557)."""
    inputs = keras.Input(shape, name="face")
    x = inputs
    for _ in range(2):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3, use_bias=False)(x)))
    for channels in (16, 32, 64, 128):
        # The same as a 1x1 convolution of stride 2, whose gradient for 8 channels damages memory in
        # TensorFlow 2.21 on x86 where the batch is no multiple of 8.
        shortcut = layers.MaxPooling2D(1, strides=2, padding="same")(x)
        shortcut = layers.BatchNormalization()(layers.Conv2D(channels, 1, use_bias=False)(shortcut))
        x = layers.SeparableConv2D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.SeparableConv2D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(layers.BatchNormalization()(x))
        last = channels == 128
        x = layers.Add(name="features" if last else None)([x, shortcut])
    x = layers.Conv2D(classes, 3, padding="same")(x)
    return keras.Model(inputs, layers.GlobalAveragePooling2D(name="logits")(x))
