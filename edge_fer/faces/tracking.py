"""Faces followed from frame to frame, in five steps: predict, observe, associate, update, spawn and retire.

A search of the whole frame takes five to fifty times as long as a look at one face around its expected place, and a
look finds faces that a search misses. So frames are searched now and then, in steps that are spread over frames, and
what a search finds must be confirmed by a look, which rejects lamps and cloth. A track lives by evidence: what neither
the searches nor a look beyond doubt find again is dropped. Frames in, faces out: the result depends on the frames and
their times alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from edge_fer.faces.association import associate, associate_returned
from edge_fer.faces.confirm import Denied, confirmed
from edge_fer.faces.detector_settings import is_large_enough
from edge_fer.faces.geometry import Place, same_face
from edge_fer.faces.observe import SURE_AGREEING, observe
from edge_fer.faces.roll import RollEstimator
from edge_fer.faces.schedule import LOST_SEARCH_SECONDS, SearchPlan, SearchSchedule
from edge_fer.faces.template import remember
from edge_fer.faces.track import Track
from edge_fer.faces.tracking_settings import TrackingSettings
from edge_fer.picture import Picture
from edge_fer.protocols import FaceDetector
from edge_fer.types import Face

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge_fer.faces.looking import Looker, Sighting
    from edge_fer.faces.observe import Finding
    from edge_fer.types import Frame

DOUBTFUL_SCORE = 0.5
"""While somebody is in sight, candidates with less are not worth the look."""

CHEST_SIDES = (1.0, 4.0)
"""How far a chest is below the middle of a face, in its sides. A skull on a shirt reached scores of 0.75 and 0.82."""

TRIALS = 3
"""Frames in which a new face that a network saw, but not surely, is looked at again."""

PROOF_SCORE = 0.6
"""Score of a network's finding from which it proves a track; what has less is a candidate that a look must confirm."""


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

    def plan(self, width: int, height: int) -> SearchPlan:
        """The steps for pictures of this size."""

    def detect_step(self, picture: Picture, step: int) -> list[Face]:
        """Return the faces that one step of the plan finds."""


class _OneStep:
    """A detector that searches whole frames only."""

    def __init__(self, detector: FaceDetector) -> None:
        self.detect = detector.detect

    def plan(self, width: int, height: int) -> SearchPlan:
        return SearchPlan()

    def detect_step(self, picture: Picture, step: int) -> list[Face]:
        return self.detect(picture)


