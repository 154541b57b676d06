"""A second look at one face: by cascades in a box around its expected place, or by its template."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge_fer.faces.haar import bundled_cascade, load_cascade
from edge_fer.types import Box

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge_fer.types import Image

SECOND_CASCADE = "haarcascade_frontalface_alt2.xml"
"""The 20x20 frontal-face tree cascade by Rainer Lienhart: cheaper on small pictures, and with errors of its own."""

PROFILE_CASCADE = "haarcascade_profileface.xml"
"""Faces turned to their right by David Bradley; mirrored for those turned to their left."""

LOOK_SIDE = 48
"""Side in pixels that a face is scaled to for a look. At 36 the tree cascade missed 4 % of the faces in a clip of a
person with lowered eyes, at 48 none."""

SMALLEST, LARGEST = 0.75, 1.34
"""Sizes that a look accepts, as shares of the expected side."""

LOOK_MARGIN = 0.35
"""How far a look reaches beyond the expected box on each side, as a share of the side."""

HELD_MARGIN = 0.25
"""The same for a face that was seen in the frame before: a third fewer windows to try."""

SAME_OVERLAP = 0.3
"""Intersection over union from which two findings are one face."""

TEMPLATE_SIDE = 24
"""Side in pixels of a face's template."""


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
        """Whether the `distance` is at most so many sides; most are not, and are told by one subtraction."""
        off_x, limit = self.x - other.x, sides * (self.side if self.side < other.side else other.side)
        return -limit <= off_x <= limit and math.hypot(off_x, self.y - other.y) <= limit

    def overlap(self, other: Place) -> float:
        """Intersection over union of the boxes, 0.0 to 1.0."""
        # Most do not touch, and that is told without making boxes, whose edges lie within a pixel of the place's.
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
class Sighting:
    """A face that a look found."""

    place: Place
    agreeing: int
    """How many raw hits of the cascade agree on it, at least 1."""


@dataclass(frozen=True, slots=True)
class Manner:
    """One way of looking: which cascade, on which turn of the picture."""

    cascade: str
    """`second`, `first` or `profile`."""
    degrees: float = 0.0
    """The face is taken to be turned so far clockwise in the picture, and the patch is turned back."""
    mirrored: bool = False


UPRIGHT = Manner("second")

FALLBACKS = (
    Manner("first"),
    Manner("second", 20.0),
    Manner("second", -20.0),
    Manner("profile"),
    Manner("profile", mirrored=True),
    Manner("second", 35.0),
    Manner("second", -35.0),
)
"""Tried in turn, one a frame, where the usual look finds nothing."""


@dataclass(frozen=True, slots=True)
class Template:
    """How a face looked when a cascade last found it."""

    pixels: Image
    """Grey uint8 [TEMPLATE_SIDE, TEMPLATE_SIDE]: the middle of the face."""


