"""What to do about classes of unequal size: FER-2013 has 16 happy faces for each disgusted one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def sample_weights(labels: NDArray[np.int64], classes: int, balance: str) -> NDArray[np.float32]:
    """A weight for each picture, float32 [N], mean 1: all 1 unless `balance` is "class-weights".

    With class weights every class weighs the same in sum, as in scikit-learn's "balanced".
    """
    if balance != "class-weights":
        return np.ones(len(labels), np.float32)
    counts = np.bincount(labels, minlength=classes)
    present = int((counts > 0).sum())
    return (len(labels) / (present * counts[labels])).astype(np.float32)


def epoch_order(
    labels: NDArray[np.int64], classes: int, balance: str, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Positions of the pictures in one epoch, in random order, int64 [N].

    With "oversample" an epoch has as many pictures as without, each class with the same number of them: large
    classes are drawn without repetition, small ones as often as needed.
    """
    if balance != "oversample":
        return generator.permutation(len(labels))
    members = [np.flatnonzero(labels == one) for one in range(classes)]
    members = [one for one in members if len(one)]
    share = -(-len(labels) // len(members))
    drawn = [_repeat(one, share, generator) for one in members]
    return generator.permutation(np.concatenate(drawn))[: len(labels)]


def _repeat(positions: NDArray[np.int64], count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    rounds = -(-count // len(positions))
    return np.concatenate([generator.permutation(positions) for _ in range(rounds)])[:count]
