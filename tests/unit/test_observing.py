"""Every way from a frame to an observation reads the faces as the detector describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_fer.faces.crop import crop_faces
from edge_fer.faces.tracking import EachFrame
from edge_fer.inference.smoothing import ScoreSmoother
from edge_fer.observing import observe, observe_all, observe_next
from edge_fer.types import Box, Face, Frame
from tests.fakes import GREY_48, FakeClassifier, FakeClock, picture

if TYPE_CHECKING:
    from edge_fer.picture import Picture
    from edge_fer.types import Image

TURNED = Face(Box(20, 10, 60, 60), measured_roll_degrees=35.0)
CUT_OFF = Face(Box(0, 60, 30, 50))


class Describing:
    def detect(self, seen: Picture) -> list[Face]:
        return [TURNED, CUT_OFF]


@pytest.mark.parametrize("way", ["one", "many", "next"])
def test_a_turned_head_is_read_upright_on_every_way(way: str) -> None:
    classifier, clock = FakeClassifier(), FakeClock()
    frame = Frame(picture(160, 120), 0, 0.0, 0.0, "fake")
    if way == "one":
        seen = observe(frame, Describing(), classifier, clock)
    elif way == "many":
        seen = observe_all([frame, frame], Describing(), classifier, clock)[1]
    else:
        seen = observe_next(frame, EachFrame(Describing()), classifier, ScoreSmoother(0.0), clock)
    assert [one.face for one in seen.faces] == [TURNED, CUT_OFF]
    np.testing.assert_array_equal(
        np.concatenate(classifier.batches)[-2:], crop_faces(frame.image, [TURNED, CUT_OFF], GREY_48)
    )


def read_twice(smoother: ScoreSmoother, face: Face) -> list[Image]:
    class Still:
        def detect(self, seen: Picture) -> list[Face]:
            return [face]

    classifier, clock, follower = FakeClassifier(), FakeClock(), EachFrame(Still())
    for number in range(3):
        frame = Frame(picture(160, 120), number, number / 30, 0.0, "fake")
        observe_next(frame, follower, classifier, smoother, clock)
    return [batch[0] for batch in classifier.batches]


def test_a_followed_face_is_read_mirrored_every_second_time() -> None:
    first, second, third = read_twice(ScoreSmoother(0.5), Face(Box(20, 10, 60, 60), 1))
    np.testing.assert_array_equal(second, first[:, ::-1])
    np.testing.assert_array_equal(third, first)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("smoother", "face"),
    [(ScoreSmoother(0.0), Face(Box(20, 10, 60, 60), 1)), (ScoreSmoother(0.5), Face(Box(20, 10, 60, 60)))],
    ids=["nothing is averaged", "no id"],
)
def test_a_face_whose_scores_are_not_averaged_is_never_mirrored(smoother: ScoreSmoother, face: Face) -> None:
    first, second, third = read_twice(smoother, face)
    np.testing.assert_array_equal(second, first)
    np.testing.assert_array_equal(third, first)
