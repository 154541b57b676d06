"""The frames of a video in memory, as many as fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_fer_bench.measuring import STALL_SECONDS

from edge_fer.camera.opening import open_source
from edge_fer.errors import EndOfStream

if TYPE_CHECKING:
    from edge_fer.types import Frame

MOST_BYTES = 128 * 1024 * 1024
"""Most that the frames of a video may take in memory."""


def video_frames(path: str, most_frames: int, *, most_bytes: int = MOST_BYTES) -> list[Frame]:
    """The first frames of a video: up to so many, and no more bytes of them than that.

    Raises:
        SourceError: it cannot be read.
    """
    source = open_source(path)
    frames: list[Frame] = []
    try:
        while len(frames) < most_frames and sum(frame.image.nbytes for frame in frames) < most_bytes:
            frames.append(source.read(STALL_SECONDS))
    except EndOfStream:
        pass
    finally:
        source.close()
    return frames
