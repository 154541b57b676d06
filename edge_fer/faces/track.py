"""One face that is followed: where it is, where it is going, and when it was last seen."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_fer.faces.geometry import Place
from edge_fer.faces.looking import UPRIGHT, Manner

if TYPE_CHECKING:
    from edge_fer.faces.template import Template

PLACE_GAIN, SIDE_GAIN, SPEED_GAIN = 0.75, 0.35, 0.35
"""Shares of a found box's deviation that go into place, side and speed (an alpha-beta filter: the cascade's boxes
jump by a tenth of their side on a still face)."""

RESIZED, RESIZED_GAIN = 0.12, 0.8
"""A side that differs by more than this share has changed in truth: the face comes nearer or goes away."""

UNSETTLED_RESIZED, UNSETTLED_OFF = 0.12, 0.15
"""Shares of the side by which a face may differ in size and place from what was expected and still counts as steady."""

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
    """When several raw hits of a cascade last agreed on it."""
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

    @property
    def visible(self) -> bool:
        """True where it was seen in the newest frame."""
        return self.confirmed and self.seen_at == self.at

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

    def restart(self, found: Place, at: float) -> None:
        """Begin anew at a place far from the expected one, with the same id."""
        self.place, self.at, self.seen_at, self.velocity = found, at, at, (0.0, 0.0)


def _within(value: float, limit: float) -> float:
    return max(-limit, min(limit, value))
