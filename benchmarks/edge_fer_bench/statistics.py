"""Medians and ratios with intervals, from samples that were taken in rounds.

Samples of one round share the state of the machine (its clock, its caches, whoever else was at work), so that they
are not independent: intervals are drawn over the rounds, not over the samples (cluster bootstrap, Davison and
Hinkley 1997, chapter 3.8). One seed gives the same intervals again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_fer.evaluation.metrics import bootstrap_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge_fer.evaluation.metrics import Floats, Labels

SEED = 0
LEVEL = 0.95
BOOTSTRAPS = 1000
QUANTILES = 100
"""Steps in which a distribution is kept: 101 quantiles from the lowest to the highest sample."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and where it lies with 95 % confidence."""

    value: float
    low: float
    high: float


def median_estimate(rounds: Sequence[Floats]) -> Estimate:
    """Median over all samples, with its interval.

    Args:
        rounds: the samples of each round, at least one round of at least one sample; with a single round its
            samples are drawn instead of rounds.
    """
    pooled = np.concatenate(rounds)
    if len(rounds) == 1:
        low, high = _interval(lambda drawn: float(np.median(pooled[drawn])), len(pooled))
    else:

        def figure(drawn: Labels) -> float:
            return float(np.median(np.concatenate([rounds[one] for one in drawn])))

        low, high = _interval(figure, len(rounds))
    return Estimate(float(np.median(pooled)), low, high)


def rounds_estimate(rounds: Sequence[float]) -> Estimate:
    """Median of one figure a round, such as frames a second, with its interval; a single round has only itself."""
    values = np.asarray(rounds, np.float64)
    low, high = _interval(lambda drawn: float(np.median(values[drawn])), len(values))
    return Estimate(float(np.median(values)), low, high)


def ratio_estimate(over: Sequence[float], under: Sequence[float]) -> Estimate:
    """Ratio of the medians of two sets of rounds that were taken apart, with its interval.

    Args:
        over: one positive figure a round; under: the same of the other set, of any length.
    """
    numerator, denominator = np.asarray(over, np.float64), np.asarray(under, np.float64)
    generator = np.random.default_rng(SEED)
    drawn = np.median(generator.choice(numerator, (BOOTSTRAPS, len(numerator))), axis=1) / np.median(
        generator.choice(denominator, (BOOTSTRAPS, len(denominator))), axis=1
    )
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(np.median(numerator) / np.median(denominator)), float(low), float(high))


def loss_estimate(right: NDArray[np.bool_], reference_right: NDArray[np.bool_]) -> Estimate:
    """By how much the reference is the more accurate on the same pictures: share of right answers, paired bootstrap.

    Args:
        right: where the model was right, bool [N].
        reference_right: the same of the reference, in the same order.
    """
    lost = np.asarray(reference_right, np.float64) - np.asarray(right, np.float64)
    low, high = _interval(lambda drawn: float(lost[drawn].mean()), len(lost))
    return Estimate(float(lost.mean()), low, high)


def quantiles(samples: Floats) -> tuple[float, ...]:
    """The 101 quantiles of a distribution from 0 to 100 %, rounded to 5 significant digits."""
    found = np.quantile(samples, np.linspace(0.0, 1.0, QUANTILES + 1))
    return tuple(float(f"{value:.5g}") for value in found)


def _interval(figure: Callable[[Labels], float], count: int) -> tuple[float, float]:
    return bootstrap_interval(figure, count, level=LEVEL, rounds=BOOTSTRAPS, seed=SEED)