@dataclass(frozen=True, slots=True)
class _New:
    """A face that a search found and a look confirmed."""

    seen: Sighting
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
            detector: searches whole frames, in steps where it is a `SteppedDetector`.
            looker: looks at single faces.
            settings: how often and how long.
            min_face_px: faces that shrink below this side in frame pixels are left.
        """
        self._detector = cast("SteppedDetector", detector) if hasattr(detector, "detect_step") else _OneStep(detector)
        self._looker = looker
        self._settings = settings or TrackingSettings()
        self._min_face_px = min_face_px
        self._schedule = SearchSchedule(self._settings)
        self._tracks: list[Track] = []
        self._denied, self._roll = Denied([]), RollEstimator()
        self._next_id = 1
        self._frame = -1
        self._shape: tuple[int, ...] | None = None

    def follow(self, frame: Frame) -> Followed:
        """Return the faces of the next frame.

        Raises:
            ValueError: the picture is neither uint8 BGR nor grey.
        """
        at, picture, settings = frame.captured_at, Picture(frame.image), self._settings
        self._frame += 1
        if frame.image.shape[:2] != self._shape:
            # Another size is another picture: nothing is where it was.
            self._shape, self._tracks, self._denied = frame.image.shape[:2], [], Denied([])
            self._schedule.restart()
        tracks = [track for track in self._tracks if at - track.seen_at <= settings.forget_seconds]
        was_seen = [track.seen_at >= track.at for track in tracks]
        due = self._schedule.due(frame.image, self._frame, at, any(was_seen))
        if not due and not tracks and not self._schedule.is_spread:
            self._tracks = []
            return Followed([], picture)
        for track in tracks:
            track.predict(at)
        findings = observe(picture, tracks, was_seen, self._frame, self._looker, settings)
        update(picture, associate(picture, tracks, findings), self._roll)
        # A new face that is not found again at once was none.
        self._tracks = [track for track in tracks if track.confirmed or (track.visible_at_all and track.trials > 0)]
        if due or self._schedule.is_spread or (_lost(self._tracks) and self._schedule.due_after_loss(self._frame)):
            self._search(picture, at)
        self._tracks = [track for track in self._tracks if not track.is_doubtful]
        return Followed(shown(self._tracks, picture, self._min_face_px), picture)

    def forget(self) -> None:
        """Begin with no faces, as with another film; ids go on, so that none comes twice."""
        self._tracks, self._shape, self._denied = [], None, Denied([])
        self._schedule = SearchSchedule(self._settings)

    def _search(self, picture: Picture, at: float) -> None:
        """Do the steps of the search that are due, prove the tracks that they find, and spawn tracks for new faces."""
        plan = self._detector.plan(picture.width, picture.height)
        visible = sum(track.visible for track in self._tracks)
        just_lost = any(not track.visible and track.silent_looks <= 1 for track in self._tracks)
        steps = self._schedule.take(plan, self._frame, at, visible, just_lost)
        self._do(picture, at, plan, steps)
        doubtful = sum(place_at == at for _, _, place_at in self._denied.places)
        rest = self._schedule.rest(sum(track.visible_at_all for track in self._tracks) + doubtful)
        if rest:
            self._do(picture, at, plan, rest)

    def _do(self, picture: Picture, at: float, plan: SearchPlan, steps: Sequence[int]) -> None:
        """Do steps of the search and take in what they find."""
        upright, turned = list[Face](), list[Face]()
        for step in steps:
            (turned if step in plan.turned else upright).extend(self._detector.detect_step(picture, step))
        if len(steps) > 1 and any(face.landmarks is not None for face in upright):
            # Of several scales the one that shows a face best comes first: what a look denies is denied for all.
            upright.sort(key=lambda face: -(face.detection_score or 0.0))
        for track in self._tracks:
            track.unproved_steps += plan.chances(steps, track.place)
        new = prove(picture, self._tracks, upright, turned, self._looker, self._denied, at)
        returned = associate_returned(
            picture, [track for track in self._tracks if not track.visible], [one.seen.place for one in new]
        )
        for index, one in enumerate(new):
            lost = returned.get(index)
            if lost is not None:
                track = lost
                track.restart(one.seen.place, at)
            elif len(self._tracks) < self._settings.max_faces:
                track = new_track(self._next_id, one.seen, at, self._frame)
                self._next_id += 1
                self._tracks.append(track)
            else:
                break
            track.detection_score = one.score
            _measure_roll(picture, track, one.seen, self._roll)
            track.template = remember(picture, track.place) or track.template


def update(picture: Picture, pairs: Iterable[tuple[Track, Finding]], roll: RollEstimator) -> None:
    """Fourth step: correct each track by its finding, and remember how a face that a look confirmed looks now.

    Args:
        picture: the frame.
        pairs: tracks with what was found of them.
        roll: measures how far heads are turned, where looks give no landmarks.
    """
    for track, finding in pairs:
        seen = finding.seen
        track.correct(finding.place, resized=seen is not None and seen.manner.cascade != "profile")
        if seen is not None:
            track.confirm(seen, finding.sure)
            _measure_roll(picture, track, seen, roll)
            track.template = remember(picture, track.place) or track.template


def _measure_roll(picture: Picture, track: Track, seen: Sighting, roll: RollEstimator) -> None:
    """Measure how far a head is turned where the look that found it does not show that; profiles it does not know."""
    if seen.landmarks is None and seen.manner.cascade != "profile":
        track.roll(roll.degrees(picture, seen.place.box()))


def prove(
    picture: Picture,
    tracks: Sequence[Track],
    upright: Sequence[Face],
    turned: Sequence[Face],
    looker: Looker,
    denied: Denied,
    at: float,
) -> list[_New]:
    """Note for each track in sight whether a search found it; return what is no track and what a look confirms.

    Args:
        picture: the frame.
        tracks: known faces.
        upright: what upright steps of the search found.
        turned: what steps that look for tilted heads found.
        looker: confirms.
        denied: what was looked at in vain.
        at: time of the frame in seconds.
    """
    taken = [track.place for track in tracks if track.visible_at_all]
    new: list[_New] = []
    for index, face in enumerate((*upright, *turned)):
        place, score = Place.of(face.box), face.detection_score or 0.0
        known = [track for track in tracks if track.visible and same_face(place, track.place)]
        if face.landmarks is None or score >= PROOF_SCORE:
            for track in known:
                track.prove()
        if known or any(same_face(place, other) for other in taken) or denied.holds(place, score, at):
            continue
        if taken and face.landmarks is not None and score < DOUBTFUL_SCORE:
            continue
        seen = confirmed(picture, face, looker, tilted=index >= len(upright))
        # What the look denies is a lamp or cloth; where it agrees it knows the place better.
        if seen is None or (seen.score is not None and not seen.strong and _on_chest(seen.place, taken)):
            denied.add(place, score, at)
        elif not any(same_face(seen.place, other) for other in taken):
            taken.append(seen.place)
            new.append(_New(seen, seen.score if seen.score is not None else face.detection_score))
    return new


def _on_chest(place: Place, faces: Iterable[Place]) -> bool:
    """Whether a place is where somebody's chest is: prints on shirts are faces too, though less sure ones."""
    for face in faces:
        down = (place.y - face.y) / face.side
        if CHEST_SIDES[0] < down < CHEST_SIDES[1] and abs(place.x - face.x) < face.side and place.side > face.side / 2:
            return True
    return False


