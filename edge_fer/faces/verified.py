"""Faces in single pictures: a search that lets much through, and a second cascade that must agree."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge_fer.faces.geometry import Place, same_face
from edge_fer.faces.haar import LARGEST_WIDTH, HaarFaceDetector, HaarSettings
from edge_fer.faces.looking import HELD_MARGIN, UPRIGHT, FaceLooker
from edge_fer.faces.upright import for_tilted_heads, half_as_fine

if TYPE_CHECKING:
    from edge_fer.faces.detector_settings import DetectorSettings
    from edge_fer.picture import Picture
    from edge_fer.protocols import FaceDetector
    from edge_fer.types import Face

CONFIRMING_HITS = 4
"""Raw hits of the second cascade that make a finding a face.

Measured on faces of FER-2013's PublicTest split laid over plain, cloudy and photographed grounds at 40 to 224 pixels,
on a portrait and a hard clip, and on 22 pictures without people. After a search with `min_neighbors` 1 this kept 321
of 630 faces with 6 false boxes, 25 of 25 with none, and drew 1 box where nobody was. A search alone, with 7 and a score
of 2, came to 245 with 8, 23 with 1, and 4. With 3 hits here it would be 339 with 12, 25 with 1, and 4.
"""

SIDE_OF_BOX = 0.92
"""From the boxes of the search in pictures to squares as FER-2013 cuts its faces, about the same middle: fitted by
`benchmarks/pipeline/fit_boxes.py --detectors haar` on faces of the training split in scenes. The crops of FER-2013 are
0.96 times as large in the median, with a spread of 17 %, and faces are read best at 0.90 to 0.95: 0.8 points surer than
at 1."""

SEARCH_AGREEING = 2
"""Raw hits that must agree in a full search where each finding is confirmed by a second cascade afterwards. With 5, as
where nothing confirms, the search of a clip lost 2 of 115 faces; with 2 none, and all 10 false ones were rejected."""


class ConfirmedDetector:
    """A `FaceDetector` that believes another one only where a second cascade agrees."""

    def __init__(self, looker: FaceLooker, *searches: FaceDetector) -> None:
        self._looker, self._searches = looker, searches

    def detect(self, picture: Picture) -> list[Face]:
        """Return the confirmed faces of a picture, with the boxes of the search that found them, cut as FER-2013 cuts
        its faces; largest first."""
        kept: list[Face] = []
        places: list[Place] = []
        for face in (face for search in self._searches for face in search.detect(picture)):
            place = Place.of(face.box)
            if any(same_face(place, known) for known in places):
                continue
            if any(seen.agreeing >= CONFIRMING_HITS for seen in self._looker.look(picture, place, reach=HELD_MARGIN)):
                kept.append(replace(face, box=Place(place.x, place.y, SIDE_OF_BOX * place.side).box()))
                places.append(place)
        kept.sort(key=lambda face: (-face.box.area, face.box.y, face.box.x))
        return kept


class HaarForVideo(HaarFaceDetector):
    """The search of whole frames that lets much through, for a tracker that asks `local_search` about each finding."""

    def __init__(self, settings: HaarSettings) -> None:
        """Load the cascade of the search; ConfigError where it cannot be used."""
        super().__init__(settings)
        self._first = settings.cascade

    def local_search(self) -> FaceLooker:
        """Load what looks at single faces; ConfigError where its cascades cannot be used."""
        return FaceLooker(self._first)


def create(settings: DetectorSettings) -> FaceDetector:
    """Load the detector `haar`.

    A cascade of the user's own may know other faces than the second cascade does; in pictures it is believed alone.

    Raises:
        ConfigError: there is no such cascade file, or it is not a cascade.
    """
    if settings.use != "pictures":
        return HaarForVideo(
            HaarSettings(
                settings.cascade,
                settings.detect_width,
                settings.scale_factor,
                SEARCH_AGREEING,
                settings.min_face_px,
                settings.max_faces,
            )
        )
    return for_tilted_heads(_for_pictures(settings), _for_pictures(half_as_fine(settings)), settings)


def _for_pictures(settings: DetectorSettings) -> FaceDetector:
    return picture_detector(
        replace(
            HaarSettings.for_pictures(settings.cascade, settings.min_face_px),
            max_faces=settings.max_faces,
            detect_width=settings.detect_width or LARGEST_WIDTH,
        )
    )


def picture_detector(settings: HaarSettings) -> FaceDetector:
    """Load what searches single pictures.

    A cascade of the user's own may know other faces than the second cascade does, and is believed alone.

    Raises:
        ConfigError: there is no such cascade file, or it is not a cascade.
    """
    search = HaarFaceDetector(settings)
    if settings.cascade is not None:
        return search
    # Spread contrast shows faces in flat light, and hides others.
    plain = HaarFaceDetector(replace(settings, equalise=False))
    return ConfirmedDetector(FaceLooker(manners=(UPRIGHT,)), search, plain)
