"""One face that is followed: where it is, where it is going, and when it was last seen."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_fer.faces.geometry import Place
from edge_fer.faces.looking import UPRIGHT, Manner
from edge_fer.types import Landmarks

if TYPE_CHECKING:
    from edge_fer.faces.looking import Sighting
    from edge_fer.faces.template import Template

PLACE_GAIN, SIDE_GAIN, SPEED_GAIN = 0.75, 0.35, 0.35
"""Shares of a found box's deviation that go into place, side and speed (an alpha-beta filter: the cascade's boxes
jump by a tenth of their side on a still face)."""

RESIZED, RESIZED_GAIN = 0.12, 0.8
"""A side that differs by more than this share has changed in truth: the face comes nearer or goes away."""

UNSETTLED_RESIZED, UNSETTLED_OFF = 0.12, 0.15
"""Shares of the side by which a face may differ in size and place from what was expected and still counts as steady."""

UNSETTLED_DEGREES = 6.0
"""A face whose turn is known no better than this is looked at in every frame."""

STILL_SIDES, STILL_PROOF_SECONDS, MOVING_PROOF_SECONDS, LEAST_STEPS = 0.2, 2.0, 6.0, 5
"""A face that no search of the whole frame finds, and no look beyond doubt, is dropped: after 2 seconds where it has
moved by less than this many sides, as posters and watches do, after 6 where it moves as people do."""

MARKS_GAIN = 0.6
"""Share of a look's landmarks in those that are shown."""

ROLL_GAIN, ROLLED_DEGREES = 0.5, 20.0
"""Share of a newly measured roll in the one that is kept, and the change from which it is taken as it is: half of the
single measurements are off by more than 4 degrees."""

SPEED_DAMPING_SECONDS = 0.4
"""A face that is not seen is taken to slow down with this time constant."""

FASTEST_SIDES_A_SECOND = 8.0
"""Quicker than this no face moves; what seems to is another one."""


