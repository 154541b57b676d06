"""The networks that conversion is measured with, trained for a few minutes each.

Random weights are a poor judge of 8 bits: what a deep network says then hardly depends on the picture, and what does is
much finer than what a trained one distinguishes. Some hundred to some thousand steps on FER-2013's training pictures
(shifted by up to three pixels, half of them mirrored) give every layer the scale that training gives it; accuracy stays
below what full training reaches, and stands beside the results.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

MODELS = Path(__file__).parents[2] / "edge_fer" / "models"
TRAINING_PICTURES = 28_709
_SHIFT_PX = 3
_LABEL_SMOOTHING = 0.1
"""As in our recipes."""
_NORM_MOMENTUM = 0.9
"""Of batch norm while training: Keras's 0.99 and more would remember random weights after so few steps."""


@dataclass(frozen=True)
class Case:
    """One network."""

    arch: str
    """Of `edge-fer train --arch`, or of keras.applications, or a file."""
    side_px: int
    channels: int
    scale: str = "-1..1"
    calibration_pictures: int = 500
    pictures: int = 500
    """On which 32 and 16 bits are compared."""
    int8_pictures: int = 3589
    """On which int8 is compared; PublicTest has 3589."""
    steps: int = 300
    """Of training."""
    batch: int = 64
    rate: float = 1e-3
    """Highest learning rate (Adam)."""
    start: str = ""
    """Case whose weights training begins with; its pictures may have another size."""


CASES = {
    "small-48": Case(str(MODELS / "fer2013-small.keras"), 48, 1, ""),
    "mini_xception_64.hdf5": Case("models/mini_xception_64.hdf5", 64, 1),
    "cnn4-48": Case("cnn4", 48, 1, steps=1000, batch=32),
    "cnn-48": Case("cnn", 48, 1, steps=2000),
    "mini-xception-48": Case("mini-xception", 48, 1, steps=3000),
    "mini-xception-64": Case("mini-xception", 64, 1, steps=600, start="mini-xception-48"),
    "mobilenet-96": Case("MobileNet", 96, 3, steps=3000),
    "mobilenetv2-96": Case("MobileNetV2", 96, 3, steps=3000),
    "vgg16-48": Case("vgg16", 48, 1, steps=1000, batch=32, rate=3e-4),
    "resnet50-48": Case("resnet50", 48, 1, steps=2000),
    "resnet50v2-48": Case("resnet50v2", 48, 1, steps=2000),
    "resnet50-224": Case("resnet50", 224, 3, "-1..1", 100, 500, 3589, 200, 8, 3e-4, "resnet50-48"),
    "resnet50v2-224": Case("resnet50v2", 224, 3, "-1..1", 100, 500, 3589, 200, 8, 3e-4, "resnet50v2-48"),
    "vgg16-224": Case("vgg16", 224, 3, "-1..1", 100, 500, 500, 100, 8, 1e-4, "vgg16-48"),
}


def train(case: Case, data: Path, path: Path, start: Path | None) -> None:
    """Build a network, train it briefly and write it.

    Args:
        case: what to build.
        data: FER-2013.
        path: of the .keras file to write.
        start: .keras file of the case that it begins with.
    """
    import keras

    from edge_fer.faces.crop import whole_to_batch

    keras.utils.set_random_seed(0)
    model = _built(case)
    chosen = faces(data, "train", TRAINING_PICTURES)
    spec, targets = _spec(case), np.eye(7, dtype=np.float32)[chosen.labels]
    weighted = [layer for layer in model.layers if layer.weights]
    norms = [layer for layer in weighted if isinstance(layer, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.momentum = _NORM_MOMENTUM
    if start is not None:
        given = [layer for layer in keras.models.load_model(start, compile=False).layers if layer.weights]
        for own, other in zip(weighted, given, strict=True):
            own.set_weights(other.get_weights())
    elif not norms:
        _even_out(model, weighted[:-1], whole_to_batch(list(chosen.images[:: len(chosen.images) // 32]), spec))
        # Its weights are tiny where pictures are scaled up before it, and steps of Adam's size would undo them.
        weighted[0].trainable = False
    schedule = keras.optimizers.schedules.CosineDecay(case.rate, case.steps)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=_LABEL_SMOOTHING)
    model.compile(keras.optimizers.Adam(schedule), loss, jit_compile=False)
    generator = np.random.default_rng(0)
    for step in range(case.steps):
        places = generator.choice(len(targets), case.batch, replace=False)
        changed = [_changed(chosen.images[place], generator) for place in places]
        lost = model.train_on_batch(whole_to_batch(changed, spec), targets[places])
        if step % 25 == 24:
            print(f"{path.stem}: step {step + 1}, loss {float(np.mean(lost)):.3f}", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(path)


def _built(case: Case) -> Any:
    import keras
    from edge_fer_train.architectures import ARCHITECTURES, build_network

    if case.arch in ARCHITECTURES:
        return build_network(case.arch, case.side_px, case.channels, 7)
    shape = (case.side_px, case.side_px, case.channels)
    options: dict[str, Any] = {"dropout": 0.0} if case.arch == "MobileNet" else {}
    return getattr(keras.applications, case.arch)(
        input_shape=shape, alpha=0.5, weights=None, classes=7, classifier_activation=None, **options
    )


def _even_out(model: Any, layers: list[Any], batch: Any) -> None:
    """Scale and shift each layer so that its channels have mean 0 and deviation 1 before the activation, as batch norms
    would (Krahenbuhl et al. 2016, arXiv 1511.06856): a deep network without them hardly begins to learn otherwise."""
    import keras

    for layer in layers:
        kept, layer.activation = layer.activation, keras.activations.linear
        found = np.asarray(keras.Model(model.input, layer.output)(batch, training=False))
        layer.activation = kept
        found = found.reshape(-1, found.shape[-1])
        kernel, bias = layer.get_weights()
        deviation = found.std(axis=0) + 1e-6
        layer.set_weights([kernel / deviation, (bias - found.mean(axis=0)) / deviation])


def _spec(case: Case) -> Any:
    from edge_fer_convert.inputs import input_spec

    return input_spec(case.side_px, case.side_px, case.channels, case.scale or "129,64", None)


def _changed(image: Any, generator: np.random.Generator) -> Any:
    """A picture shifted, its edges repeated, and perhaps mirrored."""
    down, right = generator.integers(0, 2 * _SHIFT_PX + 1, 2)
    height, width = image.shape[:2]
    moved = np.pad(image, _SHIFT_PX, "edge")[down : down + height, right : right + width]
    return moved[:, ::-1] if generator.random() < 0.5 else moved


def faces(data: Path, split: str, count: int) -> Any:
    """A class-balanced draw of labelled faces."""
    from edge_fer_convert.calibration import balanced_sample

    from edge_fer.evaluation.datasets import load_dataset

    whole = load_dataset(data, split)
    return whole.take(balanced_sample(whole.labels, count, 0))
