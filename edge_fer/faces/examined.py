"""Faces in single pictures that crops agree on: a search that is not sure of a finding has it examined."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_fer.faces.crop_looking import EXAMINED_SCORE
from edge_fer.faces.geometry import Place

if TYPE_CHECKING:
    from edge_fer.faces.looking import Examiner
    from edge_fer.picture import Picture
    from edge_fer.protocols import FaceDetector
    from edge_fer.types import Face

CLEAR_SCORE = 0.88
"""Score of a finding that needs no examination; in 198 pictures without a person the best was 0.85."""


class ExaminedDetector:
    """A `FaceDetector` that leaves out what another one finds and crops of the picture do not confirm."""

    def __init__(self, detector: FaceDetector, examiner: Examiner, least: float = EXAMINED_SCORE) -> None:
        """Take the detector, what examines its findings, and the result of an examination from which one is a face."""
        self._detector, self._examiner, self._least = detector, examiner, least

    def detect(self, picture: Picture) -> list[Face]:
        """The faces in the order of the detector; a face without a score is taken at the detector's word."""
        return [face for face in self._detector.detect(picture) if self._is_face(picture, face)]

    def _is_face(self, picture: Picture, face: Face) -> bool:
        if face.detection_score is None or face.detection_score >= CLEAR_SCORE:
            return True
        return self._examiner.examine(picture, Place.of(face.box)) >= self._least