class FaceLooker:
    """Loads the cascades; keeps nothing from frame to frame."""

    def __init__(self, first: Path | None = None, manners: Sequence[Manner] = (UPRIGHT, *FALLBACKS)) -> None:
        """Load the cascades.

        Args:
            first: the cascade of the full search; None takes the one that came with OpenCV.
            manners: the ways of looking that will be used; the cascades of others are not loaded.

        Raises:
            ConfigError: there is no such cascade file, or it is not a cascade.
        """
        own = first or bundled_cascade()
        files = {"first": own, "second": bundled_cascade(SECOND_CASCADE), "profile": bundled_cascade(PROFILE_CASCADE)}
        # A cut-down installation of OpenCV may bring one cascade only.
        self._cascades = {
            name: load_cascade(path if path.is_file() else own)
            for name, path in files.items()
            if any(manner.cascade == name for manner in manners)
        }

    def look(
        self, grey: Image, expected: Place, manner: Manner = UPRIGHT, *, reach: float = LOOK_MARGIN
    ) -> list[Sighting]:
        """Faces near an expected place, nearest first.

        Args:
            grey: the frame, uint8 [height, width].
            expected: where a face should be and how large.
            manner: which cascade, on which turn of the picture.
            reach: how far to look beyond the expected box, in sides.
        """
        patch, left, top, scale = _cut(grey, expected, reach, LOOK_SIDE)
        if min(patch.shape) < LOOK_SIDE * SMALLEST:
            return []
        patch = cv2.equalizeHist(patch)  # type: ignore[assignment]
        height, width = patch.shape
        back = None
        if manner.degrees:
            turn = cv2.getRotationMatrix2D((width / 2, height / 2), manner.degrees, 1.0)
            patch = cv2.warpAffine(patch, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)  # type: ignore[assignment]
            back = cv2.invertAffineTransform(turn)
        if manner.mirrored:
            patch = np.ascontiguousarray(patch[:, ::-1])
        smallest, largest = int(LOOK_SIDE * SMALLEST), int(LOOK_SIDE * LARGEST)
        found, counts = self._cascades[manner.cascade].detectMultiScale2(
            patch, scaleFactor=1.15, minNeighbors=1, minSize=(smallest, smallest), maxSize=(largest, largest)
        )
        sightings = []
        # Python's numbers are the same and add up in a fifth of the time.
        for (x, y, w, h), count in zip(np.asarray(found).tolist(), np.asarray(counts).tolist(), strict=True):
            centre_x, centre_y = x + w / 2, y + h / 2
            if manner.mirrored:
                centre_x = width - centre_x
            if back is not None:
                centre_x, centre_y = back @ (centre_x, centre_y, 1.0)
            place = Place(left + float(centre_x) / scale, top + float(centre_y) / scale, float(w) / scale)
            sightings.append(Sighting(place, count))
        sightings.sort(key=lambda seen: (seen.place.distance(expected), seen.place.x, seen.place.y))
        return sightings

    def remember(self, grey: Image, place: Place) -> Template | None:
        """The face's template; None where the frame's edge cuts it too far."""
        patch = _cut(grey, place, 0.0, TEMPLATE_SIDE)[0]
        if patch.shape != (TEMPLATE_SIDE, TEMPLATE_SIDE):
            return None
        return Template(patch)

    def match(self, grey: Image, expected: Place, template: Template, reach: float = 0.25) -> tuple[Place, float]:
        """Where the template fits best near an expected place of the same size, and how well.

        Returns:
            The place, and the correlation from -1.0 to 1.0; -1.0 where it cannot be compared.
        """
        patch, left, top, scale = _cut(grey, expected, reach, TEMPLATE_SIDE)
        if min(patch.shape) < TEMPLATE_SIDE:
            return expected, -1.0
        fits = cv2.matchTemplate(patch, template.pixels, cv2.TM_CCOEFF_NORMED)
        _, best, _, (x, y) = cv2.minMaxLoc(fits)
        # Flat patches divide by nothing.
        if not math.isfinite(best) or best > 1.001:
            return expected, -1.0
        centre_x = x + _peak(fits[y].tolist(), x) + TEMPLATE_SIDE / 2
        centre_y = y + _peak(fits[:, x].tolist(), y) + TEMPLATE_SIDE / 2
        return Place(left + centre_x / scale, top + centre_y / scale, expected.side), float(best)


def _peak(values: list[float], at: int) -> float:
    """How far the top of a parabola through the highest value and its neighbours lies from it, -0.5 to 0.5."""
    if not 0 < at < len(values) - 1:
        return 0.0
    before, highest, after = values[at - 1 : at + 2]
    bend = before - 2.0 * highest + after
    return 0.0 if bend >= 0 else max(-0.5, min(0.5, 0.5 * (before - after) / bend))


def _cut(grey: Image, place: Place, reach: float, face_side: int) -> tuple[Image, int, int, float]:
    """The part of the frame around a place, scaled so that the face has `face_side` pixels.

    Returns:
        The patch (it may be empty), its left and top edge in the frame, and its scale against the frame.
    """
    height, width = grey.shape
    half = place.side * (0.5 + reach)
    left, top = max(0, round(place.x - half)), max(0, round(place.y - half))
    right, bottom = min(width, round(place.x + half)), min(height, round(place.y + half))
    if right - left < 2 or bottom - top < 2:
        return np.empty((0, 0), np.uint8), left, top, 1.0
    scale = face_side / place.side
    size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    how = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    return cv2.resize(grey[top:bottom, left:right], size, interpolation=how), left, top, scale  # type: ignore[return-value]
