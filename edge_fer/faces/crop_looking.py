"""A second look at one face by a detector that works on small pictures: a crop around the expected place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_fer.faces.geometry import Place, cut_bgr
from edge_fer.faces.looking import LOOK_MARGIN, UPRIGHT, Manner, Sighting
from edge_fer.picture import Picture

if TYPE_CHECKING:
    from edge_fer.protocols import FaceDetector

CROP_SIDE, FACE_SIDE = 96, 48
"""Side in pixels of the crop, a multiple of 32 as YuNet works on, and of the expected face in it."""

SURE_SCORE, LIKELY_SCORE = 0.8, 0.7
"""Scores from which a finding counts as much as three and two raw hits of a cascade."""

LARGEST_RATIO = 1.6
"""Findings larger or smaller than expected by more are of something else."""


class CropLooker:
    """A `Looker` that asks a detector about a crop; keeps nothing from frame to frame."""

    def __init__(self, detector: FaceDetector) -> None:
        """Take the detector; its smallest face must be well under `FACE_SIDE`."""
        self._detector = detector

    def look(
        self, picture: Picture, expected: Place, manner: Manner = UPRIGHT, *, reach: float = LOOK_MARGIN
    ) -> list[Sighting]:
        """Faces near an expected place, nearest first; the crop reaches half a side beyond it, whatever is asked."""
        cut = cut_bgr(picture, expected, CROP_SIDE, FACE_SIDE)
        if cut is None:
            return []
        sightings = []
        for face in self._detector.detect(Picture(cut.pixels)):
            box = Place.of(face.box)
            place = Place(cut.left + box.x / cut.scale, cut.top + box.y / cut.scale, box.side / cut.scale)
            if not 1 / LARGEST_RATIO < place.side / expected.side < LARGEST_RATIO:
                continue
            # A detector that gives no score is taken at its word.
            score = SURE_SCORE if face.detection_score is None else face.detection_score
            agreeing = 3 if score >= SURE_SCORE else 2 if score >= LIKELY_SCORE else 1
            sightings.append(Sighting(place, agreeing))
        sightings.sort(key=lambda seen: (seen.place.distance(expected), seen.place.x, seen.place.y))
        return sightings
