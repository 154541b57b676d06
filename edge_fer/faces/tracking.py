"""Faces followed from frame to frame: a full search now and then, a look at each face in between.

A search of the whole frame takes ten to fifty times as long as a look at one face around its expected place, and a
look finds faces that a search misses. What a search finds must be confirmed by a second cascade with errors of its
own, which rejects lamps and cloth. Frames in, faces out: the result depends on the frames and their times alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from edge_fer.faces.assignment import assign
from edge_fer.faces.crop import in_colour
from edge_fer.faces.looking import FALLBACKS, LOOK_MARGIN, UPRIGHT, FaceLooker, Manner, Place
from edge_fer.faces.motion import MotionGate
from edge_fer.faces.track import Track
from edge_fer.faces.tracking_settings import TrackingSettings
from edge_fer.types import Face

if TYPE_CHECKING:
    from edge_fer.types import FaceDetector, Frame, Image

SURE_AGREEING = 3
"""Raw hits of a cascade that show a new face at once; with fewer it must be found again in the next frame."""

DOUBT_SECONDS = 2.0
"""A face on which no look was sure for so long is no longer believed to looks with fewer hits."""

CONTINUITY_FIT = 0.35
"""Correlation with its template that a face must keep from look to look, or the look must be sure."""

TEMPLATE_FIT = 0.6
"""Correlation from which a template counts as found; unlike faces of one size reach 0.3 to 0.5."""

GATE_SIDES = 0.6
"""A finding further from a track's expected place, in sides, is not its face."""

LOST_GATE_SIDES, LOST_GATE_SIDES_A_SECOND = 0.8, 2.0
"""How far from its expected place a face may turn up again: at once, and more for each second out of sight."""

LOST_SIZE_RATIO = 1.6
"""A face that turns up again has a size within this ratio of the old one."""

LOST_SEARCH_SECONDS = 1.0
"""How long after a loss the whole frame is searched more often."""

SAME_OVERLAP = 0.3
"""Intersection over union from which two findings are one face."""


@dataclass(frozen=True, slots=True)
class Followed:
    """The faces of a frame, with what else was made on the way."""

    faces: list[Face]
    """Largest first, then from the top down and from left to right; inside the frame."""
    grey: Image | None
    """The frame in grey; None where it was not needed."""


class FaceFollower(Protocol):
    """Finds the faces of frames that follow each other."""

    def follow(self, frame: Frame) -> Followed:
        """Return the faces of the next frame."""


@dataclass(frozen=True, slots=True)
class _Finding:
    """A place where a track's look or template found a face."""

    place: Place
    owner: int
    """Index of the track whose look it was."""
    manner: Manner | None
    """None where the template found it."""
    sure: bool
    """Several raw hits of a cascade agree on it."""


