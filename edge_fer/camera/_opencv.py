"""What the sources share of OpenCV: its messages silenced, its capture described as a protocol.

OpenCV and the FFmpeg in it write their own lines to stderr when something cannot be opened; edge-fer says it in one
line of its own. OPENCV_LOG_LEVEL and OPENCV_FFMPEG_LOGLEVEL stay as the user sets them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

# FFmpeg's level is read when the first video is opened (-8 is AV_LOG_QUIET). A camera's time-out is read when cv2 is
# loaded, so a program that opens cameras imports this module before any other that imports cv2.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3")

import cv2
import numpy as np

if TYPE_CHECKING:
    from edge_fer.types import Image

if "OPENCV_LOG_LEVEL" not in os.environ:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


class Capture(Protocol):
    """The part of `cv2.VideoCapture` that is used; tests bring their own."""

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether the device or file was opened."""

    def read(self) -> tuple[bool, Any]:
        """Wait for the next frame; False where there is none."""

    def get(self, propId: int) -> float:  # noqa: N803 - OpenCV's name
        """A property, 0 where it is not known."""

    def set(self, propId: int, value: float) -> bool:  # noqa: N803 - OpenCV's name
        """Ask for a property."""

    def release(self) -> None:
        """Close the device or file."""


@runtime_checkable
class GrabbingCapture(Capture, Protocol):
    """A capture that can decode a frame without making a picture of it."""

    def grab(self) -> bool:
        """Decode the next frame; False where there is none."""

    def retrieve(self) -> tuple[bool, Any]:
        """The picture of the frame that was grabbed last."""


def use_threads(count: int) -> None:
    """Let OpenCV use so many threads, at least 1."""
    cv2.setNumThreads(count)


def is_picture(value: object) -> bool:
    """Whether it is an `Image` with at least one pixel: uint8, [height, width] or [height, width, 3]."""
    if not isinstance(value, np.ndarray) or value.dtype != np.uint8 or value.size == 0:
        return False
    return value.ndim == 2 or (value.ndim == 3 and value.shape[2] == 3)


def read_picture_from(capture: Capture) -> Image | None:
    """Read the next frame; None where there is none or it is no picture."""
    try:
        read, value = capture.read()
    except cv2.error:
        return None
    return value if read and is_picture(value) else None


def retrieve_picture_from(capture: GrabbingCapture) -> Image | None:
    """The frame that was grabbed last; None where it is no picture."""
    try:
        read, value = capture.retrieve()
    except cv2.error:
        return None
    return value if read and is_picture(value) else None


def positive(value: float, highest: float = 1e9) -> float | None:
    """The value where it is a sensible property, None where it stands for unknown (0, negative, NaN, huge)."""
    return value if 0 < value <= highest else None
