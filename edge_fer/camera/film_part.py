"""Which part of a film is read: from where, to where, and how often."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from edge_fer.config.setting import check_ranges
from edge_fer.errors import ConfigError
from edge_fer.settings import FilmOptions, ranges

_START, _END, _EVERY = ranges(FilmOptions, "start", "end", "every")
_RANGES = (
    replace(_START, name="start_seconds"),
    replace(_END, name="end_seconds"),
    replace(_EVERY, name="every_seconds"),
)


@dataclass(frozen=True, slots=True)
class FilmPart:
    """A part of a film, by positions in it.

    Raises:
        ConfigError: a value is out of range, or the part ends before it begins; the message names it.
    """

    start_seconds: float = 0.0
    """Frames before this position are left out."""
    end_seconds: float | None = None
    """Frames from this position on are left out; None reads to the end."""
    every_seconds: float | None = None
    """Of each stretch of this length the first frame is read; None reads all frames."""

    def __post_init__(self) -> None:
        """Refuse what is no part of any film."""
        check_ranges(self, _RANGES)
        if self.end_seconds is not None and self.end_seconds <= self.start_seconds:
            raise ConfigError(
                f"the part to read ends at {self.end_seconds:g} s, not after its start at {self.start_seconds:g} s"
            )

    @property
    def is_whole(self) -> bool:
        """Whether every frame is read."""
        return self.start_seconds == 0.0 and self.end_seconds is None and self.every_seconds is None

    def due_after(self, position_seconds: float) -> float:
        """The position from which on the next frame is read, after one at this position.

        The stretches are counted from the start of the part, so that frames that come late move none of those after.
        """
        if self.every_seconds is None:
            return position_seconds
        stretches = math.floor((position_seconds - self.start_seconds) / self.every_seconds + 1e-6) + 1
        return self.start_seconds + stretches * self.every_seconds

    def rate(self, fps: float | None) -> float | None:
        """How many frames per second of the film are read, of a film with this rate; None where unknown."""
        if self.every_seconds is None:
            return fps
        each = 1.0 / self.every_seconds
        return each if fps is None else min(fps, each)

    def frames_of(self, count: int, fps: float) -> int:
        """About how many frames are read of a film with so many frames at this rate."""
        end = count / fps if self.end_seconds is None else min(self.end_seconds, count / fps)
        return max(1, math.ceil((end - self.start_seconds) * (self.rate(fps) or fps)))
