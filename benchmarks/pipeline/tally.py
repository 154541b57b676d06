"""What a loop showed in a film, held against the truth: faces found by size, when the first, false boxes, ids."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge_fer.sinks.summary import MATCH_OVERLAP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crowds import Person
    from tracking_metrics import Shown

SIZES = (24, 32, 48)
"""A face counts for the largest of these that its box reaches, within half a pixel of rounding."""


@dataclass
class Tally:
    """Counts over the frames of a film; several films can be added up."""

    frames: int = 0
    due: int = 0
    found: int = 0
    frames_due: int = 0
    """Frames in which at least one face is due."""
    frames_found: int = 0
    """Of those, the frames in which all due faces were found."""
    first: int | None = None
    """Frame in which the first due face was found, from 1."""
    false: int = 0
    """Boxes that are on no face."""
    shown: int = 0
    id_switches: int = 0
    due_by_size: dict[int, int] = field(default_factory=dict)
    found_by_size: dict[int, int] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Count another film too."""
        for name in ("frames", "due", "found", "frames_due", "frames_found", "false", "shown", "id_switches"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for mine, theirs in ((self.due_by_size, other.due_by_size), (self.found_by_size, other.found_by_size)):
            for size, count in theirs.items():
                mine[size] = mine.get(size, 0) + count

    def as_dict(self) -> dict[str, Any]:
        """The counts and shares, for a file of figures."""
        return {
            "frames": self.frames,
            "due": self.due,
            "found": self.found,
            "frames_found_share": _share(self.frames_found, self.frames_due),
            "recall": _share(self.found, self.due),
            "recall_by_size": {
                str(size): _share(self.found_by_size.get(size, 0), due)
                for size, due in sorted(self.due_by_size.items())
            },
            "first_frame": self.first,
            "false": self.false,
            "false_per_face": _share(self.false, self.due),
            "false_per_1000_frames": round(1000 * self.false / self.frames, 2) if self.frames else None,
            "id_switches": self.id_switches,
        }


def tally(people: Sequence[Sequence[Person]], results: Sequence[Sequence[Shown]]) -> Tally:
    """Match what was shown to the true faces, the best overlaps first, and count.

    Args:
        people: the true faces of each frame.
        results: what was shown in each frame.
    """
    total, last = Tally(frames=len(results)), {}
    for number, (persons, shown) in enumerate(zip(people, results, strict=False), start=1):
        matches = _matches(persons, shown)
        due = [person for person in persons if person.due]
        found = [person for person in due if person.number in matches]
        total.due += len(due)
        total.found += len(found)
        total.shown += len(shown)
        total.false += len(shown) - len(matches)
        total.frames_due += bool(due)
        total.frames_found += bool(due) and len(found) == len(due)
        if found and total.first is None:
            total.first = number
        for person in due:
            size = _size(person)
            total.due_by_size[size] = total.due_by_size.get(size, 0) + 1
            total.found_by_size[size] = total.found_by_size.get(size, 0) + (person.number in matches)
        for person_number, one in matches.items():
            if one[2] is not None:
                total.id_switches += last.get(person_number, one[2]) != one[2]
                last[person_number] = one[2]
    return total


def _matches(persons: Sequence[Person], shown: Sequence[Shown]) -> dict[int, Shown]:
    pairs = sorted(
        ((person.box.overlap(one[0]), person.number, index) for person in persons for index, one in enumerate(shown)),
        reverse=True,
    )
    matches: dict[int, Shown] = {}
    used: set[int] = set()
    for overlap, number, index in pairs:
        if overlap >= MATCH_OVERLAP and number not in matches and index not in used:
            matches[number] = shown[index]
            used.add(index)
    return matches


def _size(person: Person) -> int:
    side = max(person.box.width, person.box.height) + 0.5
    return max((size for size in SIZES if size <= side), default=0)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
