from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_fer.faces.detector_settings import DetectorSettings
from edge_fer.faces.tilted import LARGEST, TURNS, TiltedDetector, turned_back
from edge_fer.faces.upright import half_as_fine
from edge_fer.picture import Picture
from edge_fer.types import Box, Face, Landmarks


class Dots:
    """Takes every white dot for a face of 40 pixels; keeps the pictures that it was given."""

    def __init__(self, score: float) -> None:
        self.score, self.seen = score, []  # type: ignore[var-annotated]

    def detect(self, picture: Picture) -> list[Face]:
        self.seen.append(picture)
        rows, columns = np.nonzero(picture.grey > 100)
        if not rows.size:
            return []
        x, y = columns.mean() + 0.5, rows.mean() + 0.5
        box = Box(round(x) - 20, round(y) - 20, 40, 40)
        eyes = Landmarks((x - 10, y), (x + 10, y), (x, y), (x, y), (x, y))
        return [Face(box, detection_score=self.score, landmarks=eyes)]


class Nobody:
    def detect(self, picture: Picture) -> list[Face]:
        return []


def dot(width: int, height: int, x: int, y: int, size: int = 6) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    image[y - size // 2 : y + size // 2, x - size // 2 : x + size // 2] = 255
    return image


@pytest.mark.parametrize("degrees", [-30.0, 30.0, 45.0, 90.0, 180.0])
@pytest.mark.parametrize(("width", "height"), [(300, 200), (200, 300), (2000, 900)])
def test_the_way_back_leads_to_the_pixel(degrees: float, width: int, height: int) -> None:
    image = dot(width, height, width // 3, height // 4, 20)
    pixels, back = turned_back(image, degrees)
    rows, columns = np.nonzero(pixels[..., 0] > 128)
    x, y = back @ (columns.mean() + 0.5, rows.mean() + 0.5, 1.0)
    assert abs(x - width // 3) < 1
    assert abs(y - height // 4) < 1
    assert max(pixels.shape[:2]) <= 1.5 * LARGEST


def test_a_face_of_a_turned_picture_is_placed_in_the_picture() -> None:
    [face] = TiltedDetector(Nobody(), Dots(0.8), 10).detect(Picture(dot(300, 200, 120, 90)))
    assert abs(face.box.x + face.box.width / 2 - 120) <= 1
    assert abs(face.box.y + face.box.height / 2 - 90) <= 1
    assert face.box.width == face.box.height == 40
    assert face.landmarks is not None
    # Both turns found it and are equally sure; the first says that it is turned by its own turn.
    assert face.landmarks.roll_degrees == pytest.approx(TURNS[0], abs=0.5)


def test_the_surest_turn_of_a_face_is_kept() -> None:
    [face] = TiltedDetector(Dots(0.9), Dots(0.8), 10).detect(Picture(dot(300, 200, 120, 90)))
    assert face.detection_score == 0.9
    assert face.landmarks is not None
    assert face.landmarks.roll_degrees == pytest.approx(0.0)


def test_what_only_the_repeated_corners_show_is_no_face() -> None:
    class Corner:
        def detect(self, picture: Picture) -> list[Face]:
            return [Face(Box(0, 0, 30, 30), detection_score=0.9)]

    assert TiltedDetector(Nobody(), Corner(), 10).detect(Picture(dot(300, 200, 120, 90))) == []


def test_no_more_faces_than_asked_for_the_largest_first() -> None:
    class Many:
        def detect(self, picture: Picture) -> list[Face]:
            return [Face(Box(30 * n, 5, 10 + n, 10 + n), detection_score=0.9) for n in range(6)]

    faces = TiltedDetector(Many(), Nobody(), 3).detect(Picture(dot(300, 200, 120, 90)))
    assert [face.box.width for face in faces] == [15, 14, 13]


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 400), (400, 1, 3), (5, 7)])
def test_any_picture_can_be_turned(shape: tuple[int, ...]) -> None:
    assert TiltedDetector(Nobody(), Nobody(), 3).detect(Picture(np.zeros(shape, np.uint8))) == []


def test_turned_pictures_are_searched_half_as_finely() -> None:
    settings = DetectorSettings.for_pictures(min_face_px=30)
    assert half_as_fine(settings) == replace(settings, min_face_px=60)
    assert half_as_fine(replace(settings, detect_width=800, min_face_px=9000)).detect_width == 400
    assert half_as_fine(replace(settings, min_face_px=9000)).min_face_px == 10_000
