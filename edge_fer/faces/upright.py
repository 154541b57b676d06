"""Faces of a detector with the roll of each head, so that they are read upright."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge_fer.faces.roll import RollEstimator
from edge_fer.faces.tilted import TiltedDetector

if TYPE_CHECKING:
    from edge_fer.faces.detector_settings import DetectorSettings
    from edge_fer.picture import Picture
    from edge_fer.protocols import FaceDetector
    from edge_fer.types import Face


class UprightDetector:
    """A `FaceDetector` that finds what another one finds, and measures how far each head is turned.

    For detectors that give no landmarks, or such that hardly turn with the head.
    """

    def __init__(self, detector: FaceDetector, roll: RollEstimator | None = None) -> None:
        self._detector, self._roll = detector, roll or RollEstimator()

    def detect(self, picture: Picture) -> list[Face]:
        """The faces in the order of the detector, each with `measured_roll_degrees`."""
        return [
            replace(face, measured_roll_degrees=self._roll.degrees(picture, face.box))
            for face in self._detector.detect(picture)
        ]


def for_tilted_heads(upright: FaceDetector, turned: FaceDetector, settings: DetectorSettings) -> UprightDetector:
    """What single pictures are searched with: as they are and turned, and each head's roll measured.

    Args:
        upright: searches pictures as they are.
        turned: searches turned ones.
        settings: what was asked of both.
    """
    return UprightDetector(TiltedDetector(upright, turned, settings.max_faces))


def half_as_fine(settings: DetectorSettings) -> DetectorSettings:
    """The settings for turned pictures: twice the least face, so that the turns cost as much again as the upright
    search and not three times as much."""
    width = None if settings.detect_width is None else max(24, settings.detect_width // 2)
    return replace(settings, min_face_px=min(10_000, 2 * settings.min_face_px), detect_width=width)
