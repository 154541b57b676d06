"""Medians, ratios and intervals against distributions whose figures are known."""

from __future__ import annotations

import numpy as np
import pytest
from edge_fer_bench.statistics import loss_estimate, median_estimate, quantiles, ratio_estimate, rounds_estimate


def rounds_of(generator: np.random.Generator, rounds: int = 8, calls: int = 25, drift: float = 0.1) -> list[np.ndarray]:
    """Exponential samples with median 1 whose rounds share a drift of their own, log-normal with median 1."""
    scale = np.exp(generator.normal(0.0, drift, rounds))
    return [generator.exponential(one / np.log(2.0), calls) for one in scale]


def test_the_median_of_a_known_distribution() -> None:
    found = median_estimate(rounds_of(np.random.default_rng(1), rounds=40, calls=200))
    assert found.value == pytest.approx(1.0, abs=0.06)
    assert found.low < found.value < found.high


def test_intervals_hold_the_true_median_about_as_often_as_they_say() -> None:
    generator = np.random.default_rng(2)
    held = [one.low <= 1.0 <= one.high for one in (median_estimate(rounds_of(generator)) for _ in range(100))]
    # Eight rounds are few for a bootstrap: it holds the truth a little less often than in 95 of 100 cases.
    assert 83 <= sum(held) <= 100


def test_drift_between_rounds_widens_the_interval() -> None:
    generator = np.random.default_rng(3)
    calm, drifting = (median_estimate(rounds_of(generator, calls=1000, drift=one)) for one in (0.0, 0.5))
    assert drifting.high / drifting.low - 1 > 3 * (calm.high / calm.low - 1)


def test_a_single_round_draws_its_samples() -> None:
    found = median_estimate([np.linspace(0.0, 2.0, 201)])
    assert found.value == pytest.approx(1.0)
    assert 0.7 < found.low < 1.0 < found.high < 1.3


def test_equal_samples_have_no_width() -> None:
    found = median_estimate([np.full(5, 3.0)] * 4)
    assert (found.low, found.value, found.high) == (3.0, 3.0, 3.0)
    assert rounds_estimate([2.0]).low == 2.0


def test_one_slow_round_does_not_move_the_figure() -> None:
    found = rounds_estimate([100.0, 101.0, 99.0, 100.0, 10.0])
    assert found.value == 100.0
    assert found.low < 100.0


def test_a_ratio_of_known_medians() -> None:
    generator = np.random.default_rng(4)
    over, under = (scale * generator.lognormal(0.0, 0.05, 15) for scale in (3.0, 2.0))
    found = ratio_estimate(over, under)
    assert found.value == pytest.approx(1.5, rel=0.05)
    assert found.low < 1.5 < found.high


def test_the_same_samples_give_the_same_interval_again() -> None:
    samples = rounds_of(np.random.default_rng(5))
    assert median_estimate(samples) == median_estimate(samples)
    assert ratio_estimate([1.0, 2.0, 3.0], [2.0, 2.5]) == ratio_estimate([1.0, 2.0, 3.0], [2.0, 2.5])


def test_the_loss_counts_pictures_that_only_one_reads_right() -> None:
    reference, mine = np.ones(200, np.bool_), np.ones(200, np.bool_)
    mine[:10] = False
    reference[10:14] = False
    found = loss_estimate(mine, reference)
    assert found.value == pytest.approx(0.03)
    # Six of two hundred net, fourteen that differ: a standard error of about 0.0187.
    assert found.low == pytest.approx(0.03 - 1.96 * 0.0187, abs=0.012)
    assert found.high == pytest.approx(0.03 + 1.96 * 0.0187, abs=0.012)


def test_quantiles_of_a_uniform_distribution() -> None:
    found = quantiles(np.linspace(0.0, 1.0, 10_001))
    assert len(found) == 101
    assert np.allclose(found, np.linspace(0.0, 1.0, 101), atol=1e-4)
