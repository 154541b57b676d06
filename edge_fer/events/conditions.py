"""What a rule asks, as a tree of frozen data: leaves that ask about one face or about a whole frame, joined by words.

A leaf about a face (`happy > 0.8`, `happy`, `face`, `id changes`) makes the whole rule one that is evaluated for each
face, unless it stands behind `all` or `any`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Operator: TypeAlias = Literal[">", ">=", "<", "<=", "==", "!="]

OPPOSITE: dict[Operator, Operator] = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "==": "!=", "!=": "=="}


@dataclass(frozen=True, slots=True)
class Span:
    """Where something stands in the text of a rule, in characters from its beginning."""

    begin: int
    end: int

    def to(self, other: Span) -> Span:
        """From the beginning of this to the end of another."""
        return Span(self.begin, other.end)


@dataclass(frozen=True, slots=True)
class Score:
    """The steadied score of a label, of one face."""

    at: Span
    label: str
    operator: Operator
    threshold: float
    """0.0 to 1.0 where it makes sense; what makes none is found by `contradictions`."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The label that is shown at a face, which does not flicker."""

    at: Span
    label: str
    wanted: bool = True
    """False where it must be another one."""


@dataclass(frozen=True, slots=True)
class InSight:
    """A face is there: true for each one."""

    at: Span
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class NewId:
    """A face has an id that was not seen before; true in one frame for each id."""

    at: Span
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class FaceCount:
    """The number of faces in a frame."""

    at: Span
    operator: Operator
    count: int


@dataclass(frozen=True, slots=True)
class Share:
    """How much of the time of all faces in sight a label was shown, over the last so many seconds."""

    at: Span
    label: str
    operator: Operator
    threshold: float
    over_seconds: float


@dataclass(frozen=True, slots=True)
class Quantified:
    """Something holds for every face of a frame, which needs one face at least, or for some face."""

    at: Span
    every: bool
    condition: Condition


@dataclass(frozen=True, slots=True)
class Both:
    """All of the parts hold."""

    at: Span
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of the parts holds."""

    at: Span
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    at: Span
    part: Condition


FaceLeaf: TypeAlias = Score | Shown | InSight | NewId
FrameLeaf: TypeAlias = FaceCount | Share | Quantified
Condition: TypeAlias = FaceLeaf | FrameLeaf | Both | Either | Not


def is_per_face(condition: Condition) -> bool:
    """Whether a condition asks about one face, and so is evaluated for each of a frame."""
    if isinstance(condition, (Both, Either)):
        return any(map(is_per_face, condition.parts))
    if isinstance(condition, Not):
        return is_per_face(condition.part)
    return isinstance(condition, (Score, Shown, InSight, NewId))


def without_not(condition: Condition, wanted: bool = True) -> Condition:
    """The same condition with every `not` moved into the leaves, where it turns the comparison around.

    Args:
        condition: any.
        wanted: False for the opposite of the condition.
    """
    if isinstance(condition, Not):
        return without_not(condition.part, not wanted)
    if isinstance(condition, (Both, Either)):
        parts = tuple(without_not(part, wanted) for part in condition.parts)
        both = isinstance(condition, Both) == wanted
        return Both(condition.at, parts) if both else Either(condition.at, parts)
    if isinstance(condition, Quantified):
        inner = without_not(condition.condition, wanted)
        if wanted:
            return replace(condition, condition=inner)
        # Where nobody is in sight, neither `all` nor `any` holds, and so the opposite of each does.
        nobody = FaceCount(condition.at, "==", 0)
        return Either(condition.at, (nobody, Quantified(condition.at, not condition.every, inner)))
    if wanted:
        return condition
    if isinstance(condition, (Shown, InSight, NewId)):
        return replace(condition, wanted=not condition.wanted)
    return replace(condition, operator=OPPOSITE[condition.operator])


def labels_of(condition: Condition) -> list[tuple[str, Span]]:
    """Each label that a condition names, and where."""
    if isinstance(condition, (Both, Either)):
        return [found for part in condition.parts for found in labels_of(part)]
    if isinstance(condition, Not):
        return labels_of(condition.part)
    if isinstance(condition, Quantified):
        return labels_of(condition.condition)
    if isinstance(condition, (Score, Shown, Share)):
        return [(condition.label, condition.at)]
    return []


def shares_in(condition: Condition) -> list[Share]:
    """Each share that a condition asks about."""
    if isinstance(condition, (Both, Either)):
        return [found for part in condition.parts for found in shares_in(part)]
    if isinstance(condition, Not):
        return shares_in(condition.part)
    return [condition] if isinstance(condition, Share) else []


def with_labels(condition: Condition, names: dict[str, str]) -> Condition:
    """The same condition with its labels written as the model writes them.

    Args:
        condition: any.
        names: by the label as the condition has it; all of them.
    """
    if isinstance(condition, (Both, Either)):
        return replace(condition, parts=tuple(with_labels(part, names) for part in condition.parts))
    if isinstance(condition, Not):
        return replace(condition, part=with_labels(condition.part, names))
    if isinstance(condition, Quantified):
        return replace(condition, condition=with_labels(condition.condition, names))
    if isinstance(condition, (Score, Shown, Share)):
        return replace(condition, label=names[condition.label])
    return condition
