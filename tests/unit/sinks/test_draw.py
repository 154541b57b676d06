from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_fer.sinks.draw import BGR_BY_EMOTION, annotate
from edge_fer.types import FER_LABELS, Box, Landmarks
from tests.fakes import observation, scored_face

GREY = np.full((480, 640, 3), 90, np.uint8)


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return np.any(before != after, axis=2)


def test_a_box_has_the_colour_of_its_emotion_and_the_original_stays() -> None:
    before = GREY.copy()
    drawn = annotate(GREY, observation(scored_face(Box(200, 200, 100, 100), "angry")))
    np.testing.assert_array_equal(GREY, before)
    assert tuple(drawn[250, 200]) == BGR_BY_EMOTION["angry"]
    assert tuple(drawn[250, 250]) == (90, 90, 90)


def test_every_emotion_has_a_colour_of_its_own() -> None:
    assert set(BGR_BY_EMOTION) == set(FER_LABELS)
    assert len(set(BGR_BY_EMOTION.values())) == len(FER_LABELS)


def test_the_label_goes_above_the_box_then_below_then_inside() -> None:
    above = changed(GREY, annotate(GREY, observation(scored_face(Box(200, 200, 100, 100)))))
    assert above[:198].any()
    assert not above[302:].any()
    below = changed(GREY, annotate(GREY, observation(scored_face(Box(200, 2, 100, 100)))))
    assert below[104:130].any()
    inside = changed(GREY, annotate(GREY, observation(scored_face(Box(200, 0, 100, 480)))))
    assert inside[3:20, 210:290].any()


def test_more_emotions_take_more_lines() -> None:
    seen = observation(scored_face(Box(200, 200, 100, 100)))
    one, three = (changed(GREY, annotate(GREY, seen, top=top)).sum() for top in (1, 3))
    assert three > one


def test_the_rate_stands_in_the_corner() -> None:
    drawn = changed(GREY, annotate(GREY, observation(), fps=29.97))
    assert drawn[:40, :160].any()
    assert not drawn[60:].any()


@pytest.mark.parametrize("shape", [(1, 1), (48, 48), (1, 3000), (2160, 3840)])
@pytest.mark.parametrize("box", [Box(0, 0, 1, 1), Box(-5, -5, 20, 20), Box(40, 40, 500, 500)])
def test_any_picture_and_box_can_be_drawn(shape: tuple[int, int], box: Box) -> None:
    drawn = annotate(np.zeros(shape, np.uint8), observation(scored_face(box, track_id=12)), top=7, fps=1.0)
    assert drawn.shape == (*shape, 3)


def test_boxes_follow_an_enlarged_picture() -> None:
    drawn = annotate(GREY, observation(scored_face(Box(100, 100, 50, 50), "angry")), enlarged=2)
    assert tuple(drawn[250, 200]) == BGR_BY_EMOTION["angry"]


@pytest.mark.parametrize("enlarged", [1, 2])
def test_landmarks_are_five_dots(enlarged: int) -> None:
    points = ((60.0, 60.0), (90.0, 62.0), (75.0, 75.0), (62.0, 92.0), (88.0, 93.0))
    plain = scored_face(Box(50, 40, 60, 70), "angry")
    marked = replace(plain, face=replace(plain.face, landmarks=Landmarks(*points)))
    bare, drawn = (annotate(GREY, observation(one), enlarged=enlarged) for one in (plain, marked))
    dots = changed(bare, drawn)
    for x, y in points:
        assert tuple(drawn[round(y * enlarged), round(x * enlarged)]) == BGR_BY_EMOTION["angry"]
        dots[
            round((y - 3) * enlarged) : round((y + 4) * enlarged), round((x - 3) * enlarged) : round((x + 4) * enlarged)
        ] = 0
    assert not dots.any()


def test_landmarks_outside_of_the_picture_are_left_out() -> None:
    plain = scored_face(Box(0, 0, 60, 70))
    marked = replace(plain, face=replace(plain.face, landmarks=Landmarks(*[(-50.0, 1e5)] * 5)))
    drawn = [annotate(GREY, observation(one)) for one in (plain, marked)]
    np.testing.assert_array_equal(*drawn)
