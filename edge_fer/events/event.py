"""Something that happened: what a rule that became true hands to its actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_fer.types import rfc3339

if TYPE_CHECKING:
    from edge_fer.types import Image, Observation, ScoredFace

EVENT_SCHEMA = "edge-fer-event/1"
"""Of an event as plain data; within one number fields are only ever added."""


@dataclass(frozen=True, slots=True)
class Event:
    """One rule that became true, for a face or for a frame."""

    id: str
    """No other event has it."""
    name: str
    """Of the rule."""
    rule: str
    """Its text."""
    held_seconds: float
    """How long the condition had held."""
    observation: Observation
    """Of the frame in which that was so."""
    face: ScoredFace | None
    """Whose event it is; None for an event of the whole frame."""
    blind: bool = False
    """Whether it keeps the rule, the faces and their scores to itself."""

    def to_dict(self) -> dict[str, Any]:
        """The event as plain data, as in a line of `--events FILE` and in what a webhook is sent."""
        seen = self.observation
        position = {} if seen.position is None else {"position": round(seen.position, 3)}
        record: dict[str, Any] = {
            "schema": EVENT_SCHEMA,
            "id": self.id,
            "event": self.name,
            "time": rfc3339(seen.wall_time),
            **position,
            "seq": seen.seq,
            "source": seen.source,
        }
        if not self.blind:
            record["rule"] = self.rule
            record["held_seconds"] = round(self.held_seconds, 3)
            record["faces"] = len(seen.faces)
            record["face"] = None if self.face is None else self.face.to_dict()
        return record

    def text(self) -> str:
        """The event in words, such as `smile: face 3, happy 93 %`."""
        if self.blind:
            return self.name
        if self.face is None:
            count = len(self.observation.faces)
            return f"{self.name}: {count} face{'' if count == 1 else 's'} in sight"
        number = "a face" if self.face.id is None else f"face {self.face.id}"
        return f"{self.name}: {number}, {self.face.emotion} {self.face.score:.0%}"


@dataclass(frozen=True, slots=True)
class EventView:
    """An event together with the picture in which it happened, for actions that the user asked to keep pictures."""

    event: Event
    image: Image
