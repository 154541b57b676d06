"""Known faces found again in the next frame: a look at each around its expected place, and each finding one track's."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_fer.faces.assignment import assign
from edge_fer.faces.geometry import SAME_OVERLAP, Place
from edge_fer.faces.looking import FALLBACKS, HELD_MARGIN, LOOK_MARGIN, UPRIGHT, Manner
from edge_fer.faces.template import match, remember

if TYPE_CHECKING:
    from edge_fer.faces.looking import Looker
    from edge_fer.faces.track import Track
    from edge_fer.faces.tracking_settings import TrackingSettings
    from edge_fer.picture import Picture

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

NEAR_SIDES = 1.3
"""Faces closer to each other than this, in sides, are looked at in every frame."""


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


class Refinder:
    """Finds known faces again; keeps nothing from frame to frame but what it writes into the tracks."""

    def __init__(self, looker: Looker, settings: TrackingSettings) -> None:
        self._looker, self._settings = looker, settings

    def refind(self, picture: Picture, tracks: list[Track], frame: int, at: float) -> None:
        """Move the tracks on to a frame: each is predicted, looked for and corrected where it was found.

        Args:
            picture: the frame.
            tracks: changed in place.
            frame: number of the frame, counted by whoever asks.
            at: its time in seconds.
        """
        was_seen = [track.seen_at >= track.at for track in tracks]
        for track in tracks:
            track.predict(at)
        to_look = self._to_look(tracks, was_seen, frame)
        findings: list[_Finding] = []
        for index, track in enumerate(tracks):
            look = index in to_look
            if look:
                track.looked_frame = frame
            findings += self._findings(picture, index, track, was_seen[index], look)
        self._pair(picture, tracks, findings)

    def _to_look(self, tracks: list[Track], was_seen: list[bool], frame: int) -> set[int]:
        """Indices of the tracks that a cascade looks at in this frame: new and doubtful ones first, then the longest
        unseen by a cascade."""
        settings = self._settings
        due = [
            (track.confirmed, track.silent_looks == 0, track.looked_frame, index)
            for index, track in enumerate(tracks)
            if not track.confirmed
            or frame - track.looked_frame >= (settings.look_every if was_seen[index] else 2)
            or (was_seen[index] and (track.silent_looks > 0 or track.unsettled or _near_another(track, tracks)))
        ]
        return {index for *_, index in sorted(due)[: settings.looks_a_frame]}

    def _findings(self, picture: Picture, index: int, track: Track, was_seen: bool, look: bool) -> list[_Finding]:
        held = was_seen and track.confirmed
        if look:
            findings = self._look(picture, index, track, track.manner, was_seen)
            if not findings and held:
                findings = self._look(picture, index, track, self._fallback(track), was_seen)
            if findings:
                return findings
            track.silent_looks += 1
        bridged = track.at - track.confirmed_at <= self._settings.bridge_seconds
        if track.template is None or not (held and bridged):
            return []
        place, fit = match(picture, track.place, track.template)
        return [_Finding(place, index, None, False)] if fit >= TEMPLATE_FIT else []

    def _look(self, picture: Picture, index: int, track: Track, manner: Manner, was_seen: bool) -> list[_Finding]:
        """What a cascade finds near a track's expected place and what can be believed of it."""
        reach = HELD_MARGIN if was_seen else 2 * LOOK_MARGIN
        if not (was_seen and track.confirmed):
            needed = 2
        elif track.at - track.sure_at > DOUBT_SECONDS:
            needed = SURE_AGREEING
        else:
            needed = 1
        findings = []
        for seen in self._looker.look(picture, track.place, manner, reach=reach):
            sure = seen.agreeing >= SURE_AGREEING
            if seen.agreeing >= needed and (sure or self.likeness(picture, track, seen.place) >= CONTINUITY_FIT):
                findings.append(_Finding(seen.place, index, manner, sure))
        return findings

    def _fallback(self, track: Track) -> Manner:
        others = [manner for manner in (UPRIGHT, *FALLBACKS) if manner != track.manner]
        return others[track.silent_looks % len(others)]

    def _pair(self, picture: Picture, tracks: list[Track], findings: list[_Finding]) -> None:
        """Give each finding to one track; two tracks never share a face."""
        # Where a cascade and a template, or two looks, found the same face, the cascade's and the nearer one counts.
        findings = sorted(findings, key=lambda finding: finding.manner is None)
        kept: list[_Finding] = []
        for finding in findings:
            if not any(finding.place.overlap(other.place) > SAME_OVERLAP for other in kept):
                kept.append(finding)
        possible = [_allowed(track, kept) for track in tracks]
        claims = Counter(column for columns in possible for column in columns)

        def cost(row: int, column: int) -> float:
            return self._cost(picture, tracks[row], kept[column], contested=claims[column] > 1)

        for row, column in assign(possible, cost):
            self._take(picture, tracks[row], kept[column])

    def _cost(self, picture: Picture, track: Track, finding: _Finding, contested: bool) -> float:
        away = track.place.distance(finding.place) + abs(math.log(finding.place.side / track.place.side))
        # Looks decide only between faces that come close: comparing them costs time.
        return away + (1.0 - self.likeness(picture, track, finding.place) if contested else 0.0)

    def likeness(self, picture: Picture, track: Track, place: Place) -> float:
        """Correlation of a place with the track's template, 0.0 to 1.0; 0.0 where they cannot be compared."""
        if track.template is None:
            return 0.0
        return max(0.0, match(picture, place, track.template, reach=0.15)[1])

    def _take(self, picture: Picture, track: Track, finding: _Finding) -> None:
        if finding.manner is None:
            track.correct(finding.place, resized=False)
            return
        track.correct(finding.place, resized=finding.manner.cascade != "profile")
        self.confirm(picture, track, finding.manner, finding.sure)

    def confirm(self, picture: Picture, track: Track, manner: Manner, sure: bool) -> None:
        """Note that a cascade found the face at its place: surely, where several raw hits agree."""
        if sure:
            track.sure_at = track.at
        track.confirmed, track.confirmed_at, track.manner, track.silent_looks = True, track.at, manner, 0
        track.template = remember(picture, track.place) or track.template


def _near_another(track: Track, tracks: list[Track]) -> bool:
    """Whether a face is so close to another one that they may be taken for each other."""
    return any(other is not track and other.place.near(track.place, NEAR_SIDES) for other in tracks)


def _allowed(track: Track, findings: list[_Finding]) -> list[int]:
    """Indices of the findings that may be the track's face."""
    # A face out of sight may have moved on, and was looked for further away.
    gate = GATE_SIDES if track.seen_at + 0.2 > track.at else 1.5 * GATE_SIDES
    place = track.place
    return [
        index
        for index, one in enumerate(findings)
        if place.near(one.place, gate) and 0.6 < one.place.side / place.side < 1.7
    ]
