"""How far the training has come: a bar on a terminal, else a message per epoch and one every half minute."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, TextIO

from edge_fer.sinks.progress import bar_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer_train.checkpoint import Progress

log = logging.getLogger("edge_fer.train")

REDRAW_SECONDS = 0.1
LINE_SECONDS = 30.0
"""Between lines within an epoch, where there is no terminal."""


class ProgressBar:
    """Takes the reports of `fit.train`; the last epoch, or `close`, leaves the terminal on a fresh line."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic, *, drawn: bool) -> None:
        self._epochs, self._stream, self._clock = 1, stream, clock
        self._drawn = drawn
        self._drawn_at, self._width = float("-inf"), 0
        self._first_step: tuple[float, float] | None = None
        self._last = ""

    def begin(self, epochs: int) -> Callable[[Progress, int, int, dict[str, float]], None]:
        """Say how many epochs there are; return what takes the reports."""
        self._epochs = epochs
        return self.report

    def report(self, progress: Progress, step: int, steps: int, figures: dict[str, float]) -> None:
        """Show a step, or an epoch where `figures` hold its validation accuracy."""
        finished = "validation_accuracy" in figures
        if finished:
            best = " *" if progress.best_epoch == progress.epoch - 1 else ""
            self._last = f"validation {figures['validation_accuracy']:.2%}, best {progress.best_accuracy:.2%}"
            line = (
                f"epoch {progress.epoch}/{self._epochs}  loss {figures['loss']:.4f}  "
                f"validation {figures['validation_accuracy']:.2%}  "
                f"without copies {figures['validation_accuracy_without_copies']:.2%}  "
                f"{figures.get('seconds', 0.0):.0f} s{best}"
            )
            if not self._drawn:
                log.info("%s", line)
        elif not self._drawn:
            self._line_within_epoch(progress, step, steps, figures.get("loss"))
        if self._drawn:
            self._draw(progress.epoch + (0 if finished else step / steps), figures.get("loss"), force=finished)
            if finished and progress.epoch >= self._epochs:
                self.close()

    def _line_within_epoch(self, progress: Progress, step: int, steps: int, loss: float | None) -> None:
        now, epochs_done = self._clock(), progress.epoch + step / steps
        if self._first_step is None:
            self._first_step, self._drawn_at = (now, epochs_done), now
        if now - self._drawn_at < LINE_SECONDS:
            return
        self._drawn_at = now
        parts = [f"epoch {progress.epoch + 1}/{self._epochs}", f"step {step}/{steps}"]
        parts += [f"loss {loss:.4f}"] if loss is not None else []
        parts += [left] if (left := self._time_left(now, epochs_done)) else []
        log.info("%s", "  ".join(parts))

    def close(self) -> None:
        """End the line of the bar."""
        if self._drawn and self._width:
            print(file=self._stream)
            self._width = 0

    def _draw(self, epochs_done: float, loss: float | None, *, force: bool) -> None:
        now = self._clock()
        if self._first_step is None:
            self._first_step = (now, epochs_done)
        if not force and now - self._drawn_at < REDRAW_SECONDS:
            return
        self._drawn_at = now
        parts = [
            bar_text(epochs_done / self._epochs),
            f"epoch {min(int(epochs_done) + 1, self._epochs)}/{self._epochs}",
            f"loss {loss:.3f}" if loss is not None else "",
            self._last,
            self._time_left(now, epochs_done),
        ]
        line = "  ".join(part for part in parts if part)
        print("\r" + line.ljust(self._width), end="", file=self._stream, flush=True)
        self._width = len(line)

    def _time_left(self, now: float, epochs_done: float) -> str:
        begun_at, begun_epochs = self._first_step or (now, epochs_done)
        if epochs_done - begun_epochs <= 0 or epochs_done >= self._epochs:
            return ""
        seconds = int((now - begun_at) / (epochs_done - begun_epochs) * (self._epochs - epochs_done))
        hours, minutes = seconds // 3600, seconds % 3600 // 60
        if hours:
            return f"{hours} h {minutes:02d} min left"
        return f"{minutes} min left" if minutes else f"{seconds} s left"
