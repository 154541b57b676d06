"""Two heads on the same features as one: labels' and votes' head mixed, and the classes' prior divided out.

Both heads are linear, so their mixture is linear too and costs a face nothing. With logits z of the labels' head and
v of the votes' head, shares p of the classes among the labels and q among the votes, the model's logits are

    (1 - W) z + W (v - log q + log p) - tau log p

The votes' own frequencies give way to the labels' before the two are mixed; then those are divided out with the
strength tau (Menon et al., arXiv 2007.07314).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer.errors import ConfigError
from edge_fer.evaluation.labelled import VOTE_NAMES, canonical_label
from edge_fer.evaluation.metrics import accuracy
from edge_fer.evaluation.priors import class_shares, prior_offsets
from edge_fer_train.batches import EMOTION_VOTES, vote_columns, vote_shares
from edge_fer_train.teachers import softmax

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_fer.evaluation.labelled import LabelledFaces
    from edge_fer.evaluation.metrics import Floats, Labels
    from edge_fer_train.settings import TrainingSettings

AUTO = "auto"
STEPS = tuple(round(0.1 * number, 1) for number in range(11))
"""The mixtures and corrections that a sweep tries, each with each."""


@dataclass(frozen=True, slots=True)
class LinearHead:
    """A last layer: logits = features @ kernel + bias."""

    kernel: NDArray[np.float32]
    """float32 [features, classes]."""
    bias: NDArray[np.float32]
    """float32 [classes]."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """How much of what is in the model's logits."""

    votes_mix: float = 0.0
    """Weight W of the votes' head, 0.0 to 1.0."""
    prior_correction: float = 0.0
    """Strength tau with which the labels' shares are divided out, 0.0 to 1.0."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How often each class occurs in the training pictures."""

    labels: tuple[float, ...]
    votes: tuple[float, ...] | None
    """Among the votes for these classes; None without votes."""


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """What one mixture is right on."""

    mixture: Mixture
    accuracies: tuple[float, ...]
    """On each validation set, 0.0 to 1.0."""

    @property
    def mean(self) -> float:
        """Over the sets, each counting the same."""
        return float(np.mean(self.accuracies))


def training_shares(faces: LabelledFaces) -> Shares:
    """The shares of the classes among the labels and, where all have them, among the votes."""
    labels = class_shares(faces.labels, len(faces.label_names))
    voted = {canonical_label(name) for name in VOTE_NAMES[:EMOTION_VOTES]}
    if faces.votes is None or not voted.issuperset(faces.label_names):
        return Shares(labels, None)
    shares, weights = vote_shares(faces)
    totals = (shares * weights[:, None]).sum(axis=0)[vote_columns(faces.label_names)]
    return Shares(labels, tuple((totals / totals.sum()).tolist()) if totals.sum() else None)


def mixed_head(
    labels: LinearHead, votes: LinearHead | None, label_names: Sequence[str], shares: Shares, mixture: Mixture
) -> LinearHead:
    """The two heads folded into one.

    Args:
        labels: with an output for each class.
        votes: with an output for each FER+ emotion; None where there is none and `votes_mix` is 0.
        label_names: of the classes.
        shares: of the classes.
        mixture: to fold.

    Raises:
        ConfigError: votes are to be mixed in but there are none.
    """
    kernel, bias = labels.kernel.astype(np.float64), labels.bias.astype(np.float64)
    weight = mixture.votes_mix
    if weight:
        if votes is None or shares.votes is None:
            raise ConfigError("votes_mix needs a head that learns FER+ votes: give data with votes and --soft-labels")
        columns = vote_columns(label_names)
        moved = votes.bias[columns] + prior_offsets(shares.votes, 1.0) - prior_offsets(shares.labels, 1.0)
        kernel = (1 - weight) * kernel + weight * votes.kernel[:, columns]
        bias = (1 - weight) * bias + weight * moved
    bias = bias + prior_offsets(shares.labels, mixture.prior_correction)
    return LinearHead(kernel.astype(np.float32), bias.astype(np.float32))


def sweep(
    labels: LinearHead,
    votes: LinearHead | None,
    label_names: Sequence[str],
    shares: Shares,
    sets: Sequence[tuple[Floats, Labels]],
    mixes: Sequence[float],
    corrections: Sequence[float],
) -> list[SweepPoint]:
    """The accuracy of every mixture on each validation set: (features float [N, features], labels int [N])."""
    points = []
    for mix in mixes:
        for correction in corrections:
            head = mixed_head(labels, votes, label_names, shares, Mixture(mix, correction))
            found = tuple(accuracy(features @ head.kernel + head.bias, truth) for features, truth in sets)
            points.append(SweepPoint(Mixture(mix, correction), found))
    return points


def best_point(points: Sequence[SweepPoint]) -> SweepPoint:
    """The one with the highest mean over the sets; of equals the one that changes the logits least."""
    return max(points, key=lambda one: (round(one.mean, 9), -one.mixture.votes_mix, -one.mixture.prior_correction))


def tried(settings: TrainingSettings, key: str) -> tuple[float, ...]:
    """The values of `votes_mix` or `prior_correction` to choose from: all for "auto", else the one that is given."""
    value: Any = getattr(settings, key)
    return STEPS if value == AUTO else (float(value),)


def probabilities_of_head(features: Floats, head: LinearHead) -> Floats:
    """Scores float [N, classes] of features float [N, features]."""
    return softmax(features @ head.kernel + head.bias)
