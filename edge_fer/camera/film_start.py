"""When the pictures of a film begin: often a moment after its sound, and in a recording of television at any time."""

from __future__ import annotations

import contextlib
import math
import re
from typing import TYPE_CHECKING

import cv2

from edge_fer.ffmpeg_formats import FILE_FORMATS, FILE_PROTOCOLS

if TYPE_CHECKING:
    from edge_fer.camera._opencv import Capture

LIMITS = {"format_whitelist": FILE_FORMATS, "protocol_whitelist": FILE_PROTOCOLS}
RUNNING_CLOCK = re.compile(rb"G|.{4}G|\x00\x00\x01\xba", re.DOTALL)
"""How transport and program streams begin. Their times are those of a clock that runs from anywhere; other containers
count from the beginning of the film."""
LATEST_SECONDS = 86_400.0
"""What begins later than this in its own film has wrong timestamps."""


def pictures_start_seconds(capture: Capture, fps: float, name: str, start: bytes) -> float:
    """Where in a film its first picture stands, to which OpenCV relates the times of all.

    OpenCV gives the first timestamp to the nearest frame. With the extra `video` the very one is read, and when the
    clock of a transport or program stream began.

    Args:
        capture: that has just given the first frame.
        fps: rate of the film, above 0.
        name: of the file, absolute.
        start: the first bytes of the file.

    Returns:
        Seconds, not below 0; 0 where the pictures begin with the film or that is unknown.
    """
    first = capture.get(cv2.CAP_PROP_PTS) / fps - capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
    if not math.isfinite(first) or abs(first) < 0.5 / fps:
        return 0.0  # as nearly always; then nothing more is loaded
    runs = RUNNING_CLOCK.match(start) is not None
    seconds = _exact_seconds(name, runs)
    if seconds is None:
        seconds = 0.0 if runs else first
    return seconds if 0.0 <= seconds <= LATEST_SECONDS else 0.0


def _exact_seconds(name: str, runs: bool) -> float | None:
    """The same as the timestamps say it; None where they cannot be read."""
    try:
        import av
        import av.logging
    except ImportError:
        return None
    av.logging.set_level(av.logging.PANIC)
    with contextlib.suppress(Exception), av.open(name, options=LIMITS, metadata_errors="replace") as film:
        pictures = film.streams.video[0]
        if pictures.start_time is not None and pictures.time_base is not None:
            begin = film.start_time / av.time_base if runs and film.start_time is not None else 0.0
            return float(pictures.start_time * pictures.time_base) - begin
    return None
