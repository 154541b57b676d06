from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from edge_fer.detectors import FaceSettings, build_tracker
from edge_fer.faces.crop import UPRIGHT_DEGREES, crop_faces
from edge_fer.faces.geometry import Place
from edge_fer.faces.roll import MOST_DEGREES, RollEstimator, patch
from edge_fer.faces.track import Track
from edge_fer.faces.upright import UprightDetector
from edge_fer.picture import Picture
from edge_fer.types import Box, Face, Frame, InputSpec

MIDDLE, SIDE = (224.0, 118.0), 96
"""Of the face in scikit-image's photograph, which is turned anticlockwise by 10 degrees or so."""


def turned_photograph(degrees: float) -> np.ndarray:
    """The photograph turned clockwise about the middle of the face."""
    turn = cv2.getRotationMatrix2D(MIDDLE, -degrees, 1.0)
    image = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)
    return np.asarray(cv2.warpAffine(image, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE), np.uint8)


BOX = Box(round(MIDDLE[0] - SIDE / 2), round(MIDDLE[1] - SIDE / 2), SIDE, SIDE)


@pytest.mark.parametrize("degrees", [-40.0, -25.0, 25.0, 40.0])
def test_the_turn_of_a_head_is_measured(degrees: float) -> None:
    measured = RollEstimator().degrees(Picture(turned_photograph(degrees)), BOX)
    assert abs(measured - degrees) < 18


def test_an_upright_head_is_left_as_it_is() -> None:
    assert abs(RollEstimator().degrees(Picture(turned_photograph(0.0)), BOX)) < UPRIGHT_DEGREES


def test_a_mirrored_head_is_turned_the_other_way() -> None:
    estimator, image = RollEstimator(), turned_photograph(30.0)
    mirrored = np.ascontiguousarray(image[:, ::-1])
    box = Box(512 - BOX.x - BOX.width, BOX.y, SIDE, SIDE)
    one, other = estimator.degrees(Picture(image), BOX), estimator.degrees(Picture(mirrored), box)
    assert one > 0 > other
    assert abs(one + other) < 15


@pytest.mark.parametrize("side", [24, 48, 400])
def test_the_size_of_a_face_does_not_matter(side: int) -> None:
    image, scale = turned_photograph(35.0), side / SIDE
    resized = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    box = Box(round(BOX.x * scale), round(BOX.y * scale), side, side)
    assert abs(RollEstimator().degrees(Picture(resized), box) - 35) < 18


def test_grey_and_colour_give_the_same() -> None:
    image = turned_photograph(30.0)
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
    np.testing.assert_array_equal(patch(Picture(image), BOX), patch(Picture(grey), BOX))


@pytest.mark.parametrize(
    "box", [Box(0, 0, 1, 1), Box(0, 0, 0, 0), Box(-30, -30, 60, 60), Box(90, 70, 50, 50), Box(900, 900, 40, 40)]
)
def test_any_box_gives_a_roll_within_bounds(box: Box) -> None:
    image = np.random.default_rng(0).integers(0, 256, (80, 100, 3), np.uint8)
    degrees = RollEstimator().degrees(Picture(image), box)
    assert abs(degrees) <= MOST_DEGREES


def test_a_detector_without_landmarks_gets_upright_crops() -> None:
    class Blind:
        def detect(self, picture: Picture) -> list[Face]:
            return [Face(BOX, detection_score=3.0)]

    spec, image = InputSpec(48, 48, "grey", (0.0,), (1.0,)), turned_photograph(40.0)
    [face] = UprightDetector(Blind()).detect(Picture(image))
    assert (face.box, face.detection_score) == (BOX, 3.0)
    upright = crop_faces(turned_photograph(0.0), [BOX], spec)
    as_turned, as_measured = crop_faces(image, [BOX], spec), crop_faces(image, [face], spec)
    assert np.abs(as_measured - upright).mean() < 0.6 * np.abs(as_turned - upright).mean()


@pytest.mark.parametrize("degrees", [0.0, -20.0, 20.0])
def test_a_followed_face_without_landmarks_has_its_roll_measured(degrees: float) -> None:
    tracker, image = build_tracker(FaceSettings.of_preset("balanced", "haar")), turned_photograph(degrees)
    faces = [tracker.follow(Frame(image, number, number / 30, 0.0, "test")).faces for number in range(12)][-1]
    face = min(faces, key=lambda one: abs(one.box.x + one.box.width / 2 - MIDDLE[0]))
    assert face.landmarks is None
    assert face.measured_roll_degrees is not None
    assert abs(face.roll_degrees - degrees) < 12


def test_a_roll_is_steadied_and_a_new_one_taken_at_once() -> None:
    place = Place(50.0, 50.0, 40.0)
    track = Track(1, place, 0.0, 0.0, 0.0, 0.0, 0.0, place, True, 0)
    rolls = []
    for degrees in (10.0, 14.0, -30.0):
        track.roll(degrees)
        rolls.append(track.roll_degrees)
    assert rolls == [10.0, 12.0, -30.0]
