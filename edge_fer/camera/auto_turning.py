"""Which way a camera hangs, found out by itself: the turn of its pictures in which there are faces."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from edge_fer.camera.turning import ROTATIONS, Turning, turned_info

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.protocols import FrameSource
    from edge_fer.types import Frame, Image, SourceInfo

    Judge: TypeAlias = Callable[[Image], float]
    """How sure it is that there are upright faces in a picture, uint8 BGR or grey; 0.0 where there are none."""

LOG = logging.getLogger("edge_fer.sources")

FIRST_SECONDS, LONGEST_SECONDS = 0.5, 8.0
"""Time between two tries: it doubles while nobody is found, so that an empty room costs little."""

CLEARER = 1.02
"""Another turn must be surer than the present one by this ratio: lying faces are found too, less surely."""


def best_rotation(image: Image, flip: Turning, judge: Judge) -> Turning | None:
    """The turning in which a picture shows upright faces most surely; None where none shows any.

    Args:
        image: uint8 BGR or grey.
        flip: how the picture is flipped after it is rotated.
        judge: how sure faces are.
    """
    best: Turning | None = None
    surest = 0.0
    for rotate in ROTATIONS:
        turning = Turning(rotate, flip.flip)
        score = judge(turning.apply(image))
        # As it comes, unless another turn is clearly better.
        if score > surest * (CLEARER if best is not None else 1.0):
            best, surest = turning, score
    return best


class AutoTurnedSource:
    """A `FrameSource` that tries the four turns while nobody is found, keeps the first that shows a face, and says so
    once."""

    def __init__(self, source: FrameSource, turning: Turning, judge: Judge) -> None:
        """Turn the frames of a source; it is closed with this one.

        Args:
            source: gives frames as they come.
            turning: how they are flipped; its rotation is where the search begins.
            judge: how sure faces are; called in the thread that reads.
        """
        self._source, self._turning, self._judge = source, turning, judge
        self._settled = False
        self._next_at, self._pause_seconds = -math.inf, FIRST_SECONDS

    @property
    def info(self) -> SourceInfo:
        """That of the source, with the size after turning as far as that is known."""
        return turned_info(self._source.info, self._turning)

    def read(self, timeout_seconds: float) -> Frame:
        """Return the next frame, turned.

        Raises:
            SourceError: as the source.
        """
        frame = self._source.read(timeout_seconds)
        if not self._settled and not frame.captured_at < self._next_at:
            self._try(frame)
        return replace(frame, image=self._turning.apply(frame.image))

    def _try(self, frame: Frame) -> None:
        best = best_rotation(frame.image, self._turning, self._judge)
        if best is None:
            self._next_at = frame.captured_at + self._pause_seconds
            self._pause_seconds = min(LONGEST_SECONDS, 2 * self._pause_seconds)
            return
        self._settled, self._turning = True, best
        LOG.info("%s: faces are upright when the picture is rotated by %d°; that is kept", frame.source, best.rotate)

    def close(self) -> None:
        """Close the source."""
        self._source.close()