class FaceTracker:
    """A `FaceFollower` that gives each face an id."""

    def __init__(
        self,
        detector: FaceDetector,
        looker: FaceLooker,
        settings: TrackingSettings | None = None,
        *,
        min_face_px: int = 24,
    ) -> None:
        """Start with no faces.

        Args:
            detector: searches whole frames; false findings are sorted out here.
            looker: looks at single faces.
            settings: how often and how long.
            min_face_px: faces that shrink below this side in frame pixels are left.
        """
        self._detector, self._looker = detector, looker
        self._settings = settings or TrackingSettings()
        self._min_face_px = min_face_px
        self._gate = MotionGate()
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
        at = frame.captured_at
        self._frame += 1
        if frame.image.shape[:2] != self._shape:
            # Another size is another picture: nothing is where it was.
            self._shape, self._tracks, self._searched_frame = frame.image.shape[:2], [], None
        self._tracks = [track for track in self._tracks if at - track.seen_at <= self._settings.forget_seconds]
        due = self._search_due(frame, at)
        if not due and not self._tracks:
            return Followed([], None)
        grey = in_colour(frame.image, "grey")
        self._follow_tracks(grey, at)
        if due or self._lost_search_due(at):
            self._search(grey, at)
        return Followed(self._faces(grey), grey)

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

    def _follow_tracks(self, grey: Image, at: float) -> None:
        was_seen = [track.seen_at >= track.at for track in self._tracks]
        for track in self._tracks:
            track.predict(at)
        to_look = self._to_look(was_seen)
        findings: list[_Finding] = []
        for index, track in enumerate(self._tracks):
            findings += self._findings(grey, index, track, was_seen[index], index in to_look)
        self._pair(grey, findings)
        # A new face that is not found again at once was none.
        self._tracks = [track for track in self._tracks if track.confirmed]

    def _to_look(self, was_seen: list[bool]) -> set[int]:
        """Indices of the tracks that a cascade looks at in this frame: new and doubtful ones first, then the longest
        unseen by a cascade."""
        settings = self._settings
        due = [
            (track.confirmed, track.silent_looks == 0, track.looked_frame, index)
            for index, track in enumerate(self._tracks)
            if not track.confirmed
            or (was_seen[index] and track.silent_looks > 0)
            or self._frame - track.looked_frame >= (settings.look_every if was_seen[index] else 2)
        ]
        return {index for *_, index in sorted(due)[: settings.looks_a_frame]}

    def _findings(self, grey: Image, index: int, track: Track, was_seen: bool, look: bool) -> list[_Finding]:
        held = was_seen and track.confirmed
        if look:
            track.looked_frame = self._frame
            findings = self._look(grey, index, track, track.manner, was_seen)
            if not findings and held:
                findings = self._look(grey, index, track, self._fallback(track), was_seen)
            if findings:
                return findings
            track.silent_looks += 1
        bridged = track.at - track.confirmed_at <= self._settings.bridge_seconds
        if track.template is None or not (held and bridged):
            return []
        place, fit = self._looker.match(grey, track.place, track.template)
        return [_Finding(place, index, None, False)] if fit >= TEMPLATE_FIT else []

    def _look(self, grey: Image, index: int, track: Track, manner: Manner, was_seen: bool) -> list[_Finding]:
        """What a cascade finds near a track's expected place and what can be believed of it."""
        reach = LOOK_MARGIN if was_seen else 2 * LOOK_MARGIN
        if not (was_seen and track.confirmed):
            needed = 2
        elif track.at - track.sure_at > DOUBT_SECONDS:
            needed = SURE_AGREEING
        else:
            needed = 1
        findings = []
        for seen in self._looker.look(grey, track.place, manner, reach=reach):
            sure = seen.agreeing >= SURE_AGREEING
            if seen.agreeing >= needed and (sure or self._likeness(grey, track, seen.place) >= CONTINUITY_FIT):
                findings.append(_Finding(seen.place, index, manner, sure))
        return findings

    def _fallback(self, track: Track) -> Manner:
        others = [manner for manner in (UPRIGHT, *FALLBACKS) if manner != track.manner]
        return others[track.silent_looks % len(others)]

    def _pair(self, grey: Image, findings: list[_Finding]) -> None:
        """Give each finding to one track; two tracks never share a face."""
        # Where a cascade and a template, or two looks, found the same face, the cascade's and the nearer one counts.
        findings = sorted(findings, key=lambda finding: finding.manner is None)
        kept: list[_Finding] = []
        for finding in findings:
            box = finding.place.box()
            if not any(other.place.box().overlap(box) > SAME_OVERLAP for other in kept):
                kept.append(finding)
        within = [[_allowed(track, finding) for finding in kept] for track in self._tracks]
        contested = [sum(row[column] for row in within) > 1 for column in range(len(kept))]
        costs = [
            [
                self._cost(grey, track, finding, contested[column]) if within[row][column] else math.inf
                for column, finding in enumerate(kept)
            ]
            for row, track in enumerate(self._tracks)
        ]
        for row, column in assign(costs):
            self._take(grey, self._tracks[row], kept[column])

    def _cost(self, grey: Image, track: Track, finding: _Finding, contested: bool) -> float:
        away = track.place.distance(finding.place) + abs(math.log(finding.place.side / track.place.side))
        # Looks decide only between faces that come close: comparing them costs time.
        return away + (1.0 - self._likeness(grey, track, finding.place) if contested else 0.0)

    def _likeness(self, grey: Image, track: Track, place: Place) -> float:
        """Correlation of a place with the track's template, 0.0 to 1.0; 0.0 where they cannot be compared."""
        if track.template is None:
            return 0.0
        return max(0.0, self._looker.match(grey, place, track.template, reach=0.15)[1])

    def _take(self, grey: Image, track: Track, finding: _Finding) -> None:
        if finding.manner is None:
            track.correct(finding.place, resized=False)
            return
        track.correct(finding.place, resized=finding.manner.cascade != "profile")
        self._confirm(grey, track, finding.manner, finding.sure)

    def _confirm(self, grey: Image, track: Track, manner: Manner, sure: bool) -> None:
        if sure:
            track.sure_at = track.at
        track.confirmed, track.confirmed_at, track.manner, track.silent_looks = True, track.at, manner, 0
        track.template = self._looker.remember(grey, track.place) or track.template

    def _search(self, grey: Image, at: float) -> None:
        self._searched_frame, self._searched_at = self._frame, at
        taken = [track.place.box() for track in self._tracks if track.visible]
        new = []
        for face in self._detector.detect(grey):
            if not any(_same_place(box.overlap(face.box), face, Place.of(box)) for box in taken):
                taken.append(face.box)
                new.append(face)
        lost = [track for track in self._tracks if not track.visible]
        costs = [[self._return_cost(grey, track, Place.of(face.box)) for face in new] for track in lost]
        returned = {column: lost[row] for row, column in assign(costs)} if lost and new else {}
        for column, face in enumerate(new):
            self._admit(grey, face, returned.get(column), at)

    def _return_cost(self, grey: Image, track: Track, place: Place) -> float:
        ratio = max(place.side, track.place.side) / min(place.side, track.place.side)
        gate = LOST_GATE_SIDES + LOST_GATE_SIDES_A_SECOND * (track.at - track.seen_at)
        distance = track.place.distance(place)
        if ratio > LOST_SIZE_RATIO or distance > gate:
            return math.inf
        return distance / gate + math.log(ratio) + 1.0 - self._likeness(grey, track, place)

    def _admit(self, grey: Image, face: Face, returned: Track | None, at: float) -> None:
        """Take in what a search found, if a second cascade agrees."""
        place = Place.of(face.box)
        seen = self._looker.look(grey, place)
        if not seen:
            return
        sure = max(sighting.agreeing for sighting in seen) >= SURE_AGREEING
        if returned is not None:
            returned.restart(place, at)
            returned.detection_score = face.detection_score
            self._confirm(grey, returned, UPRIGHT, sure)
        elif len(self._tracks) < self._settings.max_faces:
            track = Track(self._next_id, place, at, at, at, at, sure, self._frame)
            track.detection_score = face.detection_score
            track.template = self._looker.remember(grey, place)
            self._next_id += 1
            self._tracks.append(track)

    def _faces(self, grey: Image) -> list[Face]:
        height, width = grey.shape
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


def _allowed(track: Track, finding: _Finding) -> bool:
    ratio = finding.place.side / track.place.side
    # A face out of sight may have moved on, and was looked for further away.
    gate = GATE_SIDES if track.seen_at + 0.2 > track.at else 1.5 * GATE_SIDES
    return 0.6 < ratio < 1.7 and track.place.distance(finding.place) <= gate


def _same_place(overlap: float, face: Face, known: Place) -> bool:
    """Whether a finding is a known face, or a part of it."""
    return (
        overlap > SAME_OVERLAP
        or Place.of(face.box).distance(known) * min(face.box.width, known.side) < known.side * 0.4
    )


class EachFrame:
    """A `FaceFollower` that searches every frame anew and knows no ids: for pictures that have nothing in common."""

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector

    def follow(self, frame: Frame) -> Followed:
        """Return the faces of one frame."""
        grey = in_colour(frame.image, "grey")
        return Followed(self._detector.detect(grey), grey)
