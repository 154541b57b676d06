"""The finished model's last layer: the votes' head mixed in, the prior divided out, by given or fitted strengths."""

from __future__ import annotations

import csv
import dataclasses
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_fer.errors import ConfigError
from edge_fer.faces.crop import whole_to_batch
from edge_fer_train.heads import features_model, linear_head
from edge_fer_train.mixing import (
    AUTO,
    Mixture,
    Shares,
    SweepPoint,
    best_point,
    mixed_head,
    probabilities_of_head,
    sweep,
    training_shares,
    tried,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_fer.evaluation.labelled import LabelledFaces
    from edge_fer_train.data import NamedFaces
    from edge_fer_train.fit import TrainingResult
    from edge_fer_train.settings import TrainingSettings


@dataclass(frozen=True, slots=True)
class LastLayer:
    """What the last layer was made of."""

    mixture: Mixture
    shares: Shares
    """Of the classes among the training pictures."""
    set_names: tuple[str, ...] = ()
    points: tuple[SweepPoint, ...] = ()
    """What other mixtures are right on, each on the sets of those names; empty where nothing was fitted."""


def with_last_layer(
    result: TrainingResult,
    settings: TrainingSettings,
    training: LabelledFaces,
    validation: LabelledFaces,
    others: Sequence[NamedFaces] = (),
) -> tuple[TrainingResult, LastLayer]:
    """Fold what the settings ask for into the model's last layer.

    A strength of "auto" is chosen for the best mean accuracy over the validation faces without copies and the further
    sets, each set counting the same.

    Raises:
        ConfigError: votes are to be mixed in where there are none, or the network does not end in a Dense layer.
    """
    shares = training_shares(training)
    mixes, corrections = tried(settings, "votes_mix"), tried(settings, "prior_correction")
    if mixes == (0.0,) and corrections == (0.0,):
        return result, LastLayer(Mixture(), shares)
    if settings.votes_mix == AUTO and (result.votes_head is None or shares.votes is None):
        raise ConfigError("votes_mix auto needs a head that learns FER+ votes: give data with votes and --soft-labels")
    labels = linear_head(result.model.layers[-1])
    features = features_model(result.model)

    def features_of(faces: LabelledFaces) -> NDArray[np.float64]:
        inputs = whole_to_batch(list(faces.images), settings.input_spec())
        return np.asarray(features.predict(inputs, batch_size=256, verbose=0), np.float64)

    clean = result.without_copies
    on_validation, on_others = features_of(validation), [features_of(one.faces) for one in others]
    sets = [(on_validation[clean], validation.labels[clean])]
    sets += [(found, one.faces.labels) for found, one in zip(on_others, others, strict=True)]
    fitted = len(mixes) * len(corrections) > 1
    names = training.label_names
    points = sweep(labels, result.votes_head, names, shares, sets, mixes, corrections)
    mixture = best_point(points).mixture
    head = mixed_head(labels, result.votes_head, names, shares, mixture)
    result.model.layers[-1].set_weights([head.kernel, head.bias])
    progress = dataclasses.replace(result.progress, best_accuracy=best_point(points).mean)
    changed = dataclasses.replace(
        result,
        progress=progress,
        probabilities=probabilities_of_head(on_validation, head),
        others=tuple(probabilities_of_head(found, head) for found in on_others),
    )
    set_names = ("validation without copies", *(one.name for one in others))
    return changed, LastLayer(mixture, shares, set_names, tuple(points) if fitted else ())


def sweep_csv(layer: LastLayer) -> str:
    """Every mixture that was tried with its accuracies as csv; a header alone where nothing was fitted."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["votes_mix", "prior_correction", *layer.set_names, "mean"])
    for one in layer.points:
        row = [one.mixture.votes_mix, one.mixture.prior_correction]
        writer.writerow([*row, *(f"{value:.4f}" for value in (*one.accuracies, one.mean))])
    return buffer.getvalue()
