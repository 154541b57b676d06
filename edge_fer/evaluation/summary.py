"""All figures of one model on one set of labelled faces, in one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_fer.evaluation.metrics import (
    ClassFigures,
    accuracy,
    bootstrap_interval,
    calibration,
    class_figures,
    confusion_matrix,
    log_loss,
    macro_f1,
    roc_curve,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.evaluation.metrics import Floats, Labels


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """What a model is worth on one set of faces."""

    pictures: int
    accuracy: float
    """Share of pictures whose most probable class is their label, 0.0 to 1.0."""
    accuracy_interval: tuple[float, float]
    """Where the accuracy lies with 95 % confidence, by bootstrap over the pictures."""
    macro_f1: float
    """Mean F1 over the classes that occur, 0.0 to 1.0."""
    log_loss: float
    """In nats."""
    calibration_error: float
    """Expected calibration error over 15 bins, 0.0 to 1.0."""
    classes: tuple[ClassFigures, ...]
    roc_areas: tuple[float, ...]
    """Area under the ROC curve of each class against the rest; NaN where a class does not occur."""
    confusion: tuple[tuple[int, ...], ...]
    """Count of pictures by true class (rows) and predicted class (columns)."""


def measure(probabilities: Floats, labels: Labels, label_names: Sequence[str]) -> ModelFigures:
    """Compute all figures.

    Args:
        probabilities: float [N, classes], rows summing to 1, N at least 1.
        labels: int [N].
        label_names: one for each class.
    """
    confusion = confusion_matrix(probabilities, labels)
    right = probabilities.argmax(axis=1) == labels
    return ModelFigures(
        pictures=len(labels),
        accuracy=accuracy(probabilities, labels),
        accuracy_interval=bootstrap_interval(lambda drawn: float(right[drawn].mean()), len(labels)),
        macro_f1=macro_f1(confusion),
        log_loss=log_loss(probabilities, labels),
        calibration_error=calibration(probabilities, labels).expected_error,
        classes=tuple(class_figures(confusion, label_names)),
        roc_areas=tuple(roc_curve(probabilities[:, one], labels == one)[2] for one in range(len(label_names))),
        confusion=tuple(tuple(int(count) for count in row) for row in np.asarray(confusion)),
    )
