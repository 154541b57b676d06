"""Labelled faces in memory, and the names that data sets use for labels, splits and votes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

VOTE_NAMES: tuple[str, ...] = (
    "neutral", "happiness", "surprise", "sadness", "anger",
    "disgust", "fear", "contempt", "unknown", "not_face",
)  # fmt: skip
"""The ten answers that the annotators of FER+ chose from (Barsoum et al., arXiv 1608.01041), in its order."""

SPLIT_NAMES: dict[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "publictest"),
    "test": ("test", "privatetest"),
}
"""Names under which the three splits are found, in any case: in the Usage column, as folders, as sheets."""

LABEL_SPELLINGS: dict[str, str] = {
    "anger": "angry", "disgusted": "disgust", "fearful": "fear", "happiness": "happy",
    "sadness": "sad", "surprised": "surprise",
}  # fmt: skip
"""Other words that data sets use for the seven emotions."""


@dataclass(frozen=True, slots=True)
class LabelledFaces:
    """Cropped faces with their labels."""

    images: NDArray[np.uint8]
    """Grey pixels, uint8 [N, height, width]."""
    labels: NDArray[np.int64]
    """Index into `label_names`, int64 [N]."""
    label_names: tuple[str, ...]
    votes: NDArray[np.uint8] | None = None
    """FER+ votes, uint8 [N, 10] in the order of `VOTE_NAMES`; all zero where a picture has none."""
    split: str = ""
    """The data's own name for this split, such as PublicTest; empty where the data is in one piece."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> LabelledFaces:
        """The faces at those positions, or where the mask is true, in that order."""
        votes = None if self.votes is None else self.votes[index]
        return LabelledFaces(self.images[index], self.labels[index], self.label_names, votes, self.split)


def names_of_split(split: str) -> tuple[str, ...]:
    """The names, in lower case, under which a split is looked for."""
    return SPLIT_NAMES.get(split, (split.lower(),))


def canonical_label(name: str) -> str:
    """A class name in lower case, and in FER-2013's spelling where it is one of its emotions."""
    lowered = name.strip().lower()
    return LABEL_SPELLINGS.get(lowered, lowered)


def ordered_votes(faces: LabelledFaces, label_names: Sequence[str]) -> NDArray[np.int64] | None:
    """FER+ votes in the order of a model's labels, the other answers behind them: int64 [N, labels + others].

    None where the faces have no votes, or where nobody could vote for one of the labels.
    """
    if faces.votes is None:
        return None
    places = {canonical_label(name): place for place, name in enumerate(VOTE_NAMES)}
    if any(name not in places for name in label_names):
        return None
    own = [places[name] for name in label_names]
    rest = [place for place in range(len(VOTE_NAMES)) if place not in own]
    return faces.votes[:, own + rest].astype("int64")
