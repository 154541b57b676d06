"""Second step of tracking: known faces looked for around their expected places, by a detector or by their template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_fer.faces.looking import HELD_MARGIN, LOOK_MARGIN, Manner, Sighting
from edge_fer.faces.template import likeness, match

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.faces.geometry import Place
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

NEAR_SIDES = 1.3
"""Faces closer to each other than this, in sides, are looked at in every frame."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A place where a track's look or template found a face."""

    place: Place
    owner: int
    """Index of the track whose look it was."""
    seen: Sighting | None
    """What the look saw; None where the template found it."""
    fit: float = 1.0
    """Correlation of the template where that found it, from `TEMPLATE_FIT` to 1.0."""

    @property
    def sure(self) -> bool:
        """Several raw hits agree on it."""
        return self.seen is not None and self.seen.agreeing >= SURE_AGREEING


def observe(
    picture: Picture,
    tracks: Sequence[Track],
    was_seen: Sequence[bool],
    frame: int,
    looker: Looker,
    settings: TrackingSettings,
) -> list[Finding]:
    """Look for each track where it is expected; notes in the tracks that they were looked at, and in vain.

    Args:
        picture: the frame.
        tracks: predicted for its time.
        was_seen: for each, whether it was seen in the frame before.
        frame: number of the frame.
        looker: looks at single faces.
        settings: how often and how many.
    """
    to_look = tracks_to_look(tracks, was_seen, frame, settings)
    findings: list[Finding] = []
    for index, track in enumerate(tracks):
        held = was_seen[index] and track.confirmed
        if index in to_look:
            track.looked_frame = frame
            found = _look(picture, index, track, track.manner, was_seen[index], looker)
            if not found and held:
                found = _look(picture, index, track, _fallback(track, looker), was_seen[index], looker)
            if found:
                findings += found
                continue
            track.silent_looks += 1
        bridged = track.at - track.confirmed_at <= settings.bridge_seconds
        if track.template is not None and held and bridged:
            place, fit = match(picture, track.place, track.template)
            if fit >= TEMPLATE_FIT:
                findings.append(Finding(place, index, None, fit))
    return findings


def tracks_to_look(
    tracks: Sequence[Track], was_seen: Sequence[bool], frame: int, settings: TrackingSettings
) -> set[int]:
    """Indices of the tracks that are looked at in this frame: new and doubtful ones first, then the longest unseen."""
    due: list[tuple[bool, bool, int, int]] = []
    urgent = 0
    for index, track in enumerate(tracks):
        is_urgent = not track.confirmed or (
            was_seen[index] and (track.silent_looks > 0 or track.unsettled or _near_another(track, tracks))
        )
        # Where frames come slowly, a face is looked at before its template may no longer stand for it.
        is_urgent = is_urgent or (was_seen[index] and track.at - track.confirmed_at >= settings.bridge_seconds / 2)
        if is_urgent or frame - track.looked_frame >= (settings.look_every if was_seen[index] else 2):
            due.append((track.confirmed, track.silent_looks == 0, track.looked_frame, index))
            urgent += is_urgent or not was_seen[index]
    due.sort()
    # Of faces that are calm one is looked at per frame, or those in a crowd would cost as much as each by itself.
    return {index for *_, index in due[: min(settings.looks_a_frame, max(1, urgent))]}


def _look(picture: Picture, index: int, track: Track, manner: Manner, was_seen: bool, looker: Looker) -> list[Finding]:
    """What is found near a track's expected place and what can be believed of it."""
    reach = HELD_MARGIN if was_seen else 2 * LOOK_MARGIN
    if not track.confirmed:
        needed = 2 if track.trials == 0 else 1
    elif not was_seen:
        needed = 2
    elif track.at - track.sure_at > DOUBT_SECONDS:
        needed = SURE_AGREEING
    else:
        needed = 1
    return [
        Finding(seen.place, index, seen)
        for seen in looker.look(picture, track.place, manner, reach=reach)
        if seen.agreeing >= needed
        and (seen.agreeing >= SURE_AGREEING or likeness(picture, track.template, seen.place) >= CONTINUITY_FIT)
    ]


def _fallback(track: Track, looker: Looker) -> Manner:
    others = [manner for manner in (looker.usual, *looker.fallbacks) if manner != track.manner]
    return others[track.silent_looks % len(others)]


def _near_another(track: Track, tracks: Sequence[Track]) -> bool:
    """Whether a face is so close to another one that they may be taken for each other."""
    return any(other is not track and other.place.near(track.place, NEAR_SIDES) for other in tracks)
