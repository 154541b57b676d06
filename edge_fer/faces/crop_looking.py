"""A second look at one face by a detector that works on small pictures: a crop around the expected place, turned so
that the face stands upright in it.

YuNet's landmarks follow a tilted head only in part: measured on faces turned by 15 to 60 degrees, the lines of eyes and
of mouth and eyes show a fifth to a third of the true turn, and the score falls. On a crop that is turned back both are
right. So the turn of a face is found in steps: what the landmarks show of it is added to what the crop was turned by,
until they show nothing more. From a first guess within 30 degrees that came within 8 of the truth in five steps.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2

from edge_fer.faces.geometry import Place, cut_bgr
from edge_fer.faces.looking import LOOK_MARGIN, Manner, Sighting
from edge_fer.picture import Picture
from edge_fer.types import Landmarks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.faces.geometry import Cut
    from edge_fer.protocols import FaceDetector
    from edge_fer.types import Face, Image

CROP_SIDE, FACE_SIDE = 96, 48
"""Side in pixels of the crop, a multiple of 32 as YuNet works on, and of the expected face in it."""

LEAST_SCORE = 0.5
"""Score from which a look counts a finding."""

SURE_SCORE = 0.75
"""Score from which a finding counts as much as three raw hits of a cascade."""

STRONG_SCORE = 0.86
"""Score that a face keeps up and a pattern that resembles one does not: webcams, a dim clip and a portrait reached 0.87
to 0.95 where the crop was turned right."""

EXAMINED_AT = ((48, 96), (64, 128))
"""Sides in pixels of the face and of the crop in an examination; each crop is also looked at mirrored."""

SPREAD_WEIGHT = 4.0
"""How much landmarks that jump from crop to crop take from the mean score of an examination, for each side of spread.
The spread is 0.02 to 0.04 sides on clear faces and up to 0.07 on soft ones; on a headlamp that reached a score of 0.8
in all crops it was 0.11."""

EXAMINED_SCORE = 0.45
"""Result of an examination that makes a finding a face. Of training faces of FER-2013, 24 to 200 pixels wide and laid
into scenes, it kept 94 % of those that a search found, and of 60 findings on 198 pictures without a person (textures,
lamps, coins, text, drawn wheels and clocks) none."""

EXAMINED_TURNED_SCORE, TURNED_DEGREES = 0.6, 15.0
"""The same where the head is turned by more than so much: of the turns of a headlamp one always looks like a face, at
0.46 to 0.74. With 0.75 a clip turned by 20 degrees lost a fifth of its faces."""

LEAST_EXAMINED = 3
"""Crops of an examination in which the face must be found at all."""

EXAMINED_OFF = 0.4
"""How far from the middle of a crop, in sides, a face may be found."""

LARGEST_RATIO = 1.6
"""Findings larger or smaller than expected by more are of something else."""

UPRIGHT_DEGREES = 4.0
"""Turns under this are not worth turning the crop for."""

MOST_DEGREES = 75.0
"""Faces turned by more are lying ones, which are found by turning the whole picture."""

UPRIGHT_CROP = Manner("crop")
CLOSE_CROP = Manner("close")
"""The face larger in the crop, where soft and dark ones are clearer."""

CLOSE_FACE_SIDE = 68

TURNED_CROPS = (Manner("crop", -35.0), Manner("crop", 35.0))


class CropLooker:
    """A `Looker` that asks a detector about a crop; keeps nothing from frame to frame."""

    usual = UPRIGHT_CROP
    fallbacks = (CLOSE_CROP, *TURNED_CROPS)

    def __init__(self, detector: FaceDetector) -> None:
        """Take the detector; its smallest face must be well under `FACE_SIDE`."""
        self._detector = detector

    def look(
        self, picture: Picture, expected: Place, manner: Manner = UPRIGHT_CROP, *, reach: float = LOOK_MARGIN
    ) -> list[Sighting]:
        """Faces near an expected place, nearest first; the crop reaches half a side beyond it, whatever is asked."""
        degrees = manner.degrees if abs(manner.degrees) >= UPRIGHT_DEGREES else 0.0
        # A turned crop needs the corners around it.
        side = math.ceil(CROP_SIDE * math.sqrt(2)) if degrees else CROP_SIDE
        face_side = CLOSE_FACE_SIDE if manner.cascade == CLOSE_CROP.cascade else FACE_SIDE
        cut = cut_bgr(picture, expected, side, face_side)
        if cut is None:
            return []
        pixels = turned_back(cut.pixels, degrees, CROP_SIDE) if degrees else cut.pixels
        sightings = []
        for face in self._detector.detect(Picture(pixels)):
            if not 1 / LARGEST_RATIO < max(face.box.width, face.box.height) / face_side < LARGEST_RATIO:
                continue
            if face.detection_score is not None and face.detection_score < LEAST_SCORE:
                continue
            sightings.append(_sighting(face, manner.cascade, degrees, cut, side / 2))
        sightings.sort(key=lambda seen: (seen.place.distance(expected), seen.place.x, seen.place.y))
        return sightings

    def examine(self, picture: Picture, place: Place, degrees: float = 0.0) -> float:
        """How surely a place holds a face, from several crops: faces look alike at two scales and mirrored.

        Returns:
            The mean score of the crops, less `SPREAD_WEIGHT` times the spread of the landmarks between them in sides;
            from `EXAMINED_SCORE` on it is a face. -1.0 where too few crops show one.

        Args:
            picture: the frame.
            place: where, and how large.
            degrees: how far the head is turned clockwise.
        """
        scores, marks = list[float](), list[tuple[tuple[float, float], ...]]()
        for face_side, side in EXAMINED_AT:
            wide = math.ceil(side * math.sqrt(2)) if abs(degrees) >= UPRIGHT_DEGREES else side
            cut = cut_bgr(picture, place, wide, face_side)
            if cut is None:
                continue
            pixels = turned_back(cut.pixels, degrees, side) if wide > side else cut.pixels
            for mirrored in (False, True):
                face = self._at_the_middle(pixels[:, ::-1] if mirrored else pixels, face_side)
                if face is None:
                    continue
                # A detector that gives no score is taken at its word.
                scores.append(SURE_SCORE if face.detection_score is None else face.detection_score)
                if face.landmarks is not None:
                    marks.append(_in_sides(face.landmarks, side, face_side, mirrored))
        if len(scores) < LEAST_EXAMINED:
            return -1.0
        return sum(scores) / (2 * len(EXAMINED_AT)) - SPREAD_WEIGHT * _spread(marks)

    def _at_the_middle(self, pixels: Image, face_side: int) -> Face | None:
        middle = Place(pixels.shape[1] / 2, pixels.shape[0] / 2, face_side)
        found = [
            face
            for face in self._detector.detect(Picture(pixels))
            if 1 / LARGEST_RATIO < max(face.box.width, face.box.height) / face_side < LARGEST_RATIO
            and Place.of(face.box).distance(middle) < EXAMINED_OFF
        ]
        return max(found, key=lambda face: face.detection_score or 0.0, default=None)


def _in_sides(landmarks: Landmarks, side: int, face_side: int, mirrored: bool) -> tuple[tuple[float, float], ...]:
    """Landmarks about the middle of a crop, as if it had not been mirrored."""
    points = [((x - side / 2) / face_side, (y - side / 2) / face_side) for x, y in landmarks.points]
    if mirrored:
        right_eye, left_eye, nose, right_mouth, left_mouth = [(-x, y) for x, y in points]
        points = [left_eye, right_eye, nose, left_mouth, right_mouth]
    return tuple(points)


def _spread(marks: Sequence[tuple[tuple[float, float], ...]]) -> float:
    """Root of the mean square distance of landmarks from their means; 0 where there are none."""
    if not marks:
        return 0.0
    squares = 0.0
    for points in zip(*marks, strict=True):
        middle_x, middle_y = (sum(at) / len(points) for at in zip(*points, strict=True))
        squares += sum((x - middle_x) ** 2 + (y - middle_y) ** 2 for x, y in points)
    return math.sqrt(squares / (len(marks) * len(marks[0])))


def turned_back(pixels: Image, degrees: float, side: int) -> Image:
    """The middle of a square picture, `side` pixels wide, in which a face turned clockwise by so much is upright."""
    turn = cv2.getRotationMatrix2D((pixels.shape[1] / 2, pixels.shape[0] / 2), degrees, 1.0)
    turn[:, 2] += (side - pixels.shape[1]) / 2, (side - pixels.shape[0]) / 2
    return cv2.warpAffine(pixels, turn, (side, side))  # type: ignore[return-value]


def _sighting(face: Face, kind: str, degrees: float, cut: Cut, middle: float) -> Sighting:
    """A finding in the crop, in pixels of the frame."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))

    def back(x: float, y: float) -> tuple[float, float]:
        off_x, off_y = x - CROP_SIDE / 2, y - CROP_SIDE / 2
        right, down = middle + cos * off_x - sin * off_y, middle + sin * off_x + cos * off_y
        return cut.left + right / cut.scale, cut.top + down / cut.scale

    box = Place.of(face.box)
    # A detector that gives no score is taken at its word.
    score = SURE_SCORE if face.detection_score is None else face.detection_score
    x, y = back(box.x, box.y)
    landmarks = None if face.landmarks is None else Landmarks(*(back(*point) for point in face.landmarks.points))
    seen = degrees + (0.0 if face.landmarks is None else remaining_degrees(face.landmarks))
    manner = Manner(kind, max(-MOST_DEGREES, min(MOST_DEGREES, seen)))
    agreeing = 3 if score >= SURE_SCORE else 1
    return Sighting(Place(x, y, box.side / cut.scale), agreeing, manner, score >= STRONG_SCORE, landmarks, score)


def remaining_degrees(landmarks: Landmarks) -> float:
    """How much of a clockwise turn landmarks still show: the mean of the line of the eyes and of the line from between
    the eyes to between the corners of the mouth."""
    right_eye, left_eye, _, right_mouth, left_mouth = landmarks.points
    down_x = (right_mouth[0] + left_mouth[0] - right_eye[0] - left_eye[0]) / 2
    down_y = (right_mouth[1] + left_mouth[1] - right_eye[1] - left_eye[1]) / 2
    return (landmarks.roll_degrees + math.degrees(math.atan2(-down_x, down_y))) / 2
