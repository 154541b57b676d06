"""Batches for Keras: each epoch is a pure function of the seed and the epoch's number, so that it can be repeated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from edge_fer.errors import ConfigError
from edge_fer.evaluation.labelled import VOTE_NAMES, canonical_label
from edge_fer.faces.crop import whole_to_batch
from edge_fer_train.augmentation import Augmentation, augment_picture, mix_weighted
from edge_fer_train.balancing import epoch_order, sample_weights

if TYPE_CHECKING:
    from edge_fer.evaluation.labelled import LabelledFaces
    from edge_fer.types import InputSpec

Floats: TypeAlias = NDArray[np.float32]
Teacher: TypeAlias = Callable[[Floats], Floats]
"""Gives probabilities float32 [N, classes] for inputs that are made as the student's are, at its full size."""

EMOTION_VOTES = len(VOTE_NAMES) - 2
"""The FER+ answers that are emotions: all but "unknown" and "not_face"."""


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """What an epoch is made of."""

    batch_size: int
    augmentation: Augmentation
    balance: str
    label_smoothing: float
    soft_labels: bool
    seed: int
    votes_in_target: float = 0.0
    """Share of the FER+ votes in what the model's own head learns, 0.0 to 1.0; the rest is the labels'."""


def vote_shares(faces: LabelledFaces) -> tuple[Floats, Floats]:
    """FER+ votes for an emotion as probabilities float32 [N, 8], and a weight float32 [N] of 0 to 1.

    The weight is the share of the votes that name an emotion at all: 0 where nobody voted, or where most found no face
    in the picture.
    """
    if faces.votes is None:
        return np.full((len(faces), EMOTION_VOTES), 1 / EMOTION_VOTES, np.float32), np.zeros(len(faces), np.float32)
    votes = faces.votes[:, :EMOTION_VOTES].astype(np.float32)
    total = votes.sum(axis=1, keepdims=True)
    shares = np.where(total > 0, votes / np.maximum(total, 1), 1 / EMOTION_VOTES)
    weights = total[:, 0] / np.maximum(faces.votes.sum(axis=1, dtype=np.float32), 1)
    return shares.astype(np.float32), np.where(no_faces(faces), 0, weights).astype(np.float32)


def no_faces(faces: LabelledFaces) -> NDArray[np.bool_]:
    """In which pictures half of FER+'s annotators or more found no face, bool [N]; nowhere without votes."""
    if faces.votes is None:
        return np.zeros(len(faces), np.bool_)
    found_none = faces.votes[:, VOTE_NAMES.index("not_face")].astype(np.int64)
    return np.asarray((found_none > 0) & (2 * found_none >= faces.votes.sum(axis=1, dtype=np.int64)), np.bool_)


def vote_columns(label_names: Sequence[str]) -> list[int]:
    """Where the votes for each class stand in `VOTE_NAMES`.

    Raises:
        ConfigError: nobody could vote for one of the classes.
    """
    places = {canonical_label(name): place for place, name in enumerate(VOTE_NAMES[:EMOTION_VOTES])}
    missing = [name for name in label_names if name not in places]
    if missing:
        raise ConfigError(f"the votes cannot be used for these classes: FER+ has none for {missing[0]!r}")
    return [places[name] for name in label_names]


class TrainingEpoch(keras.utils.PyDataset):  # type: ignore[misc]
    """One epoch of augmented batches: (inputs, targets, sample weights), the last two by the name of the head."""

    def __init__(
        self,
        faces: LabelledFaces,
        spec: InputSpec,
        settings: BatchSettings,
        epoch: int,
        side_px: int,
        teacher: Teacher | None = None,
    ) -> None:
        super().__init__()
        self._faces, self._settings, self._epoch, self._side_px = faces, settings, epoch, side_px
        self._teacher = teacher
        # A teacher looks at the full size; the student's smaller pictures are then made of the same ones.
        made_px = spec.width if teacher else side_px
        self._spec = replace(spec, width=made_px, height=made_px)
        classes = len(faces.label_names)
        generator = np.random.default_rng((settings.seed, epoch))
        self._order = epoch_order(faces.labels, classes, settings.balance, generator)
        self._weights = sample_weights(faces.labels, classes, settings.balance)
        smooth = settings.label_smoothing
        self._targets = np.eye(classes, dtype=np.float32)[faces.labels] * (1 - smooth) + smooth / classes
        self._votes, self._vote_weights = vote_shares(faces)
        if settings.votes_in_target:
            self._targets = self._blended(faces, settings.votes_in_target)
        if settings.soft_labels or settings.votes_in_target:
            self._weights = np.where(no_faces(faces), np.float32(0), self._weights)

    def _blended(self, faces: LabelledFaces, share: float) -> Floats:
        votes = self._votes[:, vote_columns(faces.label_names)]
        total = votes.sum(axis=1, keepdims=True)
        # A picture without a vote for any of the classes has its label alone.
        voted = (total > 0) & (self._vote_weights[:, None] > 0)
        own = np.where(voted, votes / np.maximum(total, 1e-9), self._targets)
        return np.asarray((1 - share) * self._targets + share * own, np.float32)

    def __len__(self) -> int:
        # The last batch is kept only when it is nearly whole: batch statistics of a few pictures mislead.
        whole, rest = divmod(len(self._order), self._settings.batch_size)
        return max(1, whole + (rest > self._settings.batch_size // 2))

    def __getitem__(self, number: int) -> tuple[Floats, dict[str, Floats], dict[str, Floats]]:
        size = self._settings.batch_size
        chosen = self._order[number * size : (number + 1) * size]
        generator = np.random.default_rng((self._settings.seed, self._epoch, number))
        how = self._settings.augmentation
        pictures = [augment_picture(self._faces.images[one], how, generator, self._spec.width) for one in chosen]
        weights = self._weights[chosen]
        labels = (self._targets[chosen], weights)
        votes = (self._votes[chosen], weights * self._vote_weights[chosen])
        inputs, (labels, votes) = mix_weighted(whole_to_batch(pictures, self._spec), [labels, votes], how, generator)
        heads = {"emotion": labels}
        if self._settings.soft_labels:
            heads["votes"] = votes
        if self._teacher is not None:
            heads["teacher"] = (self._teacher(inputs), np.ones(len(chosen), np.float32))
            inputs = shrink(inputs, self._side_px)
        return inputs, {name: head[0] for name, head in heads.items()}, {name: head[1] for name, head in heads.items()}


def shrink(inputs: Floats, side_px: int) -> Floats:
    """Model inputs [N, side, side, channels] averaged down to [N, side_px, side_px, channels]."""
    if inputs.shape[1] == side_px:
        return inputs
    resized = [cv2.resize(one, (side_px, side_px), interpolation=cv2.INTER_AREA) for one in inputs]
    return np.stack(resized).reshape(len(inputs), side_px, side_px, -1).astype(np.float32)
