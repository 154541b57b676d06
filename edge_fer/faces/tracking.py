"""Faces followed from frame to frame: a full search now and then, a look at each face in between.

A search of the whole frame takes ten to fifty times as long as a look at one face around its expected place, and a
look finds faces that a search misses. What a search finds must be confirmed by a second cascade with errors of its
own, which rejects lamps and cloth. Frames in, faces out: the result depends on the frames and their times alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from edge_fer.faces.assignment import assign
from edge_fer.faces.geometry import Place, same_face
from edge_fer.faces.looking import UPRIGHT
from edge_fer.faces.motion import MotionGate
from edge_fer.faces.refinding import SURE_AGREEING, Refinder
from edge_fer.faces.template import remember
from edge_fer.faces.track import Track
from edge_fer.faces.tracking_settings import TrackingSettings
from edge_fer.picture import Picture
from edge_fer.protocols import FaceDetector
from edge_fer.types import Face

if TYPE_CHECKING:
    from edge_fer.faces.looking import Looker
    from edge_fer.types import Frame

LOST_GATE_SIDES, LOST_GATE_SIDES_A_SECOND = 0.8, 2.0
"""How far from its expected place a face may turn up again: at once, and more for each second out of sight."""

LOST_SIZE_RATIO = 1.6
"""A face that turns up again has a size within this ratio of the old one."""

LOST_SEARCH_SECONDS = 1.0
"""How long after a loss the whole frame is searched more often."""


@dataclass(frozen=True, slots=True)
class Followed:
    """The faces of a frame, with the frame's picture, parts of which may be converted already."""

    faces: list[Face]
    """Largest first, then from the top down and from left to right; inside the frame."""
    picture: Picture


class FaceFollower(Protocol):
    """Finds the faces of frames that follow each other."""

    def follow(self, frame: Frame) -> Followed:
        """Return the faces of the next frame."""


class SteppedDetector(FaceDetector, Protocol):
    """A `FaceDetector` whose search can be spread over several frames."""

    def steps(self, width: int, height: int) -> int:
        """Number of steps for pictures of this size, at least 1; together they find what `detect` finds."""

    def detect_step(self, picture: Picture, step: int) -> list[Face]:
        """Return the faces that one step finds, 0 to `steps` - 1."""


class _OneStep:
    """A detector that searches whole frames only."""

    def __init__(self, detector: FaceDetector) -> None:
        self.detect = detector.detect

    def steps(self, width: int, height: int) -> int:
        return 1

    def detect_step(self, picture: Picture, step: int) -> list[Face]:
        return self.detect(picture)


@dataclass(frozen=True, slots=True)
class _Found:
    """A face that a search found and a second cascade confirmed."""

    place: Place
    sure: bool
    score: float | None


