"""A camera that outlives its failures: it is watched, closed when it fails, and opened again when it is back."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from edge_fer.camera._frame_check import FrameCheck
from edge_fer.camera._in_thread import InThread
from edge_fer.camera._retry import Retry
from edge_fer.camera.state import CameraState
from edge_fer.errors import EdgeFerError, EndOfStream, SourceError, SourceLost, SourceTimeout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_fer.protocols import Clock, FrameSource
    from edge_fer.types import Frame, SourceInfo

log = logging.getLogger("edge_fer.camera")

LOOK_SECONDS = 0.2
"""How often, at least, a camera that is away is looked for while `read` waits."""

CALM_SECONDS = 10.0
"""After frames for this time the next loss begins with the shortest pause again; one that flaps keeps long pauses."""


class SupervisedSource:
    """A `FrameSource` around another one that may be absent, pulled out, frozen, mute or broken.

    While there is nothing to give, `read` raises SourceTimeout: the reader stays alive and can be asked to stop.
    Every call that a driver may block is made in a thread of its own; the next opening waits until the last reader has
    let go of the device, or there is another device of that name. `read` and `close` may be called from two threads,
    `state` and `info` from any.
    """

    def __init__(
        self,
        open_source: Callable[[], FrameSource],
        info: SourceInfo,
        *,
        stall_seconds: float,
        patience_seconds: float,
        clock: Clock,
        first: FrameSource | None = None,
        device: Callable[[], Path] | None = None,
        log: logging.Logger = log,
    ) -> None:
        """Watch over a source; nothing is opened before the first `read`.

        Args:
            open_source: opens the source by its stable name; need not wait for a frame; may block and may raise.
            info: what is known of it before it is opened; `live` and the name count.
            stall_seconds: nothing, or the same picture over and over, for this time is a failure.
            patience_seconds: how long, at least, a source that was opened again may take to its first frame.
            clock: for all waiting.
            first: the source where it is open already and has given a frame.
            device: identifies the device file, or the link to it, whose return is worth an attempt at once.
            log: gets a warning with each outage, in one line, and a line when it is over.
        """
        self._open_source, self._clock, self._log = open_source, clock, log
        self._stall_seconds, self._patience_seconds = stall_seconds, patience_seconds
        self._info = first.info if first is not None else info
        self._check, self._retry = FrameCheck(), Retry(device)
        self._lock, self._wake = threading.Lock(), threading.Event()
        self._closed = False
        self._source = first
        self._opening: InThread[FrameSource] | None = None
        self._closing: InThread[None] | None = None
        self._old: FrameSource | None = None
        now = clock.monotonic()
        self._state = CameraState(up=first is not None, since=now)
        self._told = False
        self._frozen = self._calm = False
        self._opened_at = self._heard_at = self._changed_at = now
        self._next_seq = self._first_seq = 0

    @property
    def info(self) -> SourceInfo:
        """What was asked for and obtained; size and rate are None until the first frame ever."""
        return self._info

    @property
    def state(self) -> CameraState:
        """Whether frames come, since when, and why not."""
        return self._state

    @property
    def released(self) -> bool:
        """Whether, after `close`, no thread is left in a driver or an opening."""
        open_threads = self._opening is not None and not self._opening.done
        return not open_threads and all(is_released(one) for one in (self._source, self._old))

    def read(self, timeout_seconds: float) -> Frame:
        """Return the next frame; `seq` goes on over outages.

        Raises:
            SourceTimeout: none now; ask again. It may come before the time is over.
            SourceLost: it was closed.
            EndOfStream: the source was a video with an end after all.
        """
        if self._closed:
            raise SourceLost(f"{self._info.name} was closed")
        source = self._source or self._reopened(timeout_seconds)
        if source is None:
            raise SourceTimeout(f"waiting for {self._info.name}")
        try:
            frame = source.read(timeout_seconds)
        except SourceTimeout:
            self._judge_silence(self._clock.monotonic())
            raise
        except EndOfStream:
            raise
        except SourceError as error:
            if self._closed:
                raise
            self._lose(str(error), frozen=False)
            raise SourceTimeout(str(error)) from error
        return self._judged(frame)

    def close(self) -> None:
        """Close the source, and what is being opened as soon as that is possible; may be called more than once."""
        with self._lock:
            self._closed = True
            source, opening = self._source, self._opening
        self._wake.set()
        if opening is not None:
            opening.abandon(lambda opened: opened.close())
        if source is not None:
            source.close()

    def _judged(self, frame: Frame) -> Frame:
        """The frame with its number, or an end of this attempt."""
        now = self._clock.monotonic()
        wrong = self._check.wrong(frame.image)
        if wrong is not None:
            self._state = replace(self._state, bad_frames=self._state.bad_frames + 1)
            self._judge_silence(now, f"{self._info.name} gives {wrong}")
            raise SourceTimeout(wrong)
        if not self._check.repeated(frame.image):
            self._changed_at = now
            self._frozen = False
        elif self._frozen or now - self._changed_at >= self._stall_seconds:
            # What was reopened because it was frozen must move to count; until then it stays open and is looked at.
            same = f"{self._info.name} has given the same picture for {now - self._changed_at:.0f} s"
            if not self._frozen or now - self._opened_at >= self._patience:
                self._lose(same, frozen=True)
            raise SourceTimeout(same)
        self._heard_at = now
        if not self._state.up:
            self._come_back(frame, now)
        elif not self._calm and now - self._state.since >= CALM_SECONDS:
            self._calm = True
            self._retry.calm()
        seq = self._next_seq = self._first_seq + frame.seq
        self._next_seq += 1
        return frame if self._first_seq == 0 else replace(frame, seq=seq)

    def _judge_silence(self, now: float, why: str | None = None) -> None:
        """Give the source up when it has given nothing good for too long."""
        own = float(getattr(self._source, "silence_seconds", 0.0))
        allowed = max(own, self._stall_seconds if self._state.up else self._patience)
        silent_seconds = now - max(self._heard_at, self._opened_at)
        if silent_seconds >= allowed:
            self._lose(why or f"{self._info.name} has given no frame for {silent_seconds:.0f} s", frozen=self._frozen)

    @property
    def _patience(self) -> float:
        return max(self._patience_seconds, self._retry.seconds)

    def _come_back(self, frame: Frame, now: float) -> None:
        """Frames come, at first or again."""
        assert self._source is not None
        self._info = self._source.info
        again = self._next_seq > 0
        # A source that was reopened counts from 0, but the one that was frozen has already given some.
        self._first_seq = self._next_seq - frame.seq if again else 0
        seconds = now - self._state.since
        self._state = replace(self._state, up=True, since=now, reopened=self._state.reopened + (1 if again else 0))
        self._calm = False
        if self._told:
            self._told = False
            what = f"{frame.width}x{frame.height}" + (f" at {self._info.fps:.3g} FPS" if self._info.fps else "")
            came = "back" if again else "there"
            self._log.info("%s is %s after %.0f s: %s", self._info.name, came, seconds, what)

    def _lose(self, reason: str, *, frozen: bool) -> None:
        """Close the source, in a thread of its own, and plan the next attempt."""
        now = self._clock.monotonic()
        with self._lock:
            if self._closed or self._source is None:
                return
            self._old, self._source = self._source, None
            self._closing = InThread(self._old.close, f"close {self._info.name}", self._wake.set)
        self._check.opened_anew(frozen=frozen)
        self._frozen = frozen
        if self._state.up:
            self._retry.begin(now)
        self._fail(reason, now)

    def _fail(self, reason: str, now: float) -> None:
        since = now if self._state.up else self._state.since
        self._state = replace(self._state, up=False, since=since, last_error=reason)
        self._retry.failed(now)
        if not self._told:
            self._told = True
            self._log.warning("%s; waiting for it", reason)

    def _reopened(self, timeout_seconds: float) -> FrameSource | None:
        """Do what can be done now, wait a little for more, and say whether the source is open."""
        if not self._advance():
            self._wake.wait(min(timeout_seconds, LOOK_SECONDS))
            self._wake.clear()
            self._advance()
        return self._source

    def _advance(self) -> bool:
        """Close, wait, open: take the next step that needs no waiting; True when the source is open."""
        now = self._clock.monotonic()
        with self._lock:
            if self._closed:
                return False
            if self._closing is not None:
                let_go = self._closing.done and is_released(self._old)
                # A reader stuck in the driver of a device that was pulled out does not hold up the one plugged in.
                if not let_go and not self._retry.replaced:
                    return False
                self._closing = self._old = None
            if self._opening is None:
                if self._retry.due(now):
                    self._retry.begin(now)
                    self._opening = InThread(self._open_source, f"open {self._info.name}", self._wake.set)
                return False
            if not self._opening.done:
                return False
            opening, self._opening = self._opening, None
            try:
                self._source = opening.result()
            except Exception as error:  # whatever it is, the camera is not there
                reason = str(error) if isinstance(error, EdgeFerError) else f"{type(error).__name__}: {error}"
            else:
                self._opened_at = now
                return True
        self._fail(reason, now)
        return False


def is_released(source: FrameSource | None) -> bool:
    """Whether nothing of a closed source is left in a driver; sources that do not say are taken to be."""
    return source is None or bool(getattr(source, "released", True))
