"""The faces of a run: what is learnt from and what the epochs are chosen by, and how to know them again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_fer.errors import ConfigError
from edge_fer.evaluation.datasets import has_split, load_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_fer.evaluation.labelled import LabelledFaces

HELD_OUT_SHARE = 0.1
"""Share of each class that is kept for validation where the data has no split for it."""


@dataclass(frozen=True, slots=True)
class SplitInfo:
    """Which pictures a split is made of, without the pictures."""

    data_set: str
    """Name of the file or folder, without the folder that it lies in."""
    split: str
    """The data's own name of the split, or how it was made."""
    pictures: int
    sha256: str
    """Hash over pixels, labels and votes, in their order."""
    counts: dict[str, int]
    """Number of pictures of each class."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Two sets of faces that share none."""

    training: LabelledFaces
    validation: LabelledFaces
    training_info: SplitInfo
    validation_info: SplitInfo


def load_training_data(data: Path, validation_data: Path | None, side_px: int) -> TrainingData:
    """Read the training faces, and the validation faces from their own data, from a split, or held out.

    Args:
        data: as `load_dataset` takes it.
        validation_data: where the validation faces lie; None looks for a split of `data`, and holds out a tenth of
            each class, always the same pictures, where there is none.
        side_px: side to which pictures in class folders are resized.

    Raises:
        SourceError: something is not there or cannot be read.
        ConfigError: it holds no usable pictures.
    """
    training = load_dataset(data, "train", side_px=side_px)
    if validation_data is not None:
        validation, name, split = load_dataset(validation_data, "validation", side_px=side_px), validation_data.name, ""
    elif has_split(data, "validation"):
        validation, name, split = load_dataset(data, "validation", side_px=side_px), data.name, ""
    else:
        kept = hold_out(training.labels)
        validation, name, split = training.take(kept), data.name, f"{HELD_OUT_SHARE:.0%} held out"
        training = training.take(~kept)
    for faces, path in ((training, data), (validation, validation_data or data)):
        if len(np.unique(faces.labels)) < 2:
            raise ConfigError(f"{path}: at least two classes with two pictures or more are needed to train")
    return TrainingData(
        training,
        validation,
        _info(training, data.name, training.split or "all" if not split else f"{1 - HELD_OUT_SHARE:.0%}"),
        _info(validation, name, split or validation.split or "all"),
    )


def hold_out(labels: NDArray[np.int64], share: float = HELD_OUT_SHARE) -> NDArray[np.bool_]:
    """Choose that share of each class for validation, at least one picture where a class has two: bool [N]."""
    generator = np.random.default_rng(0)
    kept = np.zeros(len(labels), np.bool_)
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        count = max(1, round(len(members) * share)) if len(members) > 1 else 0
        kept[members[:count]] = True
    return kept


def _info(faces: LabelledFaces, data_set: str, split: str) -> SplitInfo:
    digest = hashlib.sha256()
    for array in (faces.images, faces.labels, faces.votes):
        if array is not None:
            digest.update(np.ascontiguousarray(array).tobytes())
    counts = np.bincount(faces.labels, minlength=len(faces.label_names))
    by_class = {name: int(count) for name, count in zip(faces.label_names, counts, strict=True)}
    return SplitInfo(data_set, split, len(faces), digest.hexdigest(), by_class)
