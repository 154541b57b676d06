"""Ranges of activations, narrowed by histograms."""

from __future__ import annotations

import numpy as np
import pytest
from edge_fer_convert.tflite_ranges import BINS, entropy_limit, narrow_range


def histogram(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[np.ndarray, float, float]:  # type: ignore[type-arg]
    low, high = min(0.0, float(values.min())), float(values.max())
    return np.histogram(values, BINS, (low, high))[0], low, high


def test_percentile_leaves_the_rarest_values_out() -> None:
    values = np.append(np.random.default_rng(0).uniform(0.0, 1.0, 10**6), [50.0])
    low, high = narrow_range(*histogram(values), "percentile")
    assert low == 0.0
    assert high == pytest.approx(1.0, abs=0.05)


def test_percentile_looks_at_both_ends() -> None:
    values = np.append(np.random.default_rng(0).uniform(-1.0, 1.0, 10**6), [-40.0, 50.0])
    low, high = narrow_range(*histogram(values), "percentile")
    assert (low, high) == pytest.approx((-1.0, 1.0), abs=0.1)


@pytest.mark.parametrize("method", ["percentile", "entropy"])
def test_values_that_are_spread_evenly_keep_their_range(method: str) -> None:
    values = np.random.default_rng(0).uniform(0.0, 2.0, 10**6)
    _, high = narrow_range(*histogram(values), method)  # type: ignore[arg-type]
    assert high > 1.9


def test_entropy_cuts_a_long_thin_tail() -> None:
    generator = np.random.default_rng(0)
    values = np.concatenate([np.abs(generator.normal(size=10**6)), generator.uniform(0.0, 60.0, 50)])
    counts, low, high = histogram(values)
    _, narrowed = narrow_range(counts, low, high, "entropy")
    assert 3.0 < narrowed < 20.0


def test_zeros_of_a_relu_do_not_decide() -> None:
    generator = np.random.default_rng(0)
    values = np.maximum(0.0, generator.normal(size=10**6))
    counts, low, high = histogram(values)
    _, with_zeros = narrow_range(counts, low, high, "entropy")
    assert with_zeros > 2.5


def test_the_range_holds_zero_and_stays_within_what_was_seen() -> None:
    counts = np.zeros(BINS, np.int64)
    counts[BINS // 2 :] = 1
    for method in ("percentile", "entropy"):
        low, high = narrow_range(counts, -2.0, 2.0, method)  # type: ignore[arg-type]
        assert -2.0 <= low <= 0.0 <= high <= 2.0


def test_all_bins_are_kept_where_levels_say_everything() -> None:
    assert entropy_limit(np.ones(BINS)) == BINS
