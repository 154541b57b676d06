"""Scenes followed from frame to frame, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from edge_fer.detectors import FaceSettings, Opened, build_tracker, local_search, open_detector
from edge_fer.faces.detector_settings import DetectorSettings
from edge_fer.faces.looking import FaceLooker
from edge_fer.faces.tracking_settings import TrackingSettings
from edge_fer.types import Box, Face

if TYPE_CHECKING:
    from edge_fer.faces.looking import Looker
    from edge_fer.faces.schedule import SearchPlan
    from edge_fer.faces.tracking import FaceTracker, SteppedDetector
    from edge_fer.picture import Picture
    from edge_fer.protocols import FaceDetector
    from tests.scenes import Scene

DETECTORS = ("haar", "yunet")
"""Names of the built-in detectors; tests of YuNet are skipped where its file is not installed."""


class CountingDetector:
    """The real search, and how many of its steps were asked for."""

    def __init__(self, name: str = "haar", **values: int) -> None:
        self.opened = open_detector(name, DetectorSettings(**values))  # type: ignore[arg-type]
        self._inner = cast("SteppedDetector", self.opened.detector)
        self.steps = 0

    def plan(self, width: int, height: int) -> SearchPlan:
        return self._inner.plan(width, height)

    def local_search(self) -> Looker:
        return local_search(self.opened, DetectorSettings())

    def detect(self, picture: Picture) -> list[Face]:
        return self._inner.detect(picture)

    def detect_step(self, picture: Picture, step: int) -> list[Face]:
        self.steps += 1
        return self._inner.detect_step(picture, step)


class ListedDetector:
    """Finds what it is asked to; cascades look at each finding."""

    def __init__(self, *boxes: Box) -> None:
        self.boxes = boxes

    def local_search(self) -> Looker:
        return FaceLooker()

    def detect(self, picture: Picture) -> list[Face]:
        return [Face(box) for box in self.boxes]


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


def tracker(detector: FaceDetector | None = None, **values: float) -> FaceTracker:
    settings = FaceSettings(tracking=TrackingSettings(**values))  # type: ignore[arg-type]
    return build_tracker(settings, Opened("test", detector or CountingDetector()))


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
