"""The network as it is trained: with the heads that only training has, its losses, its optimiser and its stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np

from edge_fer_train.batches import EMOTION_VOTES
from edge_fer_train.mixing import LinearHead

if TYPE_CHECKING:
    from edge_fer_train.settings import TrainingSettings

HEAD_ONLY, LAST_LAYERS, ALL_LAYERS = range(3)
"""Stages of training, in their order."""


def with_heads(network: keras.Model, settings: TrainingSettings, has_teachers: bool) -> keras.Model:
    """The network with a head for the FER+ votes and one for the teachers' answers, where they are asked for.

    The output "emotion" is the network's own logits, so that the other heads can be taken off afterwards.
    """
    logits = network.output
    outputs = {"emotion": logits}
    if settings.soft_labels:
        last = network.layers[-1]
        features = last.input if isinstance(last, keras.layers.Dense) else network.get_layer("features").output
        if len(features.shape) == 4:
            features = keras.layers.GlobalAveragePooling2D(name="votes_features")(features)
        outputs["votes"] = keras.layers.Dense(EMOTION_VOTES, name="votes")(features)
    if has_teachers:
        outputs["teacher"] = keras.layers.Rescaling(1 / settings.distill_temperature, name="teacher")(logits)
    return keras.Model(network.input, outputs)


def linear_head(layer: keras.layers.Dense) -> LinearHead:
    """The kernel and bias of a last layer, as arrays."""
    kernel, bias = layer.get_weights()
    return LinearHead(np.asarray(kernel, np.float32), np.asarray(bias, np.float32))


def features_model(network: keras.Model) -> keras.Model:
    """The network without its last layer, which must be a Dense layer: gives what that layer takes."""
    return keras.Model(network.input, network.layers[-1].input)


def loss_weights(settings: TrainingSettings, has_teachers: bool) -> dict[str, float]:
    """How much the loss of each head counts, by the head's name."""
    weights = {"emotion": 1.0}
    if settings.soft_labels:
        weights["votes"] = settings.votes_weight
    if has_teachers:
        weights["teacher"] = settings.distill_weight
    return weights


def compile_heads(
    heads: keras.Model, settings: TrainingSettings, weights: dict[str, float], steps: int, done_steps: int
) -> None:
    """Give the model its losses and an optimiser whose cosine schedule stands at `done_steps`.

    Args:
        heads: what `with_heads` made; only what is trainable in it is given to the optimiser.
        settings: of the run.
        weights: of the heads' losses.
        steps: an epoch has.
        done_steps: that the run has behind it.
    """
    optimizer = _optimizer(heads, settings, steps)
    optimizer.iterations.assign(done_steps)
    heads.compile(
        optimizer=optimizer,
        loss={name: keras.losses.CategoricalCrossentropy(from_logits=True) for name in weights},
        loss_weights=weights,
        metrics={"emotion": [keras.metrics.CategoricalAccuracy(name="accuracy")]},
        # XLA's convolutions on a CPU took twice as long as TensorFlow's own when this was measured.
        jit_compile=keras.backend.backend() == "jax",
    )


def _optimizer(heads: keras.Model, settings: TrainingSettings, steps: int) -> keras.optimizers.Optimizer:
    warmup = max(1, round(settings.warmup_epochs * steps))
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=settings.learning_rate / warmup,
        decay_steps=max(1, settings.epochs * steps - warmup),
        warmup_target=settings.learning_rate,
        warmup_steps=warmup,
    )
    optimizer = keras.optimizers.SGD(
        rate, momentum=settings.momentum, nesterov=True, weight_decay=settings.weight_decay or None
    )
    if settings.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["beta", "gamma", "bias"])
    optimizer.build(heads.trainable_variables)
    return optimizer


def stage_of(settings: TrainingSettings, epoch: int) -> int:
    """Which layers an epoch trains: `HEAD_ONLY`, `LAST_LAYERS` or `ALL_LAYERS`; all where weights are random."""
    if settings.weights == "none":
        return ALL_LAYERS
    if epoch < settings.head_epochs:
        return HEAD_ONLY
    return LAST_LAYERS if epoch < settings.head_epochs + settings.last_layers_epochs else ALL_LAYERS


def set_stage(network: keras.Model, stage: int, last_layers_share: float) -> None:
    """Make the layers of a stage trainable and no others; the model must be compiled again afterwards.

    The head is what comes after the layer "features"; the last layers are the given share of those before it that
    have weights. Batch norm that is not trained keeps its statistics too.
    """
    names = [layer.name for layer in network.layers]
    before = [layer for layer in network.layers[: names.index("features") + 1] if layer.weights]
    trained = {HEAD_ONLY: 0, LAST_LAYERS: round(len(before) * last_layers_share), ALL_LAYERS: len(before)}[stage]
    for position, layer in enumerate(before):
        layer.trainable = position >= len(before) - trained
