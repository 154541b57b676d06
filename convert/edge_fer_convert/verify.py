"""Is what came out the same model? Measured through the classifiers that the runtime uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_fer.evaluation.predicting import true_labels
from edge_fer.inference.manifest import AccuracyEntry
from edge_fer_convert.network import pictures_at_once

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_fer.protocols import Classifier
    from edge_fer.types import Batch
    from edge_fer_convert.check_data import CheckSet


@dataclass(frozen=True, slots=True)
class Agreement:
    """How close a converted model is to the one that it was made from, on the same pictures."""

    pictures: int
    top_1: float
    """Share of pictures on which both name the same emotion, 0.0 to 1.0."""
    max_difference: float
    """Largest difference of one probability."""
    mean_difference: float
    """Mean absolute difference of the probabilities."""


def probabilities(classifier: Classifier, batch: Batch) -> NDArray[np.float64]:
    """Scores of all inputs as float64 [N, labels]."""
    at_a_time = pictures_at_once(*batch.shape[1:3])
    rows = [
        scores.values
        for at in range(0, len(batch), at_a_time)
        for scores in classifier.classify(batch[at:][:at_a_time])
    ]
    return np.asarray(rows, np.float64).reshape(len(batch), len(classifier.labels))


def agreement(expected: NDArray[np.float64], found: NDArray[np.float64]) -> Agreement:
    """Compare probabilities [N, labels] of the trained and the converted model."""
    differences = np.abs(expected - found)
    same_top = expected.argmax(axis=1) == found.argmax(axis=1)
    return Agreement(len(expected), float(same_top.mean()), float(differences.max()), float(differences.mean()))


def measured_accuracy(found: NDArray[np.float64], check: CheckSet, labels: tuple[str, ...]) -> AccuracyEntry:
    """Accuracy and macro F1 of probabilities [N, labels] on the check data; classes are matched by their names."""
    from edge_fer.evaluation.metrics import accuracy, confusion_matrix, macro_f1

    truth = true_labels(check.faces, labels, check.data_set, "the model")
    figures = accuracy(found, truth), macro_f1(confusion_matrix(found, truth))
    return AccuracyEntry(check.data_set, check.split, round(figures[0], 5), len(found), round(figures[1], 5))


def class_f1(found: NDArray[np.float64], check: CheckSet, labels: tuple[str, ...]) -> dict[str, float]:
    """F1 of each emotion that occurs in the check data, by its name, from probabilities [N, labels]."""
    from edge_fer.evaluation.metrics import class_figures, confusion_matrix

    truth = true_labels(check.faces, labels, check.data_set, "the model")
    figures = class_figures(confusion_matrix(found, truth), labels)
    return {name: round(float(one.f1), 5) for name, one in zip(labels, figures, strict=True) if one.support}
