"""Tiny networks of the kinds of layers that models for facial expressions are made of, and what they must say.

    python -m tests.make_networks

writes tests/models/golden-outputs.json. Weights come from NumPy's generator, so that they are the same everywhere.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

GOLDEN = Path(__file__).parent / "models" / "golden-outputs.json"
SIDE_PX = 32
CLASSES = 7
SHOWN = 6
"""How many pictures the golden outputs are for."""


def shown_pictures(count: int = 60) -> NDArray[np.uint8]:
    """Soft patterns, uint8 [count, side, side]."""
    generator = np.random.default_rng(7)
    rows, columns = np.mgrid[0:SIDE_PX, 0:SIDE_PX] / SIDE_PX
    waves = generator.normal(size=(count, 4, 3))
    pictures = [
        sum(a * np.sin(2 * np.pi * (b * rows + c * columns) + k) for k, (a, b, c) in enumerate(wave)) for wave in waves
    ]
    return np.clip(np.asarray(pictures) * 45 + 128, 0, 255).astype(np.uint8)


def _norm_relu(layers: Any, x: Any, most: float | None = None) -> Any:
    return layers.ReLU(max_value=most)(layers.BatchNormalization()(x))


def _cnn4(layers: Any, x: Any) -> Any:
    for filters in (4, 6):
        x = _norm_relu(layers, layers.Conv2D(filters, 3, padding="same")(x))
        x = layers.Dropout(0.25)(layers.MaxPooling2D()(x))
    x = layers.Dense(16)(layers.Flatten()(x))
    x = layers.Dropout(0.25)(_norm_relu(layers, x))
    return layers.Dense(CLASSES, activation="softmax")(x)


def _cnn(layers: Any, x: Any) -> Any:
    x = layers.Conv2D(4, 3, activation="relu")(x)
    x = layers.MaxPooling2D()(layers.Conv2D(6, 3, activation="relu")(x))
    x = layers.Dense(32, activation="relu")(layers.Flatten()(x))
    return layers.Dense(CLASSES, activation="softmax")(layers.Dropout(0.5)(x))


def _vgg(layers: Any, x: Any) -> Any:
    x = layers.Rescaling(0.5, offset=0.1)(layers.Concatenate()([x, x, x]))
    for filters in (4, 8):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2, strides=2)(x)
    x = layers.Dense(16, activation="relu")(layers.GlobalAveragePooling2D()(x))
    return layers.Dense(CLASSES)(x)


def _resnet(layers: Any, x: Any) -> Any:
    x = layers.Conv2D(6, 7, strides=2)(layers.ZeroPadding2D(3)(x))
    x = layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(_norm_relu(layers, x)))
    for stride in (1, 2):
        short = layers.BatchNormalization()(layers.Conv2D(12, 1, strides=stride)(x))
        y = _norm_relu(layers, layers.Conv2D(4, 1, strides=stride)(x))
        y = _norm_relu(layers, layers.Conv2D(4, 3, padding="same")(y))
        y = layers.BatchNormalization()(layers.Conv2D(12, 1)(y))
        x = layers.Activation("relu")(layers.Add()([short, y]))
    return layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x))


def _resnet_v2(layers: Any, x: Any) -> Any:
    x = layers.MaxPooling2D(3, strides=2)(layers.Conv2D(8, 7, strides=2, padding="same")(x))
    for stride in (1, 2):
        before = _norm_relu(layers, x)
        short = layers.Conv2D(8, 1)(before) if stride == 1 else layers.MaxPooling2D(1, strides=2)(x)
        y = _norm_relu(layers, layers.Conv2D(4, 1, use_bias=False)(before))
        y = layers.ZeroPadding2D(1)(y)
        y = _norm_relu(layers, layers.Conv2D(4, 3, strides=stride, use_bias=False)(y))
        x = layers.Add()([short, layers.Conv2D(8, 1)(y)])
    return layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(_norm_relu(layers, x)))


def _mini_xception(layers: Any, x: Any) -> Any:
    x = _norm_relu(layers, layers.Conv2D(4, 3, use_bias=False)(x))
    for filters in (8, 12):
        short = layers.BatchNormalization()(layers.Conv2D(filters, 1, strides=2, padding="same", use_bias=False)(x))
        x = _norm_relu(layers, layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(x))
        x = layers.BatchNormalization()(layers.SeparableConv2D(filters, 3, padding="same", use_bias=False)(x))
        x = layers.Add()([layers.MaxPooling2D(3, strides=2, padding="same")(x), short])
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(CLASSES, 3, padding="same")(x))
    return layers.Activation("softmax")(x)


def _mobilenet(layers: Any, x: Any) -> Any:
    x = _norm_relu(layers, layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False)(x), 6.0)
    for stride, filters in ((1, 8), (2, 12)):
        x = layers.ZeroPadding2D(((0, 1), (0, 1)))(x) if stride == 2 else x
        padding = "valid" if stride == 2 else "same"
        x = layers.DepthwiseConv2D(3, strides=stride, padding=padding, use_bias=False)(x)
        x = _norm_relu(layers, x, 6.0)
        x = _norm_relu(layers, layers.Conv2D(filters, 1, padding="same", use_bias=False)(x), 6.0)
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    return layers.Reshape((CLASSES,))(layers.Conv2D(CLASSES, 1, padding="same")(x))


NETWORKS: dict[str, Callable[[Any, Any], Any]] = {
    "cnn4": _cnn4,
    "cnn": _cnn,
    "vgg": _vgg,
    "resnet": _resnet,
    "resnet-v2": _resnet_v2,
    "mini-xception": _mini_xception,
    "mobilenet": _mobilenet,
}


def build(name: str) -> Any:
    """The Keras model with weights that are the same everywhere."""
    from edge_fer_convert.tensorflow_log import quiet_tensorflow

    with quiet_tensorflow():
        import keras

        face = keras.layers.Input((SIDE_PX, SIDE_PX, 1))
        model = keras.Model(face, NETWORKS[name](keras.layers, face), name=name.replace("-", "_"))
        generator = np.random.default_rng(sorted(NETWORKS).index(name))
        for weight in model.weights:
            weight.assign(_values(generator, weight.path.rsplit("/", 1)[-1], tuple(weight.shape)))
        return model


def _values(generator: np.random.Generator, kind: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    if kind in ("gamma", "moving_variance"):
        found = generator.uniform(0.6, 1.4, shape)
    elif kind in ("beta", "bias", "moving_mean"):
        found = generator.normal(scale=0.1, size=shape)
    else:
        # He et al. 2015: what keeps the strength of values through layers with ReLUs.
        inputs = np.prod(shape[:-1]) if kind != "depthwise_kernel" else np.prod(shape[:2])
        found = generator.normal(scale=float(np.sqrt(2.0 / inputs)), size=shape)
    return np.asarray(found, np.float32)


def batch(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Model inputs scaled to -1..1, [N, side, side, 1]."""
    return (pictures[..., None].astype(np.float32) - 127.5) / 127.5


def main() -> None:
    """Write the golden outputs."""
    shown = batch(shown_pictures()[:SHOWN])
    golden = {name: np.round(np.asarray(build(name)(shown, training=False)), 6).tolist() for name in NETWORKS}
    golden = {name: [[round(float(value), 6) for value in row] for row in rows] for name, rows in golden.items()}
    text = ",\n".join(
        f' "{name}": [\n  ' + ",\n  ".join(map(json.dumps, rows)) + "\n ]" for name, rows in golden.items()
    )
    GOLDEN.write_text(f"{{\n{text}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
