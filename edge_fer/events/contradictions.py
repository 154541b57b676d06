"""Rules that can never be true, found before a run begins: a score above 1, two expressions of one face at a time.

A condition is brought into the form "this and this, or that and that"; where each of these parts contradicts itself, so
does the whole. What is too large for that is not judged. Nothing that can be true is ever called impossible.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, TypeVar

from edge_fer.events.conditions import (
    Both,
    Either,
    FaceCount,
    InSight,
    NewId,
    Quantified,
    Score,
    Share,
    Shown,
    is_per_face,
    without_not,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge_fer.events.conditions import Condition, FaceLeaf, FrameLeaf, Operator, Span

Found = TypeVar("Found")

MOST_CASES = 256
"""A condition with more ways to be true is not judged."""
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Why something can never be true, and the place in the rule."""

    problem: str
    at: Span


@dataclass(slots=True)
class _Interval:
    """What is left of the values that a score or share may have."""

    low: float = 0.0
    high: float = 1.0
    low_excluded: bool = False
    high_excluded: bool = False

    def narrow(self, operator: Operator, value: float) -> None:
        if operator in (">", ">=") and value >= self.low:
            self.low_excluded = operator == ">" or (self.low_excluded and value == self.low)
            self.low = value
        elif operator in ("<", "<=") and value <= self.high:
            self.high_excluded = operator == "<" or (self.high_excluded and value == self.high)
            self.high = value

    @property
    def is_empty(self) -> bool:
        return self.low > self.high or (self.low == self.high and (self.low_excluded or self.high_excluded))


def never_true(
    condition: Condition, labels: Sequence[str], *, lasts: bool = False, most_faces: int | None = None
) -> Contradiction | None:
    """Why a condition can never be true; None where it can, or where that is not known.

    Args:
        condition: any.
        labels: all that the model knows; empty where nobody knows yet.
        lasts: whether it must hold for some time.
        most_faces: how many faces a frame shows at most; None for any number.
    """
    condition = without_not(condition)
    cases = _cases(condition)
    if cases is None:
        return None
    found = []
    for case in cases:
        problem = _frame_problem(case, labels, most_faces)
        if problem is None and lasts:
            pulse = next((leaf for leaf in case if isinstance(leaf, NewId) and leaf.wanted), None)
            if pulse is not None:
                text = "`id changes` is true in a single frame and cannot last: use `face for …` for one that stays"
                problem = Contradiction(text, pulse.at)
        if problem is None:
            return None
        found.append(problem)
    if len(found) == 1 or len({problem.at for problem in found}) == 1:
        return found[0]
    return Contradiction(f"none of its parts can be true: {found[0].problem}", condition.at)


def _cases(condition: Condition) -> list[tuple[FaceLeaf | FrameLeaf, ...]] | None:
    """All ways in which a condition without `not` can be true, each as leaves that hold together; None for too many."""
    if isinstance(condition, Either):
        parts = [_cases(part) for part in condition.parts]
        result = [case for cases in parts if cases is not None for case in cases]
        return result if None not in parts and len(result) <= MOST_CASES else None
    if isinstance(condition, Both):
        result = [()]
        for part in condition.parts:
            cases = _cases(part)
            if cases is None or len(result) * len(cases) > MOST_CASES:
                return None
            result = [(*first, *second) for first, second in product(result, cases)]
        return result
    assert isinstance(condition, (Score, Shown, InSight, NewId, FaceCount, Share, Quantified))  # `not` was removed
    return [(condition,)]


def _frame_problem(
    case: Iterable[FaceLeaf | FrameLeaf], labels: Sequence[str], most_faces: int | None
) -> Contradiction | None:
    """Why leaves cannot hold together; None where they can."""
    leaves = list(case)
    own = [leaf for leaf in leaves if is_per_face(leaf)]
    quantified = [leaf for leaf in leaves if isinstance(leaf, Quantified)]
    every = [leaf.condition for leaf in quantified if leaf.every]
    needs_a_face = own or quantified
    problem = _count_problem([leaf for leaf in leaves if isinstance(leaf, FaceCount)], needs_a_face, most_faces)
    if problem is not None:
        return problem
    # Each face that something is asked of must meet what is asked of all.
    faces: list[list[Condition]] = [[leaf.condition, *every] for leaf in quantified if not leaf.every]
    faces += [[*own, *every]] if own or every else []
    for conditions in faces:
        problem = _face_problem(conditions, labels)
        if problem is not None:
            return problem
    for seconds in {leaf.over_seconds for leaf in leaves if isinstance(leaf, Share)}:
        shares = [leaf for leaf in leaves if isinstance(leaf, Share) and leaf.over_seconds == seconds]
        problem = _values_problem(shares, labels, "share")
        if problem is not None:
            return problem
    return None


