"""Scenes followed from frame to frame, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_fer.faces.haar import HaarFaceDetector, HaarSettings
from edge_fer.faces.looking import FaceLooker
from edge_fer.faces.tracking import FaceTracker
from edge_fer.faces.tracking_settings import TrackingSettings
from edge_fer.types import Box, Face, Image

if TYPE_CHECKING:
    from tests.scenes import Scene

SEARCH = HaarSettings(min_neighbors=2)


class CountingDetector:
    """The real search, and how often it was asked for."""

    def __init__(self, haar: HaarSettings = SEARCH) -> None:
        self._inner = HaarFaceDetector(haar)
        self.parts = self._inner.parts
        self.whole = self.partial = 0

    def detect(self, grey: Image) -> list[Face]:
        self.whole += 1
        return self._inner.detect(grey)

    def detect_part(self, grey: Image, part: int) -> list[Face]:
        self.partial += 1
        return self._inner.detect_part(grey, part)


class ListedDetector:
    """Finds what it is told to."""

    parts = 1

    def __init__(self, *boxes: Box) -> None:
        self.boxes = boxes

    def detect(self, grey: Image) -> list[Face]:
        return [Face(box) for box in self.boxes]

    def detect_part(self, grey: Image, part: int) -> list[Face]:
        return self.detect(grey)


@dataclass
class Outcome:
    """What following a scene came to, compared with its truth."""

    due: int = 0
    found: int = 0
    false: int = 0
    switches: int = 0
    """Times that a face's id became another one."""
    ids: dict[int, list[int]] = field(default_factory=dict)
    """Ids that each actor had, in order."""


def tracker(detector: CountingDetector | ListedDetector | None = None, **values: float) -> FaceTracker:
    return FaceTracker(
        detector or CountingDetector(),
        FaceLooker(),
        TrackingSettings(**values),  # type: ignore[arg-type]
        min_face_px=SEARCH.min_face_px,
    )


def follow(scene: Scene, follower: FaceTracker | None = None) -> Outcome:
    follower, outcome = follower or tracker(), Outcome()
    for number, frame in enumerate(scene.film()):
        left = list(follower.follow(frame).faces)
        for actor, pose in scene.in_sight(number).items():
            outcome.due += 1
            best = max(left, key=lambda face: face.box.overlap(pose.box), default=None)
            if best is None or best.box.overlap(pose.box) < 0.4:
                continue
            left.remove(best)
            outcome.found += 1
            assert best.track_id is not None
            ids = outcome.ids.setdefault(actor, [])
            if not ids or ids[-1] != best.track_id:
                outcome.switches += bool(ids)
                ids.append(best.track_id)
        outcome.false += len(left)
    return outcome