@dataclass(slots=True)
class Track:
    """State of one followed face; times in seconds of the frames' clock, places in pixels of the frame."""

    track_id: int
    place: Place
    """Where it is, filtered; where it should be, while it is not seen."""
    at: float
    """Time that `place` holds for."""
    seen_at: float
    """When it was last seen, by a cascade or by its template."""
    confirmed_at: float
    """When a cascade last found it."""
    sure_at: float
    """When several raw hits of a look last agreed on it."""
    proved_at: float
    """When a search of the whole frame, or a strong look, last found it."""
    proved_place: Place
    """Where it was then."""
    confirmed: bool
    """False until a second look has agreed; such a face is not shown."""
    looked_frame: int
    """Frame in which a cascade last looked at it."""
    velocity: tuple[float, float] = (0.0, 0.0)
    """Pixels a second."""
    manner: Manner = field(default=UPRIGHT)
    """The way of looking that last found it."""
    unsettled: bool = False
    """It was found far from where it was expected, or of another size: it is looked at in every frame."""
    silent_looks: int = 0
    """Looks in a row in which no cascade found it."""
    template: Template | None = None
    detection_score: float | None = None
    marks: Landmarks | None = None
    """Landmarks about the middle of the face, in sides; they move with it between looks."""
    rolled: float | None = None
    """Roll in degrees as its looks show it, where looks give no landmarks; steadied."""
    trials: int = 0
    """Frames in which it may still be confirmed."""
    unproved_steps: int = 0
    """Steps of searches since it was last proved that should have found it."""

    @property
    def landmarks(self) -> Landmarks | None:
        """In pixels of the frame; None where no look gave any."""
        if self.marks is None:
            return None
        place = self.place
        return Landmarks(*((place.x + x * place.side, place.y + y * place.side) for x, y in self.marks.points))

    @property
    def roll_degrees(self) -> float | None:
        """How far the head is turned clockwise, steadied over looks; None where nothing has measured it."""
        return self.rolled if self.marks is None else self.manner.degrees

    @property
    def visible(self) -> bool:
        """True where it was seen in the newest frame."""
        return self.confirmed and self.seen_at == self.at

    @property
    def visible_at_all(self) -> bool:
        """True where it was found in the newest frame, confirmed or not."""
        return self.seen_at == self.at

    def predict(self, at: float) -> None:
        """Move on to the time of a new frame."""
        seconds = max(0.0, at - self.at)
        if self.seen_at < self.at:
            keep = math.exp(-seconds / SPEED_DAMPING_SECONDS)
            self.velocity = (self.velocity[0] * keep, self.velocity[1] * keep)
        step_x, step_y = self.velocity[0] * seconds, self.velocity[1] * seconds
        self.place = Place(self.place.x + step_x, self.place.y + step_y, self.place.side)
        self.at = at

    def correct(self, found: Place, resized: bool) -> None:
        """Take in where it was found at the time last predicted for.

        Args:
            found: by a cascade, or by its template.
            resized: False where the finding says nothing about its size.
        """
        seconds = max(1e-3, self.at - self.seen_at)
        off_x, off_y = found.x - self.place.x, found.y - self.place.y
        limit = FASTEST_SIDES_A_SECOND * self.place.side
        self.velocity = (
            _within(self.velocity[0] + SPEED_GAIN * off_x / seconds, limit),
            _within(self.velocity[1] + SPEED_GAIN * off_y / seconds, limit),
        )
        growth = found.side - self.place.side if resized else 0.0
        side = self.place.side + growth * (RESIZED_GAIN if abs(growth) > RESIZED * self.place.side else SIDE_GAIN)
        self.place = Place(self.place.x + PLACE_GAIN * off_x, self.place.y + PLACE_GAIN * off_y, side)
        self.seen_at = self.at
        self.unsettled = (resized and abs(growth) > UNSETTLED_RESIZED * self.place.side) or (
            max(abs(off_x), abs(off_y)) > UNSETTLED_OFF * self.place.side
        )

    def confirm(self, seen: Sighting, sure: bool) -> None:
        """Take in what a look saw at the time last predicted for, beside the place."""
        turned = abs(seen.manner.degrees - self.manner.degrees)
        self.unsettled = self.unsettled or (seen.landmarks is not None and turned > UNSETTLED_DEGREES)
        self.trials = max(0, self.trials - 1)
        self.confirmed = self.confirmed or sure or seen.score is None
        self.confirmed_at, self.manner, self.silent_looks = self.at, seen.manner, 0
        if sure:
            self.sure_at = self.at
        if seen.strong:
            self.prove()
        if seen.score is not None:
            self.detection_score = seen.score
        if seen.landmarks is not None:
            self.marks = _mixed(self.marks, _about(seen.landmarks, seen.place))

    def roll(self, degrees: float) -> None:
        """Take in how far the head is turned as its pixels show it, for faces without landmarks."""
        change = degrees - (degrees if self.rolled is None else self.rolled)
        self.rolled = degrees - change * (0.0 if abs(change) > ROLLED_DEGREES else 1.0 - ROLL_GAIN)

    def prove(self) -> None:
        """Note that it was found at this time by what does not know where to look, or beyond doubt."""
        self.proved_at, self.proved_place, self.unproved_steps = self.at, self.place, 0
        self.sure_at = self.at

    @property
    def is_doubtful(self) -> bool:
        """True where it lacks evidence for so long that it is likely to be none."""
        still = self.place.distance(self.proved_place) < STILL_SIDES
        limit = STILL_PROOF_SECONDS if still else MOVING_PROOF_SECONDS
        return self.unproved_steps >= LEAST_STEPS and self.at - self.proved_at > limit

    def restart(self, found: Place, at: float) -> None:
        """Begin again at a place far from the expected one, with the same id."""
        self.place, self.at, self.seen_at, self.velocity = found, at, at, (0.0, 0.0)


def _about(landmarks: Landmarks, place: Place) -> Landmarks:
    return Landmarks(*(((x - place.x) / place.side, (y - place.y) / place.side) for x, y in landmarks.points))


def _mixed(old: Landmarks | None, new: Landmarks) -> Landmarks:
    """Steadied: a look's landmarks jump by a few hundredths of the side on a still face."""
    if old is None:
        return new
    pairs = zip(old.points, new.points, strict=True)
    return Landmarks(*((a + MARKS_GAIN * (c - a), b + MARKS_GAIN * (d - b)) for (a, b), (c, d) in pairs))


def _within(value: float, limit: float) -> float:
    return max(-limit, min(limit, value))
