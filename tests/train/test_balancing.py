"""What the balance options do to the statistics of an epoch."""

from __future__ import annotations

import numpy as np
import pytest
from edge_fer_train.balancing import epoch_order, sample_weights

LABELS = np.repeat([0, 1, 2], [80, 15, 5])


def test_without_balance_every_picture_comes_once_and_weighs_the_same() -> None:
    order = epoch_order(LABELS, 3, "none", np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(100))
    assert order.tolist() != list(range(100))
    assert sample_weights(LABELS, 3, "none").tolist() == [1.0] * 100


def test_class_weights_make_classes_weigh_the_same_and_pictures_one_on_average() -> None:
    weights = sample_weights(LABELS, 4, "class-weights")  # class 3 has no picture
    sums = [weights[one == LABELS].sum() for one in range(3)]
    assert sums == pytest.approx([100 / 3] * 3)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[0] == pytest.approx(100 / (3 * 80))
    order = epoch_order(LABELS, 4, "class-weights", np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(100))


def test_oversampling_evens_the_classes_and_keeps_the_epochs_length() -> None:
    order = epoch_order(LABELS, 4, "oversample", np.random.default_rng(0))
    assert len(order) == 100
    assert np.bincount(LABELS[order]).tolist() == pytest.approx([33.3] * 3, abs=2)
    large = order[LABELS[order] == 0]
    assert len(set(large.tolist())) == len(large)  # none twice while there are others
    small, times = np.unique(order[LABELS[order] == 2], return_counts=True)
    assert len(small) == 5
    assert times.max() - times.min() <= 2
    assert sample_weights(LABELS, 4, "oversample").tolist() == [1.0] * 100


def test_over_many_epochs_every_picture_of_a_large_class_is_seen() -> None:
    seen: set[int] = set()
    for epoch in range(20):
        seen |= set(epoch_order(LABELS, 3, "oversample", np.random.default_rng((0, epoch))).tolist())
    assert seen == set(range(100))


@pytest.mark.parametrize("balance", ["none", "oversample"])
def test_the_order_is_the_generators(balance: str) -> None:
    orders = [epoch_order(LABELS, 3, balance, np.random.default_rng(seed)).tolist() for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
