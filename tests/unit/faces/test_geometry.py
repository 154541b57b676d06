"""Places: what is said without boxes is what the boxes would say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_fer.faces.geometry import Place

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
