"""Pictures of cameras that hang sideways, upside down or mirrored."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from edge_fer.camera.demo import DemoSource
from edge_fer.camera.turning import FLIPS, ROTATIONS, TurnedSource, Turning, turned_truth
from edge_fer.errors import ConfigError
from edge_fer.types import Box

ALL = [Turning(rotate, flip) for rotate, flip in product(ROTATIONS, FLIPS)]
CORNERS = np.arange(6, dtype=np.uint8).reshape(2, 3)
"""0 1 2 above 3 4 5."""


@pytest.mark.parametrize(
    ("turning", "rows"),
    [
        (Turning(), [[0, 1, 2], [3, 4, 5]]),
        (Turning(90), [[3, 0], [4, 1], [5, 2]]),
        (Turning(180), [[5, 4, 3], [2, 1, 0]]),
        (Turning(270), [[2, 5], [1, 4], [0, 3]]),
        (Turning(0, "horizontal"), [[2, 1, 0], [5, 4, 3]]),
        (Turning(0, "vertical"), [[3, 4, 5], [0, 1, 2]]),
        (Turning(0, "both"), [[5, 4, 3], [2, 1, 0]]),
        (Turning(90, "horizontal"), [[0, 3], [1, 4], [2, 5]]),
    ],
    ids=str,
)
def test_degrees_are_clockwise_and_flipping_comes_after(turning, rows):
    assert turning.apply(CORNERS).tolist() == rows


@pytest.mark.parametrize("turning", ALL, ids=str)
def test_boxes_lie_where_their_pixels_go(turning):
    image = np.zeros((48, 64, 3), np.uint8)
    image[5:25, 40:50] = 255
    turned = turning.apply(image)
    box = turning.box(Box(40, 5, 10, 20), 64, 48)
    rows, columns = np.nonzero(turned[:, :, 0])
    assert (box.x, box.y) == (columns.min(), rows.min())
    assert (box.x + box.width, box.y + box.height) == (columns.max() + 1, rows.max() + 1)
    assert turning.size(64, 48) == (turned.shape[1], turned.shape[0])


def test_nothing_to_turn_costs_nothing():
    assert Turning().apply(CORNERS) is CORNERS
    assert not Turning()


@pytest.mark.parametrize("values", [{"rotate": 45}, {"rotate": -90}, {"flip": "sideways"}], ids=str)
def test_other_values_are_refused(values):
    with pytest.raises(ConfigError, match="must be one of"):
        Turning(**values)


@pytest.mark.parametrize("turning", [Turning(90), Turning(180, "vertical")], ids=str)
def test_a_turned_source_says_the_size_that_it_gives(turning):
    with_truth = DemoSource()
    source = TurnedSource(with_truth, turning)
    frame = source.read(1.0)
    assert (source.info.width, source.info.height) == (frame.width, frame.height) == turning.size(640, 480)
    assert np.array_equal(frame.image, turning.apply(with_truth.picture(0)))
    truth = turned_truth(with_truth, turning)
    assert truth is not None
    assert [face.box for face in truth(0)] == [turning.box(face.box, 640, 480) for face in with_truth.truth(0)]
    source.close()
