"""A second look at one face, by cascades in a box around its expected place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import cv2
import numpy as np

from edge_fer.faces.geometry import Place, cut_grey
from edge_fer.faces.haar import bundled_cascade, load_cascade

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge_fer.picture import Picture
    from edge_fer.types import Landmarks

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


STRONG_AGREEING = 8
"""Raw hits of the second cascade that hardly anything but a face draws."""


@dataclass(frozen=True, slots=True)
class Manner:
    """One way of looking: which cascade, on which turn of the picture."""

    cascade: str
    """`second`, `first`, `profile`, or `crop` where the detector itself looks at a crop."""
    degrees: float = 0.0
    """The face is taken to be turned so far clockwise in the picture, and the patch is turned back."""
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class Sighting:
    """A face that a look found."""

    place: Place
    agreeing: int
    """How many raw hits of the cascade agree on it, at least 1."""
    manner: Manner
    """How to look for it the next time."""
    strong: bool
    """So clear that nothing else than a face is likely to look like it."""
    landmarks: Landmarks | None = None
    """In pixels of the frame; None where the look gives none."""
    score: float | None = None
    """On the detector's own scale; None where the look gives none."""


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


class Looker(Protocol):
    """Looks for one face where it is expected."""

    @property
    def usual(self) -> Manner:
        """How to look for a face of which nothing is known yet."""

    @property
    def fallbacks(self) -> Sequence[Manner]:
        """Other ways, tried in turn where the usual one finds nothing."""

    def look(self, picture: Picture, expected: Place, manner: Manner = ..., *, reach: float = ...) -> list[Sighting]:
        """Faces near an expected place, nearest first; `reach` is how far to look beyond it, in sides."""


@runtime_checkable
class Examiner(Protocol):
    """A `Looker` that can say how surely a place holds a face."""

    def examine(self, picture: Picture, place: Place, degrees: float = 0.0) -> float:
        """How surely a place holds a face that is turned clockwise by so much; see `EXAMINED_SCORE`."""


class FaceLooker:
    """Loads the cascades; keeps nothing from frame to frame."""

    usual = UPRIGHT
    fallbacks = FALLBACKS

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
        self, picture: Picture, expected: Place, manner: Manner = UPRIGHT, *, reach: float = LOOK_MARGIN
    ) -> list[Sighting]:
        """Faces near an expected place, nearest first.

        Args:
            picture: the frame.
            expected: where a face should be and how large.
            manner: which cascade, on which turn of the picture.
            reach: how far to look beyond the expected box, in sides.
        """
        cut = cut_grey(picture, expected, reach, LOOK_SIDE)
        patch = cut.pixels
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
            place = Place(
                cut.left + float(centre_x) / cut.scale, cut.top + float(centre_y) / cut.scale, float(w) / cut.scale
            )
            sightings.append(Sighting(place, count, manner, count >= STRONG_AGREEING))
        sightings.sort(key=lambda seen: (seen.place.distance(expected), seen.place.x, seen.place.y))
        return sightings
