from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge_fer.faces.haar import HaarFaceDetector, HaarSettings, bundled_cascade
from edge_fer.faces.looking import FaceLooker
from edge_fer.faces.verified import ConfirmedDetector, picture_detector
from edge_fer.picture import Picture
from edge_fer.types import Box, Face, Image
from tests.scenes import wall

if TYPE_CHECKING:
    from pathlib import Path

    from edge_fer.protocols import FaceDetector

STRICT = replace(HaarSettings.for_pictures(), min_neighbors=8, min_score=2.0)
SIDES = (40, 100)


class ListedDetector:
    """Finds what it is asked to."""

    def __init__(self, *boxes: Box) -> None:
        self.faces = [Face(box, detection_score=3.5) for box in boxes]

    def detect(self, picture: Picture) -> list[Face]:
        return self.faces


@pytest.fixture(scope="module")
def portrait(astronaut: Image) -> Image:
    return cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)


def cut(face: Face) -> Face:
    """With its box as FER-2013 would cut the face."""
    return replace(face, box=Box(face.box.x + 4, face.box.y + 4, 92, 92))


def test_what_a_second_cascade_agrees_on_is_kept_and_cut_more_closely(portrait: Image) -> None:
    face, lamp = Box(175, 65, 100, 100), Box(20, 330, 110, 110)
    search = ListedDetector(lamp, face)
    assert ConfirmedDetector(FaceLooker(), search).detect(Picture(portrait)) == [cut(search.faces[1])]


def test_a_face_that_was_found_twice_is_told_once(portrait: Image) -> None:
    search = ListedDetector(Box(175, 65, 100, 100), Box(182, 70, 84, 84))
    assert ConfirmedDetector(FaceLooker(), search).detect(Picture(portrait)) == [cut(search.faces[0])]


@pytest.mark.parametrize("shape", [(1, 1), (480, 1), (1, 5000), (30, 30)])
def test_a_picture_without_a_face_gives_none(shape: tuple[int, int]) -> None:
    grey = np.full(shape, 90, np.uint8)
    assert picture_detector(HaarSettings.for_pictures()).detect(Picture(grey)) == []
    assert ConfirmedDetector(FaceLooker(), ListedDetector(Box(0, 0, 1, 1))).detect(Picture(grey)) == []


def test_a_cascade_of_the_users_own_is_believed_alone(portrait: Image) -> None:
    settings = HaarSettings.for_pictures(bundled_cascade("haarcascade_eye.xml"), min_face_px=16)
    eyes = picture_detector(settings).detect(Picture(portrait))
    assert eyes == HaarFaceDetector(settings).detect(Picture(portrait))
    assert len(eyes) >= 2


def test_more_faces_are_found_than_by_a_strict_search_with_no_more_false_boxes(shared_data: Path) -> None:
    with (shared_data / "fer2013" / "publictest.csv").open() as file:
        count = sum(1 for _ in csv.DictReader(file))
    sheet = cv2.imread(str(shared_data / "fer2013" / "publictest.png"), cv2.IMREAD_GRAYSCALE)
    assert sheet is not None
    starts = range(0, count, count // 9)
    scenes = [_scene(sheet, range(first, first + 6), SIDES[index % 2]) for index, first in enumerate(starts)]
    found, false = _judged(picture_detector(HaarSettings.for_pictures()), scenes)
    strictly_found, strictly_false = _judged(HaarFaceDetector(STRICT), scenes)
    assert found >= 1.25 * strictly_found
    assert false <= max(1, strictly_false)


def _scene(sheet: Image, numbers: range, side: int) -> tuple[Image, list[Box]]:
    picture, boxes = cv2.cvtColor(wall(640, 480), cv2.COLOR_BGR2GRAY), []
    columns = sheet.shape[1] // 48
    for place, number in enumerate(numbers):
        row, column = divmod(number, columns)
        face = cv2.resize(sheet[48 * row : 48 * row + 48, 48 * column : 48 * column + 48], (side, side))
        left, top = 50 + 210 * (place % 3), 60 + 230 * (place // 3)
        picture[top : top + side, left : left + side] = face
        boxes.append(Box(left, top, side, side))
    return picture, boxes


def _judged(detector: FaceDetector, scenes: list[tuple[Image, list[Box]]]) -> tuple[int, int]:
    """True faces found, and boxes without a face."""
    found = false = 0
    for picture, boxes in scenes:
        hits = [[box.overlap(face.box) > 0.35 for box in boxes] for face in detector.detect(Picture(picture))]
        found += len({row.index(True) for row in hits if any(row)})
        false += sum(not any(row) for row in hits)
    return found, false
