"""How often each class occurred in training, divided out of a model's scores (Menon et al., arXiv 2007.07314).

A classifier that was trained on uneven classes answers with their frequencies in mind. With shares p and a strength
tau, the logit of each class is lowered by tau * log p: 0 leaves the scores alone, 1 divides the frequencies out wholly.
Being a constant for each class, this fits into the bias of a last linear layer.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from edge_fer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_fer.evaluation.metrics import Floats, Labels


def class_shares(labels: Labels, classes: int) -> tuple[float, ...]:
    """Share of each class among labels int [N], N at least 1: each 0.0 to 1.0, rounded to 9 digits."""
    counts = np.bincount(labels, minlength=classes)
    return tuple(round(float(count) / len(labels), 9) for count in counts)


def prior_offsets(shares: Sequence[float], correction: float) -> Floats:
    """What to add to the logits: float64 [classes], mean 0 over the classes that occur.

    Args:
        shares: of each class in training, 0.0 to 1.0; a class of share 0 has no frequency to divide out and gets 0.
        correction: 0.0 for none to 1.0 for all.
    """
    found = np.asarray(shares, np.float64)
    occurs = found > 0
    offsets = np.zeros(len(found))
    offsets[occurs] = -correction * np.log(found[occurs])
    if occurs.any():
        offsets[occurs] -= offsets[occurs].mean()
    return offsets


def corrected(probabilities: Floats, shares: Sequence[float], correction: float, temperature: float = 1.0) -> Floats:
    """Scores as they would be with the offsets in the model.

    Args:
        probabilities: float [N, classes], rows summing to 1.
        shares: of each class in training.
        correction: 0.0 to 1.0.
        temperature: that the logits were divided by to give these scores, > 0.
    """
    logits = np.log(np.maximum(probabilities, 1e-12)) + prior_offsets(shares, correction) / temperature
    exponentials: NDArray[np.float64] = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float64)


def parse_shares(text: str, labels: Sequence[str]) -> tuple[float, ...]:
    """Shares of the classes from numbers divided by commas, counts or shares, in the order of the labels.

    Raises:
        ConfigError: there are not as many numbers as labels, or they are not counts.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != len(labels):
        raise ConfigError(
            f"a prior of {text!r}: give {len(labels)} numbers divided by commas, one for each of {', '.join(labels)}"
        )
    if not all(math.isfinite(one) and one > 0 for one in numbers):
        raise ConfigError(f"a prior of {text!r}: each number must be above 0")
    return tuple(one / sum(numbers) for one in numbers)
