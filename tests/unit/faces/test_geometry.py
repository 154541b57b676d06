"""Places: what is said without boxes is what the boxes would say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_fer.faces.geometry import Place, cut_bgr, resized
from edge_fer.picture import Picture

NUMBER = st.floats(0, 200, allow_nan=False)
PLACES = st.builds(Place, NUMBER, NUMBER, st.floats(0.1, 100, allow_nan=False))


@settings(max_examples=500, deadline=None)
@given(PLACES, PLACES)
def test_overlap_is_that_of_the_boxes(one: Place, other: Place) -> None:
    assert one.overlap(other) == other.overlap(one) == one.box().overlap(other.box())


@pytest.mark.parametrize("off", [49.0, 50.0, 51.0, 52.0, 53.0])
def test_overlap_of_neighbours_is_that_of_the_boxes(off: float) -> None:
    one = Place(100.4, 100.4, 50.4)
    for other in (Place(100.4 + off, 100.4, 50.4), Place(100.4, 100.4 - off, 50.4)):
        assert one.overlap(other) == one.box().overlap(other.box())


@pytest.mark.parametrize(("side", "size"), [(64, (32, 16)), (96, (40, 33)), (480, (96, 96)), (50, (80, 70))])
def test_a_ramp_of_another_size_is_still_that_ramp(side: int, size: tuple[int, int]) -> None:
    ramp = np.tile(np.linspace(0, 255, side, dtype=np.float32).round().astype(np.uint8), (side, 1))
    small = resized(ramp, *size)
    assert small.shape == (size[1], size[0])
    assert np.abs(small[0].astype(float) - (np.arange(size[0]) + 0.5) / size[0] * 255).max() < 6


@pytest.mark.parametrize("side", [30.0, 61.0, 117.3, 201.7, 333.0])
def test_a_crop_has_the_face_in_its_middle_at_the_side_that_is_asked_for(side: float) -> None:
    pixels = np.zeros((900, 900, 3), np.uint8)
    place = Place(440.4, 452.7, side)
    box = place.box()
    pixels[box.y : box.y + box.height, box.x : box.x + box.width] = 255
    cut = cut_bgr(Picture(pixels), place, 96, 48)
    assert cut is not None
    bright = np.argwhere(cut.pixels[:, :, 0] > 127)
    assert np.abs(bright.mean(axis=0) - 47.5).max() < 1.5
    assert np.ptp(bright[:, 1]) + 1 == pytest.approx(48, abs=2)
    # The way back into the frame.
    assert cut.left + (bright[:, 1].mean() + 0.5) / cut.scale == pytest.approx(place.x, abs=1.5)
