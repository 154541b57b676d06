"""What is left of a face is a few values, in every kind of picture and at every place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest

from edge_fer import EdgeFer
from edge_fer.settings import Anonymize
from edge_fer.sinks.anonymize import BLOCKS, HOLD_SECONDS, Anonymizer, widened
from edge_fer.types import Box
from tests.fakes import observation, picture, scored_face

if TYPE_CHECKING:
    from edge_fer.types import Image

METHODS = get_args(Anonymize)
FACE = Box(20, 10, 20, 20)


def inside(image: Image, box: Box) -> Image:
    part = box.clipped(image.shape[1], image.shape[0])
    return image[part.y : part.y + part.height, part.x : part.x + part.width]


@pytest.mark.parametrize("method", METHODS)
def test_the_face_goes_and_the_rest_stays(method: Anonymize) -> None:
    before = picture()
    kept = before.copy()
    after = Anonymizer(method)(before, observation(scored_face(FACE)))
    assert np.array_equal(before, kept)
    place = widened(FACE)
    assert not np.array_equal(inside(after, place), inside(before, place))
    inside(after, place)[...] = inside(before, place)
    assert np.array_equal(after, before)


def test_a_pixelated_face_has_a_few_values_and_a_black_one_none() -> None:
    pixelated, black = (
        inside(Anonymizer(method)(picture(), observation(scored_face(FACE))), widened(FACE))
        for method in ("pixelate", "box")
    )
    assert len({tuple(pixel) for row in pixelated for pixel in row}) <= BLOCKS["pixelate"] ** 2
    assert not black.any()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize(
    "box",
    [Box(-10, -10, 20, 20), Box(60, 40, 30, 30), Box(-50, -50, 300, 300), Box(5, 5, 1, 1), Box(70, 70, 5, 5)],
    ids=str,
)
def test_faces_anywhere_are_hidden(method: Anonymize, grey: bool, box: Box) -> None:
    before = picture()[:, :, 0] if grey else picture()
    after = Anonymizer(method)(before, observation(scored_face(box)))
    assert after.shape == before.shape
    area = widened(box).clipped(64, 48).area
    # The mean of one pixel is that pixel, in which nobody is seen.
    same = area == 0 or (area == 1 and method != "box")
    assert np.array_equal(inside(after, widened(box)), inside(before, widened(box))) == same


@pytest.mark.parametrize("method", METHODS)
def test_the_last_place_of_a_lost_face_stays_hidden_for_a_while(method: Anonymize) -> None:
    hide, image = Anonymizer(method), picture()
    hide(image, observation(scored_face(FACE, track_id=1), captured_at=10.0))
    changed = [
        not np.array_equal(hide(image, observation(captured_at=10.0 + later)), image)
        for later in (0.1, HOLD_SECONDS - 0.1, HOLD_SECONDS + 0.1, HOLD_SECONDS + 0.2)
    ]
    assert changed == [True, True, False, False]


def test_the_places_of_another_film_are_forgotten() -> None:
    hide, image = Anonymizer("box"), picture()
    hide(image, observation(scored_face(FACE, track_id=1), captured_at=1.0))
    assert np.array_equal(hide(image, replace(observation(captured_at=1.1), source="another")), image)


def test_a_face_that_the_model_failed_on_hides_the_whole_picture() -> None:
    after = Anonymizer("box")(picture(), replace(observation(), unscored=1))
    assert not after.any()


def test_a_thorough_search_finds_no_face_again(astronaut: Image) -> None:
    with EdgeFer() as fer:
        seen = fer.analyze(astronaut)
        assert seen.faces
        for method in METHODS:
            # What it may take for one elsewhere in the picture is none of those that were hidden.
            again = fer.analyze(Anonymizer(method)(astronaut, seen)).faces
            assert not [one for one in again for face in seen.faces if one.box.overlap(face.box) > 0.1], method
