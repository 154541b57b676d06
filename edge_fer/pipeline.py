"""Frames in, observations out: `Pipeline.step` looks at one frame, `Pipeline.run` at all of a source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from edge_fer.errors import EndOfStream, SourceLost, SourceTimeout
from edge_fer.inference.smoothing import ScoreSmoother
from edge_fer.observing import observe_next
from edge_fer.sinks.finishing import FINISH_SECONDS, finish
from edge_fer.sinks.summary import Tally, TruthCheck
from edge_fer.types import View

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from edge_fer.events.desk import EventDesk
    from edge_fer.faces.tracking import FaceFollower
    from edge_fer.protocols import Classifier, Clock, FrameSource
    from edge_fer.reading import ReadingSchedule
    from edge_fer.sinks.runner import SinkRunner
    from edge_fer.sinks.summary import TrueFace
    from edge_fer.types import Frame, Image, Observation

READ_SECONDS = 0.2
"""How long one read may wait, and so how late the wish to stop may be noticed."""

Ending: TypeAlias = Literal["source", "limit", "stop", "sink"]
"""Why a run ended: the source was finished, a limit was reached, a stop was asked for, or a sink had enough."""


class Heartbeat(Protocol):
    """Is notified that the loop is alive, so that a service manager can end one that is not."""

    def beat(self) -> None:
        """The loop goes round: called for each frame, and at least every `READ_SECONDS` while none comes."""

    def stopping(self) -> None:
        """The loop has ended; sinks may still write."""


class NoHeartbeat:
    """Nobody listens."""

    def beat(self) -> None:
        """Do nothing."""

    def stopping(self) -> None:
        """Do nothing."""


class Service(Protocol):
    """Something that runs beside the loop, such as a server of metrics."""

    def close(self) -> None:
        """End it; may be called more than once."""


@dataclass(frozen=True, slots=True)
class RunLimits:
    """When a run ends by itself, beside the end of its source."""

    max_frames: int | None = None
    """After this many frames; None for no limit."""
    duration_seconds: float | None = None
    """After this long; None for no limit."""
    stall_seconds: float | None = 15.0
    """A source that gives no frame for this long counts as lost; None where the source sees to that itself."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run went."""

    ending: Ending
    seconds: float
    """From the first frame to the last."""
    tally: Tally
    truth: TruthCheck | None
    """Comparison with the truth, where the source has it."""
    dropped: dict[str, int]
    """Observations that a sink did not take in time, by the name of the sink; only those above 0."""
    failures: dict[str, int]
    """Failed writes by the name of the sink; only those above 0."""
    events: int | None = None
    """How often a rule became true; None where there are no rules."""


@dataclass(slots=True)
class _Progress:
    """What changes during a run."""

    tally: Tally = field(default_factory=Tally)
    began_at: float | None = None
    last_at: float = 0.0


