"""Each face read twice, as it is and mirrored, and the scores averaged: steadier, at twice the engine's cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_fer.inference.decoding import ScoresNotFinite
from edge_fer.types import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.protocols import Classifier
    from edge_fer.types import Batch, InputSpec


class MirroredClassifier:
    """A classifier whose scores are the mean over a face and its mirror image."""

    def __init__(self, classifier: Classifier) -> None:
        """Take over a classifier; `close` closes it."""
        self._classifier = classifier

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order of the scores."""
        return self._classifier.labels

    @property
    def input_spec(self) -> InputSpec:
        """How crops must be made for this model."""
        return self._classifier.input_spec

    def classify(self, crops: Batch) -> list[Scores]:
        """Score all crops: float32 [N, height, width, channels], N may be 0, in one call of 2 N crops.

        Raises:
            ModelError: as the classifier itself raises; where only some scores are not finite, a `ScoresNotFinite`
                that holds the others.
        """
        both = np.ascontiguousarray(np.concatenate([crops, crops[:, :, ::-1]]))
        try:
            found: Sequence[Scores | None] = self._classifier.classify(both)
        except ScoresNotFinite as error:
            raise ScoresNotFinite(str(error), _means(error.scores)) from None
        return [one for one in _means(found) if one is not None]

    def close(self) -> None:
        """Release the engine; may be called more than once."""
        self._classifier.close()


def _means(found: Sequence[Scores | None]) -> list[Scores | None]:
    half = len(found) // 2
    return [
        None
        if one is None or other is None
        else Scores(one.labels, tuple((a + b) / 2 for a, b in zip(one.values, other.values, strict=True)))
        for one, other in zip(found[:half], found[half:], strict=True)
    ]
