"""Which faces of a frame are read: a face that holds still and holds its expression need not be read in every frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.types import Box, Face, Scores

LONGEST_SECONDS = 0.15
"""A face is read again after this long, however slowly frames come: a change is then noticed, and shown once it is
steady, within half a second."""

MOVED_SIDES, RESIZED, TURNED_DEGREES = 0.2, 0.15, 10.0
"""A face that has moved by more than this share of its side, changed its side by more than this share, or turned by
more than this since it was read is read at once."""

UNDECIDED_LEAD = 0.05
"""A face whose two most probable emotions are closer than this is read at once."""

KEEP_SECONDS = 30.0
"""How long it is kept when a face that is not seen was read; ids are not used twice."""


@dataclass(slots=True)
class _Reading:
    """When and where a face was last read."""

    frame: int
    at: float
    box: Box
    degrees: float
    undecided: bool


class ReadingSchedule:
    """Remembers when each face was read: new, moved, turned and undecided ones are read at once, others by turns."""

    def __init__(self, read_every: int = 1) -> None:
        """Start with no faces.

        Args:
            read_every: a face that does not change is read in one of so many frames; 1 reads all in every frame.
        """
        self._read_every = read_every
        self._readings: dict[int, _Reading] = {}
        self._frame = 0

    def choose(self, faces: Sequence[Face], at: float) -> list[bool]:
        """For each face of the next frame, whether it is to be read.

        Args:
            faces: those of the frame; a face without an id is always read.
            at: when the frame was captured, in seconds.
        """
        self._frame += 1
        if self._read_every <= 1:
            return [True] * len(faces)
        chosen = [self._is_urgent(face, at) for face in faces]
        # The others share the frames, so that no frame reads them all.
        left = max(0, math.ceil(len(faces) / self._read_every) - sum(chosen))
        due = [
            (self._readings[face.track_id].frame, index)
            for index, face in enumerate(faces)
            if not chosen[index]
            and face.track_id is not None
            and self._frame - self._readings[face.track_id].frame >= self._read_every
        ]
        for _, index in sorted(due)[:left]:
            chosen[index] = True
        return chosen

    def note(self, face: Face, raw: Scores, shown: str, at: float) -> None:
        """Note that a face was read.

        Args:
            face: as it was chosen.
            raw: what the model said.
            shown: the emotion that is shown for it now.
            at: when the frame was captured, in seconds.
        """
        if face.track_id is None or self._read_every <= 1:
            return
        if face.track_id not in self._readings:
            kept = self._readings.items()
            self._readings = {key: one for key, one in kept if 0.0 <= at - one.at < KEEP_SECONDS}
        first, second = sorted(raw.values, reverse=True)[:2] if len(raw.values) > 1 else (1.0, 0.0)
        undecided = raw.top != shown or first - second < UNDECIDED_LEAD
        self._readings[face.track_id] = _Reading(self._frame, at, face.box, face.roll_degrees, undecided)

    def _is_urgent(self, face: Face, at: float) -> bool:
        known = None if face.track_id is None else self._readings.get(face.track_id)
        if known is None or known.undecided or not 0.0 <= at - known.at < LONGEST_SECONDS:
            return True
        box, before = face.box, known.box
        side = max(1, before.width, before.height)
        off_x = box.x - before.x + (box.width - before.width) / 2
        off_y = box.y - before.y + (box.height - before.height) / 2
        if max(abs(off_x), abs(off_y)) > MOVED_SIDES * side:
            return True
        if abs(max(box.width, box.height) - side) > RESIZED * side:
            return True
        turned = (face.roll_degrees - known.degrees + 180.0) % 360.0 - 180.0
        return abs(turned) > TURNED_DEGREES
