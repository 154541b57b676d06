"""The last layer: two heads as one, the prior divided out, and the strengths that are fitted."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("keras", reason="training needs Keras")

from edge_fer_train.batches import vote_columns
from edge_fer_train.mixing import (
    LinearHead,
    Mixture,
    Shares,
    SweepPoint,
    best_point,
    mixed_head,
    sweep,
    training_shares,
    tried,
)
from edge_fer_train.settings import TrainingSettings

from edge_fer.errors import ConfigError
from edge_fer.types import FER_LABELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.evaluation.labelled import LabelledFaces

    Make = Callable[..., LabelledFaces]

NAMES = ("happy", "sad")
SHARES = Shares((0.75, 0.25), (0.9, 0.1))


def heads() -> tuple[LinearHead, LinearHead]:
    """A head of two labels and one of FER+'s eight emotions, on five features."""
    generator = np.random.default_rng(0)
    made = [generator.standard_normal((6, count)).astype(np.float32) for count in (2, 8)]
    labels, votes = (LinearHead(one[:5], one[5]) for one in made)
    return labels, votes


def test_the_columns_of_the_votes_are_those_of_the_labels() -> None:
    assert vote_columns(FER_LABELS) == [4, 5, 6, 1, 3, 2, 0]
    with pytest.raises(ConfigError, match="FER\\+ has none for 'calm'"):
        vote_columns(("happy", "calm"))


def test_the_folded_head_is_the_mixture_of_both_outside_of_it() -> None:
    labels, votes = heads()
    features = np.random.default_rng(1).standard_normal((20, 5))
    head = mixed_head(labels, votes, NAMES, SHARES, Mixture(0.4, 0.5))
    given = features @ labels.kernel + labels.bias
    voted = (features @ votes.kernel + votes.bias)[:, [1, 3]]  # happiness and sadness
    expected = 0.6 * given + 0.4 * (voted - np.log([0.9, 0.1]) + np.log([0.75, 0.25])) - 0.5 * np.log([0.75, 0.25])
    difference = features @ head.kernel + head.bias - expected
    # Logits may differ by a constant, which no score shows.
    np.testing.assert_allclose(difference - difference[:, :1], 0, atol=1e-6)


def test_without_a_mixture_the_head_stays_as_it_is() -> None:
    labels, votes = heads()
    head = mixed_head(labels, votes, NAMES, SHARES, Mixture())
    np.testing.assert_array_equal(head.kernel, labels.kernel)
    np.testing.assert_array_equal(head.bias, labels.bias)


def test_votes_cannot_be_mixed_in_where_there_are_none() -> None:
    labels, _ = heads()
    with pytest.raises(ConfigError, match="votes_mix needs a head that learns FER\\+ votes"):
        mixed_head(labels, None, NAMES, SHARES, Mixture(0.5, 0.0))


def test_shares_are_those_of_the_labels_and_of_the_votes(faces: Make) -> None:
    data = faces(14)
    assert data.votes is not None
    data.votes[:] = 0
    data.votes[0] = [6, 2, 0, 0, 0, 0, 0, 0, 0, 0]
    data.votes[1] = [0, 0, 2, 0, 0, 0, 0, 2, 4, 0]  # half of its votes name an emotion, half of those contempt
    data.votes[2] = [3, 0, 0, 0, 0, 0, 0, 0, 0, 7]  # most found no face
    shares = training_shares(data)
    assert shares.labels == pytest.approx([1 / 7] * 7, abs=1e-6)
    # neutral 0.75, happy 0.25, surprise 0.5 * 0.5, of 1.25 in all
    assert shares.votes == pytest.approx([0, 0, 0, 0.2, 0, 0.2, 0.6])
    assert training_shares(dataclasses.replace(data, votes=None)).votes is None
    assert training_shares(dataclasses.replace(data, label_names=tuple("abcdefg"))).votes is None


def test_a_sweep_measures_every_mixture_on_every_set() -> None:
    labels = LinearHead(np.eye(2, dtype=np.float32), np.zeros(2, np.float32))
    features = np.array([[1.0, 0.0], [0.4, 0.0], [0.0, 1.0]])
    sets = [(features, np.array([0, 1, 1])), (features[:1], np.array([0]))]
    points = sweep(labels, None, NAMES, SHARES, sets, (0.0,), (0.0, 0.5))
    # Half of the prior is log(3) / 2 = 0.55 in favour of the rare class: it turns the second picture, and no other.
    assert [one.accuracies for one in points] == [pytest.approx((2 / 3, 1.0)), (1.0, 1.0)]
    assert best_point(points).mixture == Mixture(0.0, 0.5)


def test_of_equal_mixtures_the_one_that_changes_least_is_taken() -> None:
    points = [SweepPoint(Mixture(w, tau), (0.5, 0.7)) for w in (1.0, 0.2) for tau in (0.6, 0.1)]
    assert best_point(points).mixture == Mixture(0.2, 0.1)


def test_auto_tries_everything_and_a_number_itself() -> None:
    settings = TrainingSettings(votes_mix="auto", prior_correction=0.35)
    assert tried(settings, "votes_mix") == pytest.approx(np.arange(11) / 10)
    assert tried(settings, "prior_correction") == (0.35,)
