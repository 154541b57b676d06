"""Third step of tracking: which finding is which track's face, in this frame and after being out of sight."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from edge_fer.faces.assignment import assign
from edge_fer.faces.geometry import SAME_OVERLAP
from edge_fer.faces.template import likeness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.faces.geometry import Place
    from edge_fer.faces.observe import Finding
    from edge_fer.faces.track import Track
    from edge_fer.picture import Picture

GATE_SIDES = 0.6
"""A finding further from a track's expected place, in sides, is not its face."""

APART_SIDES = 0.25
"""Two sure findings of two tracks further apart than this are two faces, though they overlap."""

LOST_GATE_SIDES, LOST_GATE_SIDES_A_SECOND = 0.8, 2.0
"""How far from its expected place a face may turn up again: at once, and more for each second out of sight."""

LOST_SIZE_RATIO = 1.6
"""A face that turns up again has a size within this ratio of the old one."""


def associate(picture: Picture, tracks: Sequence[Track], findings: Sequence[Finding]) -> list[tuple[Track, Finding]]:
    """Give each finding to one track at most; two tracks never share a face."""
    # Where a look and a template, or two looks, found the same face, the look's and the nearer one counts.
    kept: list[Finding] = []
    for finding in sorted(findings, key=lambda finding: finding.seen is None):
        if not any(_same(finding, other) for other in kept):
            kept.append(finding)
    possible = [_allowed(track, kept) for track in tracks]
    claims = Counter(column for columns in possible for column in columns)

    def cost(row: int, column: int) -> float:
        track, finding = tracks[row], kept[column]
        away = track.place.distance(finding.place) + abs(math.log(finding.place.side / track.place.side))
        # Looks decide only between faces that come close: comparing them costs time.
        return away + (1.0 - likeness(picture, track.template, finding.place) if claims[column] > 1 else 0.0)

    return [(tracks[row], kept[column]) for row, column in assign(possible, cost)]


def associate_returned(picture: Picture, lost: Sequence[Track], places: Sequence[Place]) -> dict[int, Track]:
    """Which tracks that were out of sight new faces belong to: the track by the index of the place."""
    costs = [[_return_cost(picture, track, place) for place in places] for track in lost]
    possible = [[column for column, cost in enumerate(row) if cost < math.inf] for row in costs]
    return {column: lost[row] for row, column in assign(possible, lambda row, column: costs[row][column])}


def _same(one: Finding, other: Finding) -> bool:
    """Whether two findings are of one face."""
    if one.place.overlap(other.place) <= SAME_OVERLAP:
        return False
    # Two people pass each other: each was seen surely by the look at it, and beside the other.
    apart = one.owner != other.owner and one.sure and other.sure
    return not (apart and one.place.distance(other.place) > APART_SIDES)


def _allowed(track: Track, findings: Sequence[Finding]) -> list[int]:
    """Indices of the findings that may be the track's face."""
    # A face out of sight may have moved on, and was looked for further away.
    gate = GATE_SIDES if track.seen_at + 0.2 > track.at else 1.5 * GATE_SIDES
    place = track.place
    return [
        index
        for index, one in enumerate(findings)
        if place.near(one.place, gate) and 0.6 < one.place.side / place.side < 1.7
    ]


def _return_cost(picture: Picture, track: Track, place: Place) -> float:
    ratio = max(place.side, track.place.side) / min(place.side, track.place.side)
    gate = LOST_GATE_SIDES + LOST_GATE_SIDES_A_SECOND * (track.at - track.seen_at)
    distance = track.place.distance(place)
    if ratio > LOST_SIZE_RATIO or distance > gate:
        return math.inf
    return distance / gate + math.log(ratio) + 1.0 - likeness(picture, track.template, place)
