"""Findings in single pictures that crops must agree on."""

from __future__ import annotations

import numpy as np
import pytest

from edge_fer.detectors import bundled_weights, open_detector
from edge_fer.faces.crop_looking import EXAMINED_SCORE
from edge_fer.faces.detector_settings import DetectorSettings
from edge_fer.faces.examined import CLEAR_SCORE, ExaminedDetector
from edge_fer.faces.geometry import Place
from edge_fer.picture import Picture
from edge_fer.types import Box, Face, Image

PICTURE = Picture(np.zeros((100, 100, 3), np.uint8))


class Listed:
    """Finds what it was given."""

    def __init__(self, *faces: Face) -> None:
        self.faces = list(faces)

    def detect(self, picture: Picture) -> list[Face]:
        return self.faces


class Fixed:
    """Examines with the same result everywhere, and notes where."""

    def __init__(self, result: float) -> None:
        self.result, self.places = result, list[Place]()

    def examine(self, picture: Picture, place: Place, degrees: float = 0.0) -> float:
        self.places.append(place)
        return self.result


CLEAR = Face(Box(10, 10, 20, 20), None, CLEAR_SCORE)
SOFT = Face(Box(50, 50, 30, 30), None, CLEAR_SCORE - 0.1)
WITHOUT_SCORE = Face(Box(5, 60, 30, 30))


def test_only_what_is_not_clear_is_examined() -> None:
    examiner = Fixed(EXAMINED_SCORE)
    assert ExaminedDetector(Listed(SOFT, CLEAR, WITHOUT_SCORE), examiner).detect(PICTURE) == [
        SOFT,
        CLEAR,
        WITHOUT_SCORE,
    ]
    assert examiner.places == [Place(65, 65, 30)]


def test_what_crops_deny_is_left_out() -> None:
    found = ExaminedDetector(Listed(SOFT, CLEAR), Fixed(EXAMINED_SCORE - 0.01)).detect(PICTURE)
    assert found == [CLEAR]


def test_the_least_result_can_be_higher() -> None:
    assert ExaminedDetector(Listed(SOFT), Fixed(0.5), 0.6).detect(PICTURE) == []


def test_a_portrait_has_one_face_and_its_badge_is_none(astronaut: Image) -> None:
    if bundled_weights() is None:
        pytest.skip("the extra yunet is not installed")
    (face,) = open_detector("yunet", DetectorSettings.for_pictures()).detector.detect(Picture(astronaut))
    assert face.box.overlap(Box(177, 67, 93, 93)) > 0.5
