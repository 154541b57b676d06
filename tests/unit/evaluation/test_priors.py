"""Class frequencies divided out of scores."""

from __future__ import annotations

import numpy as np
import pytest

from edge_fer.errors import ConfigError
from edge_fer.evaluation.metrics import votes_agreement
from edge_fer.evaluation.priors import class_shares, corrected, parse_shares, prior_offsets


def test_shares_are_counted() -> None:
    assert class_shares(np.array([0, 0, 2, 0]), 3) == (0.75, 0.0, 0.25)


def test_scores_are_divided_by_the_prior_to_a_power() -> None:
    probabilities, shares = np.array([[0.6, 0.3, 0.1]]), (0.5, 0.4, 0.1)
    expected = probabilities / np.array(shares) ** 0.7
    found = corrected(probabilities, shares, 0.7)
    np.testing.assert_allclose(found, expected / expected.sum(), atol=1e-9)
    np.testing.assert_allclose(corrected(probabilities, shares, 0.0), probabilities, atol=1e-9)
    # Logits that were divided by 2 feel half of the offset.
    halved = probabilities / np.array(shares) ** 0.35
    np.testing.assert_allclose(corrected(probabilities, shares, 0.7, 2.0), halved / halved.sum(), atol=1e-9)


def test_a_class_that_never_occurs_is_left_alone() -> None:
    offsets = prior_offsets((0.5, 0.0, 0.5), 1.0)
    assert np.isfinite(offsets).all()
    np.testing.assert_allclose(offsets, 0, atol=1e-12)


@pytest.mark.parametrize("text", ["1,2", "a,b,c", "1,0,2", "1,-1,2", "1,inf,2", ""])
def test_a_prior_that_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="a prior of") as caught:
        parse_shares(text, ("x", "y", "z"))
    assert "\n" not in str(caught.value)


def test_counts_become_shares() -> None:
    assert parse_shares("1,1,2", ("x", "y", "z")) == (0.25, 0.25, 0.5)


def test_agreement_counts_pictures_with_a_clear_majority_for_a_class() -> None:
    votes = np.array([[6, 4, 0], [5, 5, 0], [1, 2, 7], [0, 0, 0], [2, 7, 1]])
    said = np.array([[0.9, 0.1]] * 5)
    share, pictures = votes_agreement(said, votes)
    assert (share, pictures) == (0.5, 2)
    assert np.isnan(votes_agreement(said[:1], votes[3:4])[0])