class Pipeline:
    """A source, a follower of faces, a classifier and sinks at work together; it uses nothing that it was not given."""

    def __init__(
        self,
        source: FrameSource,
        follower: FaceFollower,
        classifier: Classifier,
        sinks: Sequence[SinkRunner[Observation]],
        clock: Clock,
        *,
        view_sinks: Sequence[SinkRunner[View]] = (),
        limits: RunLimits | None = None,
        truth: Callable[[int], Sequence[TrueFace]] | None = None,
        smoother: ScoreSmoother | None = None,
        schedule: ReadingSchedule | None = None,
        note: Callable[[Observation], None] = lambda observation: None,
        services: Sequence[Service] = (),
        heartbeat: Heartbeat | None = None,
        events: EventDesk | None = None,
        hide: Callable[[Image, Observation], Image] | None = None,
    ) -> None:
        """Join the parts; nothing runs yet.

        Args:
            source: where frames come from; closed by `close`.
            follower: finds the faces of each frame, and gives them ids where it follows them.
            classifier: reads them, all of a frame in one call; closed by `close`.
            sinks: take observations, which hold no pixels.
            clock: for timings and limits.
            view_sinks: take observations together with their pictures.
            limits: when to end before the source does.
            truth: gives the true faces of a frame by its number, for sources that know them.
            smoother: steadies the scores of each id; None leaves them as they are.
            schedule: says which faces of a frame are read; None reads all.
            note: is called with each observation in the loop itself, so it must be quick and never raise.
            services: run beside the loop and take no observations; closed by `close`.
            heartbeat: is notified that the loop is alive; must be quick and never raise.
            events: judges each frame by rules, and hands what happens to sinks of its own.
            hide: gives the picture in which faces cannot be recognised, for all that show pictures; None shows them.
        """
        self.source = source
        self._follower = follower
        self._smoother = smoother or ScoreSmoother(0.0)
        self._classifier, self._clock, self._schedule = classifier, clock, schedule
        self._sinks, self._view_sinks = tuple(sinks), tuple(view_sinks)
        self._limits = limits or RunLimits()
        self._note, self._services = note, tuple(services)
        self._heartbeat = heartbeat or NoHeartbeat()
        self._truth, self._events, self._hide = truth, events, hide

    def step(self, frame: Frame) -> Observation:
        """Find and read the faces of one frame.

        The result depends on this frame and those before it and on nothing else, but for the timings.

        Raises:
            ModelError: the engine failed.
        """
        return observe_next(frame, self._follower, self._classifier, self._smoother, self._clock, self._schedule)

    def run(self, stop: threading.Event) -> RunReport:
        """Work until the source ends, a limit is reached, a sink has had enough, or `stop` is set.

        The source is closed and the sinks are finished when this returns or raises. Sinks of files write all that
        they were given; once `stop` is set they have `FINISH_SECONDS` for it.

        Raises:
            SourceLost: the source broke, or gave no frame for the limits' `stall_seconds`.
            SourceError: the source cannot go on.
            ModelError: the engine failed.
        """
        runners = self._runners()
        progress = _Progress()
        check = TruthCheck() if self._truth else None
        for runner in runners:
            runner.start()
        try:
            ending = self._loop(stop, progress, check)
        finally:
            self._heartbeat.stopping()
            # All at the same time: what hangs in a driver or in a write holds up nothing but itself.
            for runner in runners:
                runner.ask_to_finish()
            deadline = self._clock.monotonic() + FINISH_SECONDS if stop.is_set() else None
            self.source.close()
            finish(runners, stop, self._clock, deadline)
        return RunReport(
            ending,
            0.0 if progress.began_at is None else progress.last_at - progress.began_at,
            progress.tally,
            check,
            {runner.name: runner.dropped for runner in runners if runner.dropped},
            {runner.name: runner.failures for runner in runners if runner.failures},
            None if self._events is None else self._events.events,
        )

    def close(self) -> None:
        """Release source and engine and end the services; may be called more than once."""
        for service in self._services:
            service.close()
        self.source.close()
        self._classifier.close()

    def _runners(self) -> tuple[SinkRunner[Any], ...]:
        return (*self._sinks, *self._view_sinks, *(() if self._events is None else self._events.runners))

    def _loop(self, stop: threading.Event, progress: _Progress, check: TruthCheck | None) -> Ending:
        limits, clock = self._limits, self._clock
        started_at = heard_at = clock.monotonic()
        while not stop.is_set():
            self._heartbeat.beat()
            now = clock.monotonic()
            if limits.max_frames is not None and progress.tally.frames >= limits.max_frames:
                return "limit"
            if limits.duration_seconds is not None and now - started_at >= limits.duration_seconds:
                return "limit"
            if any(sink.finished and sink.finished.ends_run for sink in self._runners()):
                return "sink"
            try:
                frame = self.source.read(READ_SECONDS)
            except SourceTimeout:
                waited = clock.monotonic() - heard_at
                if limits.stall_seconds is not None and waited >= limits.stall_seconds:
                    name = self.source.info.name
                    raise SourceLost(f"{name} gave no frame for {waited:.0f} s: is it still connected?") from None
                continue
            except EndOfStream:
                return "source"
            heard_at = clock.monotonic()
            if progress.began_at is None:
                progress.began_at = heard_at
            observation = self.step(frame)
            progress.tally.add(observation)
            self._note(observation)
            if check is not None and self._truth is not None:
                check.add(observation, self._truth(frame.seq))
            for sink in self._sinks:
                sink.offer(observation, stop.is_set)
            image = frame.image if self._hide is None else self._hide(frame.image, observation)
            if self._events is not None:
                self._events.see(observation, image, stop.is_set)
            for view_sink in self._view_sinks:
                view_sink.offer(View(observation, image), stop.is_set)
            progress.last_at = clock.monotonic()
        return "stop"
