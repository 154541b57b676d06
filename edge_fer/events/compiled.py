"""Conditions as functions, made once for each rule: to begin, and with the hysteresis to go on."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from edge_fer.events.conditions import Both, Either, FaceCount, InSight, NewId, Score, Share, Shown, without_not

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge_fer.events.conditions import Condition, Operator

COMPARE: Mapping[Operator, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}

FaceFacts: TypeAlias = "tuple[int | None, Sequence[float], str, bool]"
"""Of one face: its id, its scores in the order of the labels, the label shown, and whether the id is new."""


@dataclass(slots=True)
class FrameFacts:
    """What the functions ask of a frame."""

    faces: Sequence[FaceFacts] = ()
    shares: dict[tuple[str, float], float | None] = field(default_factory=dict)
    """By label and seconds; None where nobody was in sight, or not all of that time was seen."""


Test: TypeAlias = "Callable[[FaceFacts, FrameFacts], bool]"

NO_FACE: FaceFacts = (None, (), "", False)
"""Stands for the face where a whole frame is asked about."""


def checker_of(condition: Condition, labels: Sequence[str], hysteresis: float = 0.0) -> Test:
    """A function that says whether a condition holds for a face of a frame.

    Args:
        condition: with labels as the model has them.
        labels: in the order of the scores.
        hysteresis: by how much thresholds of scores and shares are loosened, though never by more than half of the way
            to the end of the scale, behind which nothing could fail.
    """
    return _test(without_not(condition), labels, hysteresis)


def loosened(comparison: Operator, threshold: float, hysteresis: float) -> float:
    """The threshold behind which a value must fall before a comparison is over."""
    if comparison in (">", ">="):
        return threshold - min(hysteresis, threshold / 2)
    return threshold + min(hysteresis, (1.0 - threshold) / 2)


def _test(condition: Condition, labels: Sequence[str], hysteresis: float) -> Test:
    if isinstance(condition, (Both, Either)):
        tests = tuple(_test(part, labels, hysteresis) for part in condition.parts)
        return _all_of(tests) if isinstance(condition, Both) else _any_of(tests)
    if isinstance(condition, Score):
        threshold = loosened(condition.operator, condition.threshold, hysteresis)
        return _score(labels.index(condition.label), condition.operator, threshold)
    if isinstance(condition, Shown):
        return _shown(condition.label, condition.wanted)
    if isinstance(condition, FaceCount):
        return _count(condition.operator, condition.count)
    if isinstance(condition, Share):
        threshold = loosened(condition.operator, condition.threshold, hysteresis)
        return _share(condition.label, condition.over_seconds, condition.operator, threshold)
    if isinstance(condition, NewId):
        wanted_new = condition.wanted
        return lambda face, frame: face[3] is wanted_new
    if isinstance(condition, InSight):
        wanted = condition.wanted
        return lambda face, frame: wanted
    assert not hasattr(condition, "part")  # `not` was removed
    inner = _test(condition.condition, labels, hysteresis)
    return _every(inner) if condition.every else _some(inner)


def _score(index: int, comparison: Operator, threshold: float) -> Test:
    # By far the most frequent, so without another call.
    if comparison == ">":
        return lambda face, frame: face[1][index] > threshold
    if comparison == "<":
        return lambda face, frame: face[1][index] < threshold
    compare = COMPARE[comparison]
    return lambda face, frame: compare(face[1][index], threshold)


def _shown(label: str, wanted: bool) -> Test:
    if wanted:
        return lambda face, frame: face[2] == label
    return lambda face, frame: face[2] != label


def _count(comparison: Operator, count: int) -> Test:
    compare = COMPARE[comparison]
    return lambda face, frame: compare(len(frame.faces), count)


def _share(label: str, seconds: float, comparison: Operator, threshold: float) -> Test:
    compare, key = COMPARE[comparison], (label, seconds)

    def test(face: FaceFacts, frame: FrameFacts) -> bool:
        share = frame.shares[key]
        return share is not None and compare(share, threshold)

    return test


def _all_of(tests: Sequence[Test]) -> Test:
    def test(face: FaceFacts, frame: FrameFacts) -> bool:
        for one in tests:  # noqa: SIM110 - a generator costs more than these tests
            if not one(face, frame):
                return False
        return True

    return test


def _any_of(tests: Sequence[Test]) -> Test:
    def test(face: FaceFacts, frame: FrameFacts) -> bool:
        for one in tests:  # noqa: SIM110
            if one(face, frame):
                return True
        return False

    return test


def _every(inner: Test) -> Test:
    def test(face: FaceFacts, frame: FrameFacts) -> bool:
        for one in frame.faces:
            if not inner(one, frame):
                return False
        return bool(frame.faces)

    return test


def _some(inner: Test) -> Test:
    def test(face: FaceFacts, frame: FrameFacts) -> bool:
        for one in frame.faces:  # noqa: SIM110
            if inner(one, frame):
                return True
        return False

    return test