def _count_problem(
    leaves: Sequence[FaceCount], needs_a_face: Sequence[object], most_faces: int | None
) -> Contradiction | None:
    low, high, excluded = (1 if needs_a_face else 0), most_faces, set()
    for leaf in leaves:
        if leaf.operator == "!=":
            excluded.add(leaf.count)
            continue
        if leaf.operator in (">", ">=", "=="):
            low = max(low, leaf.count + (leaf.operator == ">"))
        if leaf.operator in ("<", "<=", "=="):
            limit = leaf.count - (leaf.operator == "<")
            high = limit if high is None else min(high, limit)
        if most_faces is not None and low > most_faces:
            return Contradiction(f"{most_faces} faces are followed at most", leaf.at)
        if high is not None and high < 0:
            return Contradiction("there are never fewer than 0 faces", leaf.at)
        if high is not None and low > high:
            what = "these numbers of faces exclude each other"
            if needs_a_face and high == 0:
                what = "a face is asked for here, while nobody is to be in sight"
            elif len(leaves) == 1:
                what = "no number of faces fits"
            return Contradiction(what, leaf.at)
    if leaves and high is not None and all(number in excluded for number in range(low, high + 1)):
        return Contradiction("no number of faces fits", leaves[-1].at)
    return None


def _face_problem(conditions: Sequence[Condition], labels: Sequence[str]) -> Contradiction | None:
    """Why no face can meet all of these conditions; None where one can, or where that is not known."""
    cases = _cases(Both(conditions[0].at, tuple(conditions)))
    if cases is None:
        return None
    first = None
    for case in cases:
        problem = _one_face_problem(case, labels)
        if problem is None:
            return None
        first = first or problem
    return first


def _one_face_problem(leaves: Iterable[object], labels: Sequence[str]) -> Contradiction | None:
    scores: list[Score] = []
    shown: dict[str, Shown] = {}
    hidden: dict[str, Shown] = {}
    new: dict[bool, NewId] = {}
    for leaf in leaves:
        if isinstance(leaf, Score):
            scores.append(leaf)
        elif isinstance(leaf, Shown):
            (shown if leaf.wanted else hidden)[leaf.label] = leaf
        elif isinstance(leaf, NewId):
            new[leaf.wanted] = leaf
        elif isinstance(leaf, InSight) and not leaf.wanted:
            return Contradiction("a face that is looked at is in sight; `nobody` asks for an empty frame", leaf.at)
    if len(new) == 2:
        return Contradiction("an id either changes or does not", new[False].at)
    if len(shown) > 1:
        one, other = list(shown.values())[:2]
        return Contradiction(f"one face does not show {one.label} and {other.label} at a time", other.at)
    for label in shown:
        if label in hidden:
            return Contradiction(f"a face either shows {label} or does not", hidden[label].at)
    if labels and set(labels) <= set(hidden):
        return Contradiction("a face always shows one of these", list(hidden.values())[-1].at)
    return _values_problem(scores, labels, "score")


def _values_problem(leaves: Sequence[Score | Share], labels: Sequence[str], what: str) -> Contradiction | None:
    """Why scores of one face, or shares of one time, cannot be so: each is 0 to 1, and all together are 1."""
    left: dict[str, _Interval] = {}
    for leaf in leaves:
        interval = left.setdefault(leaf.label, _Interval())
        alone = _Interval()
        alone.narrow(leaf.operator, leaf.threshold)
        if alone.is_empty:
            high = leaf.operator in (">", ">=")
            hint = f": write {leaf.threshold:g}%" if high and 1 < leaf.threshold <= 100 else ""
            return Contradiction(f"a {what} is {'1 at most' if high else '0 at least'}{hint}", leaf.at)
        interval.narrow(leaf.operator, leaf.threshold)
        if interval.is_empty:
            return Contradiction(f"no {what} of {leaf.label} fits both this and what stands before it", leaf.at)
        lowest = sum(one.low for one in left.values())
        excluded = any(one.low_excluded for one in left.values())
        if lowest > 1 + ROUNDING or (excluded and lowest > 1 - ROUNDING):
            return Contradiction(f"the {what}s of all emotions together are 1: these are more", leaf.at)
        if labels and set(labels) <= set(left) and sum(one.high for one in left.values()) < 1 - ROUNDING:
            return Contradiction(f"the {what}s of all emotions together are 1: these are less", leaf.at)
    return None