class FaceTracker:
    """A `FaceFollower` that gives each face an id."""

    def __init__(
        self,
        detector: FaceDetector,
        looker: Looker,
        settings: TrackingSettings | None = None,
        *,
        min_face_px: int = 24,
    ) -> None:
        """Start with no faces.

        Args:
            detector: searches whole frames, in steps where it is a `SteppedDetector`; false findings are sorted out
                here.
            looker: looks at single faces.
            settings: how often and how long.
            min_face_px: faces that shrink below this side in frame pixels are left.
        """
        self._detector = cast("SteppedDetector", detector) if hasattr(detector, "detect_step") else _OneStep(detector)
        self._looker = looker
        self._settings = settings or TrackingSettings()
        self._min_face_px = min_face_px
        self._refinder = Refinder(looker, self._settings)
        self._gate = MotionGate()
        self._part = 0
        self._tracks: list[Track] = []
        self._next_id = 1
        self._frame = -1
        self._searched_frame: int | None = None
        self._searched_at = -math.inf
        self._moved_at = -math.inf
        self._shape: tuple[int, ...] | None = None

    def follow(self, frame: Frame) -> Followed:
        """Return the faces of the next frame.

        Raises:
            ValueError: the picture is neither uint8 BGR nor grey.
        """
        at, picture = frame.captured_at, Picture(frame.image)
        self._frame += 1
        if frame.image.shape[:2] != self._shape:
            # Another size is another picture: nothing is where it was.
            self._shape, self._tracks, self._searched_frame = frame.image.shape[:2], [], None
        self._tracks = [track for track in self._tracks if at - track.seen_at <= self._settings.forget_seconds]
        due = self._search_due(frame, at)
        if not due and not self._tracks and self._part == 0:
            return Followed([], picture)
        self._refinder.refind(picture, self._tracks, self._frame, at)
        # A new face that is not found again at once was none.
        self._tracks = [track for track in self._tracks if track.confirmed]
        if due or self._part > 0 or self._lost_search_due(at):
            self._search(picture, at)
        return Followed(self._faces(picture), picture)

    def forget(self) -> None:
        """Begin with no faces, as with another film; ids go on, so that none comes twice."""
        self._tracks, self._part, self._shape = [], 0, None
        self._searched_frame, self._searched_at, self._moved_at = None, -math.inf, -math.inf
        self._gate = MotionGate()

    def _search_due(self, frame: Frame, at: float) -> bool:
        """Whether this frame is to be searched, as far as is known before the faces are looked at."""
        settings = self._settings
        waited = math.inf if self._searched_frame is None else self._frame - self._searched_frame
        if any(track.seen_at >= track.at for track in self._tracks):
            self._moved_at = at
            return waited >= settings.detect_every
        moved = self._gate.moved(frame.image)
        idle = at - self._moved_at >= settings.idle_after_seconds
        if moved:
            self._moved_at = at
            return idle or waited >= settings.search_every
        if idle:
            return settings.idle_fps > 0 and at - self._searched_at >= 1.0 / settings.idle_fps - 1e-6
        return waited >= settings.search_every

    def _lost_search_due(self, at: float) -> bool:
        """Whether a face that has just been lost asks for a search."""
        lost = any(
            track.confirmed and not track.visible and at - track.seen_at < LOST_SEARCH_SECONDS for track in self._tracks
        )
        return lost and (
            self._searched_frame is None or self._frame - self._searched_frame >= self._settings.search_every
        )

    def _search(self, picture: Picture, at: float) -> None:
        """Search the frame: all of it where nobody is in sight or somebody has just gone, else a part, with the others
        in the next frames, so that no frame takes long while faces are followed."""
        visible = any(track.visible for track in self._tracks)
        just_lost = any(track.confirmed and not track.visible and track.silent_looks <= 1 for track in self._tracks)
        if self._part > 0 or (visible and not just_lost):
            found = self._detector.detect_step(picture, self._part)
            self._part = (self._part + 1) % self._detector.steps(picture.width, picture.height)
        else:
            found = self._detector.detect(picture)
        self._searched_frame, self._searched_at = self._frame, at
        taken = [track.place for track in self._tracks if track.visible]
        new: list[_Found] = []
        for face in found:
            if any(same_face(Place.of(face.box), place) for place in taken):
                continue
            seen = self._looker.look(picture, Place.of(face.box))
            # What the second cascade denies is a lamp or cloth; where it agrees it knows the place better.
            if seen and not any(same_face(seen[0].place, place) for place in taken):
                taken.append(seen[0].place)
                new.append(_Found(seen[0].place, seen[0].agreeing >= SURE_AGREEING, face.detection_score))
        if new:
            self._admit(picture, new, at)

    def _admit(self, picture: Picture, new: list[_Found], at: float) -> None:
        """Give new faces to the tracks that were lost, or begin tracks for them."""
        lost = [track for track in self._tracks if not track.visible]
        costs = [[self._return_cost(picture, track, found.place) for found in new] for track in lost]
        possible = [[column for column, cost in enumerate(row) if cost < math.inf] for row in costs]
        returned = {column: lost[row] for row, column in assign(possible, lambda row, column: costs[row][column])}
        for column, found in enumerate(new):
            track = returned.get(column)
            if track is not None:
                track.restart(found.place, at)
                self._refinder.confirm(picture, track, UPRIGHT, found.sure)
            elif len(self._tracks) < self._settings.max_faces:
                track = Track(self._next_id, found.place, at, at, at, at, found.sure, self._frame)
                track.template = remember(picture, found.place)
                self._next_id += 1
                self._tracks.append(track)
            else:
                break
            track.detection_score = found.score

    def _return_cost(self, picture: Picture, track: Track, place: Place) -> float:
        ratio = max(place.side, track.place.side) / min(place.side, track.place.side)
        gate = LOST_GATE_SIDES + LOST_GATE_SIDES_A_SECOND * (track.at - track.seen_at)
        distance = track.place.distance(place)
        if ratio > LOST_SIZE_RATIO or distance > gate:
            return math.inf
        return distance / gate + math.log(ratio) + 1.0 - self._refinder.likeness(picture, track, place)

    def _faces(self, picture: Picture) -> list[Face]:
        height, width = picture.height, picture.width
        faces = []
        for track in self._tracks:
            inside = 0 <= track.place.x < width and 0 <= track.place.y < height
            box = track.place.box().clipped(width, height)
            if (
                track.visible
                and inside
                and min(box.width, box.height) >= 1
                and track.place.side >= 0.8 * self._min_face_px
            ):
                faces.append(Face(box, track.track_id, track.detection_score))
        faces.sort(key=lambda face: (-face.box.area, face.box.y, face.box.x))
        return faces


class EachFrame:
    """A `FaceFollower` that searches every frame anew and knows no ids: for pictures that have nothing in common."""

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector

    def follow(self, frame: Frame) -> Followed:
        """Return the faces of one frame."""
        picture = Picture(frame.image)
        return Followed(self._detector.detect(picture), picture)
