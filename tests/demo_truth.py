"""Which events the demo must give, from what is known of its frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from edge_fer.camera.demo import FPS, FRAMES, DemoSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LATE_SECONDS = 0.5
"""By so much the steadied scores follow a face that changes; the slowest change of the demo, to a face that is read
weakly, is shown after 0.4 s."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames in a row in which something is true: from the first to the one behind the last."""

    begin: int
    end: int

    @property
    def seconds(self) -> float:
        return (self.end - self.begin) / FPS


@cache
def shown() -> tuple[tuple[str, ...], ...]:
    """What the actors of each frame of one round show."""
    demo = DemoSource()
    return tuple(tuple(face.emotion for face in demo.truth(seq)) for seq in range(FRAMES))


def stretches(is_true: Callable[[Sequence[str]], bool], frames: int = FRAMES) -> list[Stretch]:
    """Where a question about what is shown has the answer yes, over so many frames."""
    found, begin = [], None
    for seq in range(frames + 1):
        holds = seq < frames and is_true(shown()[seq % FRAMES])
        if holds and begin is None:
            begin = seq
        elif not holds and begin is not None:
            found.append(Stretch(begin, seq))
            begin = None
    return found


def check(
    events: Sequence[int], expected: Sequence[Stretch], for_seconds: float, late_seconds: float = LATE_SECONDS
) -> tuple[list[Stretch], list[int]]:
    """What is missed and what is too much.

    Args:
        events: the frames in which a rule made events.
        expected: where its condition is true.
        for_seconds: how long it must be.
        late_seconds: by how much an event may come later than the truth, and outlast it.

    Returns:
        Stretches that lasted long enough for an event for certain and have none; events without a stretch of their own.
    """
    late = late_seconds * FPS
    left, missed = list(events), []
    for stretch in expected:
        due = stretch.begin + for_seconds * FPS
        found = next((seq for seq in left if due - 1 <= seq <= min(due + late, stretch.end + late)), None)
        if found is not None:
            left.remove(found)
        elif stretch.seconds >= for_seconds + late_seconds:
            missed.append(stretch)
    return missed, left
