"""Where a face is: a square in the frame, and when two of them are the same face."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge_fer.types import Box

if TYPE_CHECKING:
    from edge_fer.picture import Picture
    from edge_fer.types import Image

SAME_OVERLAP = 0.3
"""Intersection over union from which two findings are one face."""


@dataclass(frozen=True, slots=True)
class Place:
    """A face's square in pixels of the frame, between pixels too."""

    x: float
    """Centre, from the left."""
    y: float
    """Centre, from the top."""
    side: float

    @classmethod
    def of(cls, box: Box) -> Place:
        """The place of a box; the longer side counts."""
        return cls(box.x + box.width / 2, box.y + box.height / 2, float(max(box.width, box.height)))

    def box(self) -> Box:
        """The place rounded to pixels; it may reach over the frame's edge."""
        side = max(1, round(self.side))
        return Box(round(self.x - side / 2), round(self.y - side / 2), side, side)

    def distance(self, other: Place) -> float:
        """Distance of the centres, in sides of the smaller of the two."""
        return math.hypot(self.x - other.x, self.y - other.y) / max(1.0, min(self.side, other.side))

    def near(self, other: Place, sides: float) -> bool:
        """Whether the `distance` is at most so many sides; most are not, and are recognised by one subtraction."""
        off_x, limit = self.x - other.x, sides * (self.side if self.side < other.side else other.side)
        return -limit <= off_x <= limit and math.hypot(off_x, self.y - other.y) <= limit

    def overlap(self, other: Place) -> float:
        """Intersection over union of the boxes, 0.0 to 1.0."""
        # Most do not touch, and that is known without making boxes, whose edges lie within a pixel of the place's.
        reach = (self.side + other.side) / 2 + 2
        if abs(self.x - other.x) > reach or abs(self.y - other.y) > reach:
            return 0.0
        return self.box().overlap(other.box())


def same_face(found: Place, known: Place) -> bool:
    """Whether a finding is a known face, or a part of it."""
    if found.overlap(known) > SAME_OVERLAP:
        return True
    return found.side < known.side and math.hypot(found.x - known.x, found.y - known.y) < known.side / 2


@dataclass(frozen=True, slots=True)
class Cut:
    """The part of a frame around a place, scaled to a chosen size of the face."""

    pixels: Image
    """Grey or BGR; empty where the place lies outside of the frame."""
    left: int
    """Left edge in the frame."""
    top: int
    """Upper edge in the frame."""
    scale: float
    """Pixels of the part for one of the frame."""


def cut_grey(picture: Picture, place: Place, reach: float, face_side: int) -> Cut:
    """Cut out a place and `reach` sides around it, as far as the frame goes; the face gets `face_side` pixels."""
    left, top, right, bottom = _edges(picture, place, reach)
    if right - left < 2 or bottom - top < 2:
        return Cut(np.empty((0, 0), np.uint8), left, top, 1.0)
    scale = face_side / place.side
    size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    how = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    pixels = cv2.resize(picture.grey_part(left, top, right, bottom), size, interpolation=how)
    return Cut(pixels, left, top, scale)  # type: ignore[arg-type]


def _edges(picture: Picture, place: Place, reach: float) -> tuple[int, int, int, int]:
    half = place.side * (0.5 + reach)
    left, top = max(0, round(place.x - half)), max(0, round(place.y - half))
    return left, top, min(picture.width, round(place.x + half)), min(picture.height, round(place.y + half))


def cut_bgr(picture: Picture, place: Place, side: int, face_side: int) -> Cut | None:
    """Cut out a square of `side` pixels with the place in its middle, scaled so that the face has `face_side`.

    What lies outside of the frame is black. None where the place does not touch the frame.
    """
    half = place.side * side / face_side / 2
    left, top, right, bottom = (
        round(edge) for edge in (place.x - half, place.y - half, place.x + half, place.y + half)
    )
    # A side that can be halved is shrunk faster; a pixel or two in several hundred are less than a look can say.
    halvings = 1 << max(0, int(math.log2(max(1, right - left) / side)))
    length = (right - left) // halvings * halvings
    right, bottom = left + length, top + length
    inner_left, inner_top = max(0, left), max(0, top)
    inner_right, inner_bottom = min(picture.width, right), min(picture.height, bottom)
    if inner_right - inner_left < 2 or inner_bottom - inner_top < 2:
        return None
    scale = side / (right - left)
    pixels = picture.bgr[inner_top:inner_bottom, inner_left:inner_right]
    if (inner_left, inner_top, inner_right, inner_bottom) == (left, top, right, bottom):
        return Cut(resized(pixels, side, side), left, top, scale)
    canvas = np.zeros((side, side, 3), np.uint8)
    x, y = round((inner_left - left) * scale), round((inner_top - top) * scale)
    wide = max(1, min(side - x, round(pixels.shape[1] * scale)))
    high = max(1, min(side - y, round(pixels.shape[0] * scale)))
    canvas[y : y + high, x : x + wide] = resized(pixels, wide, high)
    return Cut(canvas, left, top, scale)


def resized(pixels: Image, width: int, height: int) -> Image:
    """The pixels at another size in pixels: averaged where it is smaller, interpolated where it is larger."""
    if width >= pixels.shape[1]:
        return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]
    # OpenCV halves in a fraction of the time that other means take: a quarter of the size is had in a third of it.
    while not (pixels.shape[0] % 2 or pixels.shape[1] % 2) and (
        pixels.shape[1] >= 2 * width and pixels.shape[0] >= 2 * height
    ):
        halves = (pixels.shape[1] // 2, pixels.shape[0] // 2)
        pixels = cv2.resize(pixels, halves, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    if pixels.shape[1] == width and pixels.shape[0] == height:
        return pixels
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
