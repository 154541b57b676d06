"""Steadier scores for a face that is followed: an exponential mean over seconds, and a label that does not flicker."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge_fer.types import Scores

LABEL_MARGIN = 0.2
"""By how much another label's steadied probability must exceed the shown one's before it is shown instead."""

KEEP_SECONDS = 30.0
"""How long the scores of a face that is not seen are kept; ids are not used twice."""


@dataclass(frozen=True, slots=True)
class Steadied:
    """Scores as they are shown."""

    scores: Scores
    emotion: str


@dataclass(slots=True)
class _Memory:
    values: tuple[float, ...]
    emotion: str
    at: float


class ScoreSmoother:
    """Keeps one exponential mean a track.

    With the time constant T, a mean m and a new value x that comes `dt` seconds later,
    m becomes m + (1 - exp(-dt / T)) (x - m): what lies T seconds back has weight 1/e, whatever the frame rate.
    """

    def __init__(self, time_constant_seconds: float, label_margin: float = LABEL_MARGIN) -> None:
        """Start with no memory.

        Args:
            time_constant_seconds: T; 0 passes everything through unchanged.
            label_margin: 0.0 shows the most probable label at all times.
        """
        self._time_constant_seconds, self._label_margin = time_constant_seconds, label_margin
        self._memories: dict[int, _Memory] = {}

    def steady(self, track_id: int | None, raw: Scores, at: float) -> Steadied:
        """The scores to show for a face, given those of this frame.

        Args:
            track_id: the face's id; None where it is not followed, and then nothing is changed.
            raw: what the model said of this frame.
            at: when the frame was captured, in seconds, not before the last time for this id.
        """
        if track_id is None or self._time_constant_seconds <= 0:
            return Steadied(raw, raw.top)
        memory = self._memories.get(track_id)
        if memory is None or len(memory.values) != len(raw.values):
            self._forget_before(at - KEEP_SECONDS)
            self._memories[track_id] = _Memory(raw.values, raw.top, at)
            return Steadied(raw, raw.top)
        share = 1.0 - math.exp(-max(0.0, at - memory.at) / self._time_constant_seconds)
        values = tuple(mean + share * (new - mean) for mean, new in zip(memory.values, raw.values, strict=True))
        scores = Scores(raw.labels, values)
        shown = values[raw.labels.index(memory.emotion)]
        if scores.top_score > shown + self._label_margin:
            memory.emotion = scores.top
        memory.values, memory.at = values, at
        return Steadied(scores, memory.emotion)

    def _forget_before(self, time: float) -> None:
        self._memories = {key: memory for key, memory in self._memories.items() if memory.at >= time}
