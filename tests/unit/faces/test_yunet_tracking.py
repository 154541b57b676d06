"""YuNet in the tracker: a real face that turns, leaves its place empty, or is only printed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge_fer.detectors import FaceSettings, build_tracker, bundled_weights
from edge_fer.types import Box, Frame

if TYPE_CHECKING:
    from edge_fer.faces.tracking import FaceTracker
    from edge_fer.types import Image

FACE = Box(177, 67, 93, 93)
"""In the portrait, by eye."""


@pytest.fixture
def tracker() -> FaceTracker:
    if bundled_weights() is None:
        pytest.skip("the extra yunet is not installed")
    return build_tracker(FaceSettings.of_preset("balanced", "yunet"))


def turned(image: Image, degrees: float) -> Image:
    turn = cv2.getRotationMatrix2D((223, 113), -degrees, 1.0)
    return cv2.warpAffine(image, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


@pytest.mark.parametrize("degrees", [-45, -20, 0, 20, 45])
def test_the_turn_of_a_head_is_measured_and_steady(tracker: FaceTracker, astronaut: Image, degrees: int) -> None:
    image, rolls = turned(astronaut, degrees), []
    for number in range(40):
        (face,) = tracker.follow(Frame(image, number, number / 30, 0.0, "head")).faces
        assert face.box.overlap(FACE) > 0.4
        assert face.track_id == 1
        assert face.landmarks is not None
        rolls.append(face.roll_degrees)
    assert rolls[-1] == pytest.approx(degrees, abs=12)
    assert max(rolls[20:]) - min(rolls[20:]) < 6


def test_a_head_that_turns_to_and_fro_keeps_its_id(tracker: FaceTracker, astronaut: Image) -> None:
    for number in range(90):
        image = turned(astronaut, 40 * math.sin(2 * math.pi * number / 90))
        faces = tracker.follow(Frame(image, number, number / 30, 0.0, "head")).faces
        assert [face.track_id for face in faces] == [1]


def test_landmarks_move_with_the_face_between_looks(tracker: FaceTracker, astronaut: Image) -> None:
    offsets = []
    for number in range(30):
        image = np.roll(astronaut, 3 * number, axis=1)
        (face,) = tracker.follow(Frame(image, number, number / 30, 0.0, "head")).faces
        assert face.landmarks is not None
        offsets.append(face.landmarks.nose[0] - (face.box.x + face.box.width / 2))
    assert max(offsets[5:]) - min(offsets[5:]) < 0.1 * FACE.width


def test_a_face_that_goes_is_gone(tracker: FaceTracker, astronaut: Image) -> None:
    empty = np.full_like(astronaut, 120)
    for number in range(10):
        assert tracker.follow(Frame(astronaut, number, number / 30, 0.0, "head")).faces
    for number in range(10, 20):
        last = tracker.follow(Frame(empty, number, number / 30, 0.0, "head")).faces
    assert last == []
