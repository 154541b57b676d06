"""Plain residual networks of 3x3 convolutions, which 8-bit engines run fast: `small` and `nano`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
from keras import layers

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer_train.classic import Shape, Tensor


@dataclass(frozen=True, slots=True)
class ResidualPlan:
    """A plain residual network: stages that halve the side and hold residual pairs of 3x3 convolutions."""

    stem: int
    stem_stride: int
    stages: tuple[tuple[int, int], ...]
    """(channels, residual pairs) of each stage; each begins with a 3x3 convolution of stride 2."""
    head: int
    dropout: float


SMALL = ResidualPlan(stem=16, stem_stride=1, stages=((28, 1), (64, 1), (128, 1)), head=256, dropout=0.2)
NANO = ResidualPlan(stem=12, stem_stride=2, stages=((24, 1), (48, 2)), head=160, dropout=0.1)


def _conv(x: Tensor, channels: int, *, size: int = 3, stride: int = 1, relu: bool = True) -> Tensor:
    x = layers.Conv2D(channels, size, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-3)(x)
    return layers.ReLU()(x) if relu else x


def _residual_pair(x: Tensor, channels: int) -> Tensor:
    return layers.ReLU()(layers.Add()([x, _conv(_conv(x, channels), channels, relu=False)]))


def residual(plan: ResidualPlan) -> Callable[[Shape, int], keras.Model]:
    """A builder for that plan."""

    def build(shape: Shape, classes: int) -> keras.Model:
        inputs = keras.Input(shape, name="face")
        x = _conv(inputs, plan.stem, stride=plan.stem_stride)
        if plan.stem_stride > 1:
            x = _residual_pair(x, plan.stem)
        for channels, pairs in plan.stages:
            x = _conv(x, channels, stride=2)
            for _ in range(pairs):
                x = _residual_pair(x, channels)
        x = _conv(x, plan.head, size=1)
        x = layers.GlobalAveragePooling2D(name="features")(x)
        x = layers.Dropout(plan.dropout)(x)
        return keras.Model(inputs, layers.Dense(classes, name="logits")(x))

    return build
