"""Pictures of a camera that hangs sideways, upside down or mirrored, turned before anything looks at them.

A film's own rotation tag is honoured by its decoder and a photo's EXIF orientation by its reader; what is asked for
here comes on top, for cameras and files that do not say how they were held.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import cv2

from edge_fer.errors import ConfigError
from edge_fer.settings import Flip
from edge_fer.types import Box

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.protocols import FrameSource
    from edge_fer.types import Frame, Image, SourceInfo

Rotation: TypeAlias = Literal[0, 90, 180, 270]
"""Degrees clockwise."""

ROTATIONS: tuple[Rotation, ...] = get_args(Rotation)
FLIPS: tuple[str, ...] = get_args(Flip)
_ROTATE_CODE = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
_FLIP_CODE = {"horizontal": 1, "vertical": 0, "both": -1}


@dataclass(frozen=True, slots=True)
class Turning:
    """How pictures are turned: first rotated, then flipped.

    Raises:
        ConfigError: a value is none of those allowed.
    """

    rotate: Rotation = 0
    flip: Flip = "none"

    def __post_init__(self) -> None:
        """Refuse other values."""
        if self.rotate not in ROTATIONS:
            raise ConfigError(f"rotate is {self.rotate}; it must be one of {', '.join(map(str, ROTATIONS))}")
        if self.flip not in FLIPS:
            raise ConfigError(f"flip is {self.flip}; it must be one of {', '.join(FLIPS)}")

    def __bool__(self) -> bool:
        """Whether anything is changed."""
        return self.rotate != 0 or self.flip != "none"

    def apply(self, image: Image) -> Image:
        """A turned copy, uint8 in the shape of the picture; the picture itself where nothing is to be changed."""
        if self.rotate:
            image = cv2.rotate(image, _ROTATE_CODE[self.rotate])  # type: ignore[assignment]
        if self.flip != "none":
            image = cv2.flip(image, _FLIP_CODE[self.flip])  # type: ignore[assignment]
        return image

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height in pixels after turning."""
        return (height, width) if self.rotate in (90, 270) else (width, height)

    def box(self, box: Box, width: int, height: int) -> Box:
        """Where a box of a picture of this size, before turning, lies afterwards."""
        left, top, right, bottom = box.x, box.y, box.x + box.width, box.y + box.height
        for _ in range(self.rotate // 90):
            left, top, right, bottom = height - bottom, left, height - top, right
            width, height = height, width
        if self.flip in ("horizontal", "both"):
            left, right = width - right, width - left
        if self.flip in ("vertical", "both"):
            top, bottom = height - bottom, height - top
        return Box(left, top, right - left, bottom - top)

    def __str__(self) -> str:
        """In words, such as `rotated by 90°, flipped horizontally`; empty where nothing is changed."""
        words = [f"rotated by {self.rotate}°"] if self.rotate else []
        if self.flip != "none":
            words.append(f"flipped {'both ways' if self.flip == 'both' else self.flip + 'ly'}")
        return ", ".join(words)


def turned_info(info: SourceInfo, turning: Turning) -> SourceInfo:
    """The same with the size after turning, where a size is known."""
    if info.width is None or info.height is None:
        return info
    width, height = turning.size(info.width, info.height)
    return replace(info, width=width, height=height)


class TurnedSource:
    """A `FrameSource` whose frames are those of another one, turned; sizes are those after turning."""

    def __init__(self, source: FrameSource, turning: Turning) -> None:
        """Turn the frames of a source; it is closed with this one."""
        self._source, self._turning = source, turning

    @property
    def info(self) -> SourceInfo:
        """That of the source, with the size after turning."""
        return turned_info(self._source.info, self._turning)

    def read(self, timeout_seconds: float) -> Frame:
        """Return the next frame, turned.

        Raises:
            SourceError: as the source.
        """
        frame = self._source.read(timeout_seconds)
        return replace(frame, image=self._turning.apply(frame.image))

    def close(self) -> None:
        """Close the source."""
        self._source.close()


def turned_truth(source: FrameSource, turning: Turning) -> Callable[[int], list[Any]] | None:
    """What a source knows of the faces in a frame, with their boxes where turning puts them; None where it knows none.

    Args:
        source: the source before turning; its `truth` gives dataclasses with a `box`.
        turning: how its frames are turned.
    """
    truth, info = getattr(source, "truth", None), source.info
    if truth is None or not turning or info.width is None or info.height is None:
        return truth
    width, height = info.width, info.height
    return lambda seq: [replace(face, box=turning.box(face.box, width, height)) for face in truth(seq)]
