"""Steadier scores for a face that is followed: an exponential mean over seconds, and a label that does not flicker."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge_fer.types import Scores

LABEL_MARGIN = 0.4
"""How far another label must be ahead of the shown one to be shown instead at once: the difference of the two steadied
probabilities as a share of their sum, so that an expression that is read as three things counts as much as a clear one.
"""

PATIENT_MARGIN, PATIENCE_SECONDS = 0.05, 1.0
"""The margin sinks to the first while the shown label stays behind for the second: a face that hesitates for a third of
a second does not flicker, and a weak change is shown all the same. In a clip of a face that is read as one thing and
another in turn, a margin of 0.25 changed the label 4 times, this twice. In the demo the slowest change, to a face that
is read as `fear` with 0.45, was shown 0.4 s after the face had turned; 0.35 of the plain difference took 0.7 s."""

KEEP_SECONDS = 30.0
"""How long the scores of a face that is not seen are kept; ids are not used twice."""


@dataclass(frozen=True, slots=True)
class Steadied:
    """Scores as they are shown."""

    scores: Scores
    emotion: str


@dataclass(slots=True)
class _Memory:
    scores: Scores
    emotion: str
    at: float
    mirrored: bool = False
    """Whether the last reading was of the mirror image."""
    behind_seconds: float = 0.0
    """For how long another label than the shown one has been the most probable."""


class ScoreSmoother:
    """Keeps one exponential mean a track.

    With the time constant T, a mean m and a new value x that comes `dt` seconds later,
    m becomes m + (1 - exp(-dt / T)) (x - m): what lies T seconds back has weight 1/e, whatever the frame rate.
    """

    def __init__(self, time_constant_seconds: float, label_margin: float = LABEL_MARGIN) -> None:
        """Start with no memory.

        Args:
            time_constant_seconds: T; 0 passes everything through unchanged.
            label_margin: how far ahead, as a share of both steadied probabilities, another label must be to be shown
                at once; it sinks to `PATIENT_MARGIN` over `PATIENCE_SECONDS`. 0.0 shows the most probable label at all
                times.
        """
        self._time_constant_seconds, self._label_margin = time_constant_seconds, label_margin
        self._sinking = max(0.0, label_margin - PATIENT_MARGIN) / PATIENCE_SECONDS
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
        if memory is None or len(memory.scores.values) != len(raw.values):
            self._forget_before(at - KEEP_SECONDS)
            self._memories[track_id] = _Memory(raw, raw.top, at)
            return Steadied(raw, raw.top)
        seconds = max(0.0, at - memory.at)
        share = 1.0 - math.exp(-seconds / self._time_constant_seconds)
        values = tuple(
            [mean + share * (new - mean) for mean, new in zip(memory.scores.values, raw.values, strict=True)]
        )
        scores = Scores(raw.labels, values)
        self._choose(memory, scores, seconds)
        memory.scores, memory.at, memory.mirrored = scores, at, not memory.mirrored
        return Steadied(scores, memory.emotion)

    def mirrors_next(self, track_id: int | None) -> bool:
        """Whether the next reading of a face should be of its mirror image: every second one, if averaged."""
        memory = self._memories.get(track_id) if track_id is not None else None
        return memory is not None and not memory.mirrored

    def latest(self, track_id: int | None) -> Steadied | None:
        """What was last shown for a face; None where nothing is kept of it."""
        memory = None if track_id is None else self._memories.get(track_id)
        return None if memory is None else Steadied(memory.scores, memory.emotion)

    def _choose(self, memory: _Memory, scores: Scores, seconds: float) -> None:
        """Keep the shown label, or give way to one that is far ahead, or less far for longer."""
        top, own = scores.top_score, scores.values[scores.labels.index(memory.emotion)]
        lead = (top - own) / (top + own)
        memory.behind_seconds = memory.behind_seconds + seconds if lead > 0 else 0.0
        patience = min(memory.behind_seconds, PATIENCE_SECONDS)
        if lead > self._label_margin - self._sinking * patience:
            memory.emotion, memory.behind_seconds = scores.top, 0.0

    def _forget_before(self, time: float) -> None:
        self._memories = {key: memory for key, memory in self._memories.items() if memory.at >= time}
