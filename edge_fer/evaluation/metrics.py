"""Figures of how good a classifier is; NumPy alone.

Probabilities are float [N, classes], rows summing to 1; labels are int [N].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Floats: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Precision, recall and F1 of one class, each 0.0 to 1.0, and how many pictures it has."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """A reliability curve: what the model claimed, and how often it was right, bin by bin."""

    confidence: Floats
    """Mean top probability in each bin, float [bins]; NaN where the bin is empty."""
    accuracy: Floats
    """Share of right answers in each bin, float [bins]; NaN where the bin is empty."""
    count: Labels
    """Number of pictures in each bin, int [bins]."""
    expected_error: float
    """Expected calibration error, 0.0 to 1.0 (Guo et al., arXiv 1706.04599)."""


def accuracy(probabilities: Floats, labels: Labels) -> float:
    """Share of pictures whose most probable class is their label, 0.0 to 1.0; N must be at least 1."""
    return float(np.mean(probabilities.argmax(axis=1) == labels))


def votes_agreement(probabilities: Floats, votes: Labels) -> tuple[float, int]:
    """Share of pictures whose most probable class is what most annotators voted for, and their number.

    Args:
        probabilities: float [N, classes].
        votes: int [N, classes + others]: how many voted for each class, in the order of the classes, and for other
            answers. A picture counts where one answer alone has the most votes, and where that is a class.

    Returns:
        The share, 0.0 to 1.0, NaN where no picture counts; and how many pictures count.
    """
    most = votes.max(axis=1)
    counts = (most > 0) & ((votes == most[:, None]).sum(axis=1) == 1)
    winner = votes.argmax(axis=1)
    counts &= winner < probabilities.shape[1]
    if not counts.any():
        return float("nan"), 0
    return float(np.mean(probabilities.argmax(axis=1)[counts] == winner[counts])), int(counts.sum())


def confusion_matrix(probabilities: Floats, labels: Labels) -> Labels:
    """Count of pictures by true class (rows) and predicted class (columns), int [classes, classes]."""
    classes = probabilities.shape[1]
    pairs = labels * classes + probabilities.argmax(axis=1)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def class_figures(confusion: Labels, label_names: Sequence[str]) -> list[ClassFigures]:
    """Precision, recall and F1 of each class from a confusion matrix; 0 where a class was never seen."""
    hits = np.diag(confusion).astype(np.float64)
    predicted, actual = confusion.sum(axis=0), confusion.sum(axis=1)
    precision = np.divide(hits, predicted, out=np.zeros_like(hits), where=predicted > 0)
    recall = np.divide(hits, actual, out=np.zeros_like(hits), where=actual > 0)
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=np.zeros_like(hits), where=total > 0)
    return [
        ClassFigures(name, float(precision[i]), float(recall[i]), float(f1[i]), int(actual[i]))
        for i, name in enumerate(label_names)
    ]


def macro_f1(confusion: Labels) -> float:
    """Mean F1 over the classes that occur in the labels, each class counting the same, 0.0 to 1.0."""
    figures = class_figures(confusion, [""] * len(confusion))
    present = [one.f1 for one in figures if one.support]
    return float(np.mean(present)) if present else 0.0


def calibration(probabilities: Floats, labels: Labels, bins: int = 15) -> Calibration:
    """Reliability curve and expected calibration error over equal-width bins of the top probability."""
    top = probabilities.max(axis=1)
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    place = np.clip((top * bins).astype(np.int64), 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(place, top, bins) / count
        share_right = np.bincount(place, right, bins) / count
    gaps = np.where(count > 0, np.abs(np.nan_to_num(confidence) - np.nan_to_num(share_right)), 0.0)
    return Calibration(confidence, share_right, count, float((gaps * count).sum() / max(1, int(count.sum()))))


def log_loss(probabilities: Floats, labels: Labels) -> float:
    """Mean negative log-likelihood of the labels in nats."""
    picked = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(picked, 1e-12)).mean())


def sharpen(probabilities: Floats, temperature: float) -> Floats:
    """Probabilities as they would be had the logits been divided by `temperature` (> 0)."""
    logits = np.log(np.maximum(probabilities, 1e-12)) / temperature
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float64)


def fit_temperature(probabilities: Floats, labels: Labels, weights: Floats | None = None) -> float:
    """The temperature, 0.05 to 20, that minimises the log loss (Guo et al., arXiv 1706.04599).

    Args:
        probabilities: float [N, classes], rows summing to 1.
        labels: int [N].
        weights: of the pictures, float [N], not all 0; None counts each the same.
    """
    low, high = np.log(0.05), np.log(20.0)
    ratio = (np.sqrt(5.0) - 1) / 2

    def loss(log_temperature: float) -> float:
        picked = sharpen(probabilities, float(np.exp(log_temperature)))[np.arange(len(labels)), labels]
        return float(-np.average(np.log(np.maximum(picked, 1e-12)), weights=weights))

    # Golden-section search: the log loss has one minimum in the temperature.
    while high - low > 1e-4:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def crossed_calibration_error(probabilities: Floats, labels: Labels, bins: int = 15, seed: int = 0) -> float:
    """Calibration error with the temperature fitted on one half and measured on the other, both ways, averaged."""
    order = np.random.default_rng(seed).permutation(len(labels))
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    errors = []
    for fitted, measured in (halves, halves[::-1]):
        temperature = fit_temperature(probabilities[fitted], labels[fitted])
        errors.append(calibration(sharpen(probabilities[measured], temperature), labels[measured], bins).expected_error)
    return float(np.mean(errors))


def roc_curve(scores: Floats, positives: NDArray[np.bool_]) -> tuple[Floats, Floats, float]:
    """False and true positive rates of one class against the rest, and the area under the curve they draw.

    Args:
        scores: probability of the class, float [N].
        positives: whether the picture is of the class, bool [N].

    Returns:
        False positive rates and true positive rates, float [steps + 1] each, both from 0, one step for each
        different score; and the area, 0.0 to 1.0, NaN where all pictures are of the class or none is.
    """
    order = np.argsort(-scores, kind="stable")
    hits, sorted_scores = positives[order], scores[order]
    # Equal scores are one step of the curve, or their order would decide the area.
    last_of_equals = np.append(sorted_scores[1:] != sorted_scores[:-1], True)
    true_rate = np.append(0.0, np.cumsum(hits)[last_of_equals] / max(1, hits.sum()))
    false_rate = np.append(0.0, np.cumsum(~hits)[last_of_equals] / max(1, (~hits).sum()))
    if positives.all() or not positives.any():
        return false_rate, true_rate, float("nan")
    area = float((np.diff(false_rate) * (true_rate[1:] + true_rate[:-1]) / 2).sum())
    return false_rate, true_rate, area


def bootstrap_interval(
    figure: Callable[[Labels], float], count: int, *, level: float = 0.95, rounds: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of a figure (Efron 1979).

    Args:
        figure: computes the figure from positions drawn with replacement, int [count].
        count: number of pictures or measurements.
        level: share of the rounds that the interval holds, 0 to 1.
        rounds: how often positions are drawn.
        seed: of the draws; the same seed gives the same interval.
    """
    generator = np.random.default_rng(seed)
    values = [figure(generator.integers(0, count, count)) for _ in range(rounds)]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