def new_track(track_id: int, seen: Sighting, at: float, frame: int) -> Track:
    """Fifth step: a track for a face that was not known."""
    sure = seen.agreeing >= SURE_AGREEING
    track = Track(track_id, seen.place, at, at, at, at, at, seen.place, sure, frame, manner=seen.manner)
    track.confirm(seen, sure)
    track.confirmed = sure
    # A network's look may become sure as the face is turned upright; a cascade has one more look.
    track.trials = 0 if seen.score is None else TRIALS
    return track


def shown(tracks: Iterable[Track], picture: Picture, min_face_px: int) -> list[Face]:
    """The faces of the tracks that are in sight and large enough, largest first."""
    width, height = picture.width, picture.height
    faces = []
    for track in tracks:
        place = track.place
        if not (
            track.visible
            and 0 <= place.x < width
            and 0 <= place.y < height
            and is_large_enough(place.side, min_face_px)
        ):
            continue
        box = place.box().clipped(width, height)
        if min(box.width, box.height) >= 1:
            faces.append(Face(box, track.track_id, track.detection_score, track.landmarks, track.roll_degrees))
    faces.sort(key=lambda face: (-face.box.area, face.box.y, face.box.x))
    return faces


def _lost(tracks: Iterable[Track]) -> bool:
    """Whether a face has gone out of sight just now."""
    return any(not track.visible and track.at - track.seen_at < LOST_SEARCH_SECONDS for track in tracks)


class EachFrame:
    """A `FaceFollower` that searches every frame by itself and knows no ids: for pictures with nothing in common."""

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector

    def follow(self, frame: Frame) -> Followed:
        """Return the faces of one frame."""
        picture = Picture(frame.image)
        return Followed(self._detector.detect(picture), picture)
