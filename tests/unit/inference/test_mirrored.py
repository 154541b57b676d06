"""Faces read as they are and mirrored."""

from __future__ import annotations

import numpy as np
import pytest

from edge_fer.inference.decoding import ScoresNotFinite
from edge_fer.inference.mirrored import MirroredClassifier
from edge_fer.types import Batch, InputSpec, Scores

LABELS = ("left", "right")


class SideClassifier:
    """Says on which side a crop of two pixels is brighter; a crop of zeros has no scores."""

    labels = LABELS
    input_spec = InputSpec(2, 1, "grey", (0.0,), (1.0,))
    closed = False

    def classify(self, crops: Batch) -> list[Scores]:
        """The share of each side."""
        found = [
            Scores(LABELS, (float(one[0, 0, 0] / one.sum()), float(one[0, 1, 0] / one.sum()))) if one.any() else None
            for one in crops
        ]
        if None in found:
            raise ScoresNotFinite("1 of 2 faces has no scores", found)
        return [one for one in found if one is not None]

    def close(self) -> None:
        """Remember it."""
        self.closed = True


def crops(*rows: tuple[float, float]) -> Batch:
    return np.array(rows, np.float32).reshape(-1, 1, 2, 1)


def test_scores_are_the_mean_of_a_face_and_its_mirror_image() -> None:
    plain = SideClassifier()
    mirrored = MirroredClassifier(plain)
    assert [one.values for one in plain.classify(crops((3, 1), (1, 1)))] == [(0.75, 0.25), (0.5, 0.5)]
    assert [one.values for one in mirrored.classify(crops((3, 1), (1, 1)))] == [(0.5, 0.5), (0.5, 0.5)]
    assert mirrored.classify(np.zeros((0, 1, 2, 1), np.float32)) == []
    assert (mirrored.labels, mirrored.input_spec) == (LABELS, plain.input_spec)
    mirrored.close()
    assert plain.closed


def test_a_face_without_scores_leaves_the_others() -> None:
    with pytest.raises(ScoresNotFinite) as caught:
        MirroredClassifier(SideClassifier()).classify(crops((0, 0), (4, 1)))
    first, second = caught.value.scores
    assert first is None
    assert second is not None
    assert second.values == pytest.approx((0.5, 0.5))
