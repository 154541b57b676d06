"""The one line on a terminal that shows the progress of a run: what is seen, how fast, and how far a file is done."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, TextIO

from edge_fer.escaping import for_terminal
from edge_fer.sinks.progress import progress_bar
from edge_fer.sinks.rate import RateMeter, SkippedFrames
from edge_fer.sinks.runner import SinkFinished

if TYPE_CHECKING:
    from edge_fer.protocols import Clock
    from edge_fer.types import Observation

LIVE_SECONDS = 1.0
PROGRESS_SECONDS = 0.2
"""How often the line is redrawn: once per second for cameras, more often where a bar moves."""


class StatusLine:
    """Rewrites one line on a terminal; with a known number of frames it begins with a progress bar."""

    def __init__(self, stream: TextIO, clock: Clock, *, frame_count: int | None = None, top: int = 1) -> None:
        self._stream, self._clock = stream, clock
        self._frame_count, self._top = frame_count, top
        self._every_seconds = LIVE_SECONDS if frame_count is None else PROGRESS_SECONDS
        self._next_at = float("-inf")
        self._rate = RateMeter()
        self._gaps = SkippedFrames()
        self._skipped = 0
        self._shown_length = 0

    def write(self, observation: Observation) -> None:
        """Count one observation, and show it when the line is due.

        Raises:
            SinkFinished: the terminal has gone.
        """
        now = self._clock.monotonic()
        rate = self._rate.tick(now)
        self._skipped += self._gaps.before(observation)
        last = observation.seq + 1 == self._frame_count
        if now >= self._next_at or last:
            self._next_at = now + self._every_seconds
            self._show(status_text(observation, rate, self._frame_count, self._top, self._skipped))

    def close(self) -> None:
        """Clear the line, so that the summary starts on a clean one."""
        if self._shown_length:
            self._show("")
            self._shown_length = 0

    def _show(self, text: str) -> None:
        text = for_terminal(text)[: max(10, shutil.get_terminal_size().columns - 1)]
        try:
            self._stream.write("\r" + text.ljust(self._shown_length) + ("\r" if not text else ""))
            self._stream.flush()
        except (OSError, ValueError) as exc:
            raise SinkFinished("", ends_run=False) from exc
        self._shown_length = len(text)


def status_text(
    observation: Observation, rate: float | None, frame_count: int | None, top: int = 1, skipped: int = 0
) -> str:
    """The line for one observation: progress or frame number, rate, time of each stage, dropped frames, the faces.

    Args:
        observation: the newest.
        rate: frames per second; None where it is not known yet.
        frame_count: frames that will come; None where unknown.
        top: emotions a face.
        skipped: frames that were replaced by newer ones before they were looked at.
    """
    start = progress_bar(observation.seq + 1, frame_count) if frame_count else f"frame {observation.seq}"
    fps = f"{rate:.1f} FPS" if rate is not None else "- FPS"
    timings = observation.timings
    stages = f"{timings.total_ms:.1f} ms (find {timings.detect_ms:.1f}, read {timings.classify_ms:.1f})"
    dropped = f"  dropped {skipped}, too slow" if skipped else ""
    faces = "; ".join(
        ", ".join(f"{label} {value:.0%}" for label, value in scored.scores.top_k(top)) for scored in observation.faces
    )
    return f"{start}  {fps}  {stages}{dropped}  {faces or 'no face'}"
