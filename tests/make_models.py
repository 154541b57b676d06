"""Tiny models whose answer is known: the mean brightness of a picture decides the emotion.

    python tests/make_models.py

writes the files in tests/models, so that the runtime is tested in milliseconds and without TensorFlow. The darkest
pictures are the first label, the brightest the last.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer.inference.manifest import Manifest, write_manifest
from edge_fer.types import FER_LABELS, InputSpec

if TYPE_CHECKING:
    from edge_fer_convert import CalibrationSet, CheckSet
    from numpy.typing import NDArray

MODELS = Path(__file__).parent / "models"
SPEC = InputSpec(48, 48, "grey", (129.0,), (64.0,))
NAME = "brightness-tiny"
STEEPNESS = 6.0


def centres(classes: int) -> NDArray[np.float32]:
    """Scaled brightness at which each class is the surest, float32 [classes]."""
    return np.linspace(-1.8, 1.8, classes).astype(np.float32)


def dense_bias(classes: int) -> NDArray[np.float32]:
    """Bias of the last layer, float32 [classes]."""
    return -STEEPNESS * centres(classes) ** 2


def flat_picture(label: int, classes: int = 7, side: int = 48) -> NDArray[np.uint8]:
    """A grey picture that the model must give that label, uint8 [side, side], with a little texture."""
    brightness = centres(classes)[label] * SPEC.std[0] + SPEC.mean[0]
    noise = np.random.default_rng(label).normal(scale=6.0, size=(side, side))
    return np.clip(np.rint(brightness + noise - noise.mean()), 0, 255).astype(np.uint8)


def pictures(count: int, side: int = 48) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures of all labels in turn and their labels: uint8 [count, side, side], int64 [count]."""
    generator = np.random.default_rng(1)
    labels = np.arange(count, dtype=np.int64) % 7
    plain = np.stack([flat_picture(int(label), side=side) for label in labels]).astype(np.float64)
    shifted = plain + generator.normal(scale=3.0, size=plain.shape) + generator.normal(scale=4.0, size=(count, 1, 1))
    return np.clip(np.rint(shifted), 0, 255).astype(np.uint8), labels


def calibration() -> CalibrationSet:
    """140 pictures for int8."""
    from edge_fer_convert import calibration_set

    return calibration_set(*pictures(140), source="brightness pictures", pictures=140)


def check_set(count: int = 140) -> CheckSet:
    """So many pictures to check a model on."""
    from edge_fer_convert import CheckSet

    from edge_fer.evaluation.labelled import LabelledFaces

    images, labels = pictures(count)
    return CheckSet(LabelledFaces(images, labels, FER_LABELS), "brightness", "test")


def brightness_model(*, classes: int = 7, channels: int = 1, side: int = 48, softmax: bool = True) -> Any:
    """The Keras model: a Conv, BatchNorm, ReLU block, a second convolution, global average pooling, Dense."""
    from edge_fer_convert.tensorflow_log import quiet_tensorflow

    with quiet_tensorflow():
        import keras

        layers = keras.layers
        face = layers.Input((side, side, channels), name="face")
        first = layers.Conv2D(2, 3, padding="same", use_bias=False)
        norm = layers.BatchNormalization(epsilon=0.0, center=True)
        second = layers.Conv2D(2, 3, strides=2, padding="same")
        dense = layers.Dense(classes, activation="softmax" if softmax else None)
        x = layers.ReLU()(norm(first(face)))
        x = layers.GlobalAveragePooling2D()(layers.ReLU()(second(x)))
        model = keras.Model(face, dense(x), name="tiny")
        # Bright and dark go through the ReLUs on two channels; weights at the centre of a kernel pass pixels on.
        kernel = np.zeros((3, 3, channels, 2), np.float32)
        kernel[1, 1, 0] = [1.0, -1.0]
        first.set_weights([kernel])
        norm.set_weights([np.full(2, 2.0, np.float32), *np.zeros((2, 2), np.float32), np.full(2, 4.0, np.float32)])
        kernel = np.zeros((3, 3, 2, 2), np.float32)
        kernel[1, 1] = np.eye(2)
        second.set_weights([kernel, np.zeros(2, np.float32)])
        slope = 2.0 * STEEPNESS * centres(classes)
        dense.set_weights([np.stack([slope, -slope]), dense_bias(classes)])
        return model


def save(model: Any, path: Path) -> Path:
    """Save a Keras model without what Keras has to say about it; return the path."""
    from edge_fer_convert.tensorflow_log import quiet_tensorflow

    with quiet_tensorflow():
        model.save(path)
    return path


def save_trained(folder: Path, model: Any, spec: InputSpec = SPEC, name: str = NAME) -> Path:
    """Save a Keras model with its sidecar manifest, as training does; return the path of the model."""
    path = save(model, folder / f"{name}.keras")
    labels = FER_LABELS[: model.outputs[0].shape[1]]
    kind = "probabilities" if model.layers[-1].activation.__name__ == "softmax" else "logits"
    write_manifest(path, Manifest(name, "keras", "fp32", labels, spec, kind, licence="Apache-2.0"))
    return path


def main() -> None:
    """Write the files in tests/models."""
    import tempfile

    from edge_fer_convert.conversion import convert

    with tempfile.TemporaryDirectory() as folder:
        result = convert(
            save_trained(Path(folder), brightness_model()),
            MODELS,
            recipes=("fp32", "static_wi8_ai8"),
            calibration=calibration(),
            force=True,
        )
    for file in result.files:
        print(file.path.name, file.size_bytes, file.agreement, file=sys.stderr)


if __name__ == "__main__":
    main()
