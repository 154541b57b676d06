"""The faces of a run: what is learnt from and what the epochs are chosen by, and how to know them again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edge_fer.errors import ConfigError
from edge_fer.evaluation.datasets import has_split, load_dataset, load_sets
from edge_fer.evaluation.predicting import true_labels

if TYPE_CHECKING:
    from collections.abc import Sequence
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
class NamedFaces:
    """A further validation set, with the classes of the training data."""

    name: str
    faces: LabelledFaces
    info: SplitInfo


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Two sets of faces that share none, with the same classes, and further ones to choose by."""

    training: LabelledFaces
    validation: LabelledFaces
    training_info: SplitInfo
    validation_info: SplitInfo
    others: tuple[NamedFaces, ...] = ()
    """Sets that choose the epoch beside `validation`."""
    notes: tuple[str, ...] = ()
    """What the user should know of the classes, one sentence each."""


def load_training_data(
    data: Path, validation_data: Path | None, side_px: int, select_on: Sequence[Path] = ()
) -> TrainingData:
    """Read the training faces, and the validation faces from their own data, from a split, or held out.

    Args:
        data: as `load_dataset` takes it.
        validation_data: where the validation faces lie; None looks for a split of `data`, and holds out a tenth of
            each class, always the same pictures, where there is none.
        side_px: side to which pictures in class folders are resized.
        select_on: further validation sets, as `load_sets` takes them.

    The classes are those that occur in the training faces: the validation faces may lack some of them.

    Raises:
        SourceError: something is not there or cannot be read.
        ConfigError: it holds no usable pictures, or a validation set has a class that the training faces lack.
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
    known, notes = _occurring(training, data.name)
    where = (validation_data or data).name
    checked = _with_classes(validation, known.label_names, where, data.name)
    others = []
    for place in select_on:
        for set_name, faces in load_sets(place, "validation", side_px=side_px):
            mapped = _with_classes(faces, known.label_names, set_name, data.name)
            others.append(NamedFaces(set_name, mapped, _info(mapped, set_name, faces.split or "all")))
    names = [one.name for one in others]
    if twice := [one for one in names if names.count(one) > 1]:
        raise ConfigError(f"--select-on is given two sets named {twice[0]}: rename one, or leave one out")
    missing = [one for place, one in enumerate(known.label_names) if not (checked.labels == place).any()]
    if missing:
        notes.append(f"{where} has no validation pictures of {', '.join(missing)}: no figure says how well it is read")
    return TrainingData(
        known,
        checked,
        _info(known, data.name, known.split or "all" if not split else f"{1 - HELD_OUT_SHARE:.0%}"),
        _info(checked, name, split or checked.split or "all"),
        tuple(others),
        tuple(notes),
    )


def _occurring(training: LabelledFaces, name: str) -> tuple[LabelledFaces, list[str]]:
    """The training faces with only the classes that occur in them, and what to say of that."""
    present = np.unique(training.labels)
    if len(present) < 2:
        raise ConfigError(f"{name}: at least two classes with two pictures or more are needed to train")
    if len(present) == len(training.label_names):
        return training, []
    names = tuple(training.label_names[one] for one in present)
    faces = replace(training, labels=np.searchsorted(present, training.labels), label_names=names)
    absent = [one for one in training.label_names if one not in names]
    return faces, [
        f"{name} has no training pictures of {', '.join(absent)}: the model gets {len(names)} outputs, "
        f"{', '.join(names)}"
    ]


def _with_classes(faces: LabelledFaces, names: tuple[str, ...], name: str, trained_on: str) -> LabelledFaces:
    labels = true_labels(faces, names, name, f"a model that is trained on {trained_on}")
    return replace(faces, labels=labels, label_names=names)


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
