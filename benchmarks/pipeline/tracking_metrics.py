"""What a loop showed against what was there: faces found and missed, and how the shown labels behaved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from edge_fer.camera.demo import FPS
from edge_fer.sinks.summary import MATCH_OVERLAP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.camera.demo import TruthFace
    from edge_fer.types import Box, Observation

Shown: TypeAlias = "tuple[Box, str, int | None]"
"""A face that a loop showed: its box, its label and its id."""

LEAST_MS = 500.0
"""A change that is not shown counts where the face keeps its new expression for so long, else nothing can be said."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Counts over the frames of a film."""

    due: int
    found: int
    false: int
    """Boxes without a face."""
    id_switches: int
    label_changes: int


def shown_by(observation: Observation) -> list[Shown]:
    """The faces of an observation."""
    return [(one.face.box, one.emotion, one.face.track_id) for one in observation.faces]


def judged(truth: Sequence[Sequence[Box]], results: Sequence[Sequence[Shown]]) -> Judged:
    """True faces found, boxes without a face, changes of id and of the shown label.

    Args:
        truth: boxes of each frame, in an order that stays.
        results: what was shown in each frame.
    """
    due = found = false = switches = changes = 0
    last: dict[int, int | None] = {}
    label: dict[int, str] = {}
    for boxes, seen in zip(truth, results, strict=False):
        left = list(seen)
        due += len(boxes)
        for number, box in enumerate(boxes):
            best = best_match(box, left)
            if best is None:
                continue
            left.remove(best)
            found += 1
            switches += last.get(number, best[2]) != best[2]
            changes += label.get(number, best[1]) != best[1]
            last[number], label[number] = best[2], best[1]
        false += len(left)
    return Judged(due, found, false, switches, changes)


def best_match(box: Box, shown: Sequence[Shown]) -> Shown | None:
    """The face that overlaps a true one most; None where none does enough."""
    best = max(shown, key=lambda one: one[0].overlap(box), default=None)
    return best if best is not None and best[0].overlap(box) >= MATCH_OVERLAP else None


def label_delays_ms(truth: Sequence[Sequence[TruthFace]], results: Sequence[Sequence[Shown]]) -> list[float]:
    """Milliseconds from when a face has turned into another expression until its label is shown, at 30 frames a second.

    0 where it is shown before the face has turned in full. A change that is never shown counts with all the time that
    the new expression lasts, if that is at least `LEAST_MS`.
    """
    delays: list[float] = []
    due: dict[int, int | None] = {}
    """Faces whose label is to change, by their place in the truth: since which frame, or None while they still turn."""
    before: dict[int, str] = {}

    def milliseconds(since: int | None, number: int) -> float:
        return 0.0 if since is None else (number - since) / FPS * 1e3

    def give_up(actor: int, number: int) -> None:
        unseen = milliseconds(due.pop(actor, None), number)
        if unseen >= LEAST_MS:
            delays.append(unseen)

    for number, (faces, shown) in enumerate(zip(truth, results, strict=True)):
        for actor, face in enumerate(faces):
            if before.get(actor, face.emotion) != face.emotion:
                give_up(actor, number)
                due[actor] = None
            before[actor] = face.emotion
            if actor not in due:
                continue
            if due[actor] is None and face.share >= 1.0:
                due[actor] = number
            best = best_match(face.box, shown)
            if best is not None and best[1] == face.emotion:
                delays.append(milliseconds(due.pop(actor), number))
    for actor in list(due):
        give_up(actor, len(truth))
    return delays
