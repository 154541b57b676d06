"""The health of a run, as plain data made on request: for the page, MQTT and metrics, which all show the same numbers.

`HealthMonitor.note` counts each frame in the loop's own thread, a few additions, so that nothing is lost when a sink
is slow. `HealthMonitor.snapshot` may be called from any thread and changes nothing.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from edge_fer._version import __version__
from edge_fer.sinks.rate import WINDOW_SECONDS, RateMeter, SkippedFrames

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_fer.protocols import Clock
    from edge_fer.types import Observation, SourceInfo, Timings

SILENT_SECONDS = 5.0
"""A source that does not report its own state counts as down when it has given nothing for this time."""

STAGES = ("detect", "classify", "total")
"""Stages of one frame, as in the JSON lines."""

BUCKET_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds: from reading one face on a PC (about 0.1 ms) to a full search on a slow board (about 1 s)."""


THROTTLE_CAUSES = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
"""All that a computer may say holds its processor back."""


class SinkCounts(Protocol):
    """What is read of a `SinkRunner`."""

    name: str
    dropped: int
    failures: int

    @property
    def written(self) -> int:
        """Results that were written or sent."""

    @property
    def lost(self) -> int:
        """Results that could not be sent, because the receiver was away."""

    @property
    def connected(self) -> bool | None:
        """Whether the receiver is there; None where there is none."""


@dataclass(frozen=True, slots=True)
class SinkHealth:
    """What one sink did since the start."""

    name: str
    written: int
    dropped: int
    """Observations that it did not take in time."""
    failures: int
    """Writes that failed, and results that could not be sent."""
    connected: bool | None = None
    """Whether the receiver, such as a broker, is there; None for sinks without one."""


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """Whether frames come."""

    name: str
    """As shown to people, without passwords."""
    live: bool
    """False for files."""
    up: bool
    since_seconds: float
    """For how long it has been up or down."""
    reopened: int = 0
    """How often it was lost and reopened."""
    problem: str | None = None
    """Why it is down, in one line; None while it is up or where that is unknown."""
    tried: bool = True
    """False until it has given a frame or failed to: until then it is unknown whether it is up."""


@dataclass(frozen=True, slots=True)
class Board:
    """What the computer says of itself; None where it does not say."""

    temperature_celsius: float | None = None
    throttled: tuple[str, ...] | None = None
    """What holds the processor back now, such as `under-voltage`; empty where nothing does."""
    throttled_before: tuple[str, ...] | None = None
    """What has held it back at any time since it was switched on."""


@dataclass(frozen=True, slots=True)
class Durations:
    """How long one stage took over all frames."""

    count: int
    sum_seconds: float
    buckets: tuple[int, ...]
    """Frames that took at most the bound of `BUCKET_SECONDS` in the same place and longer than the one before it;
    the last entry counts those that took longer than all bounds."""

    @property
    def mean_ms(self) -> float | None:
        """Mean in milliseconds; None before the first frame."""
        return self.sum_seconds * 1e3 / self.count if self.count else None


@dataclass(frozen=True, slots=True)
class Health:
    """How a run fares at one moment."""

    version: str
    engine: str
    model: str
    uptime_seconds: float
    """Since the parts were opened."""
    camera: CameraHealth
    frames: int
    """Frames looked at."""
    frames_skipped: int
    """Frames of the source that were replaced by newer ones before they were looked at."""
    faces: int
    """Faces in the newest frame."""
    unscored: int
    """Faces over all frames that were left out, because the model gave them no finite scores."""
    fps: float
    """Frames looked at a second over the last two seconds; 0 while none come."""
    last_frame_seconds: float | None
    """Age of the newest frame; None before the first."""
    timings: Timings | None
    """Of the newest frame."""
    stages: dict[str, Durations]
    """Over all frames, by the names in `STAGES`."""
    sinks: tuple[SinkHealth, ...]
    board: Board

    @property
    def dropped(self) -> dict[str, int]:
        """What was lost, by reason, only those above 0: `camera` for frames, `scores` for faces, the name of a sink for
        observations."""
        counts = {"camera": self.frames_skipped, "scores": self.unscored} | {
            sink.name: sink.dropped for sink in self.sinks
        }
        return {reason: count for reason, count in counts.items() if count}

    def as_record(self) -> dict[str, Any]:
        """The snapshot as plain data for JSON; without the buckets, with the mean of each stage."""
        record = asdict(self)
        means = {name: durations.mean_ms for name, durations in self.stages.items()}
        record["stages"] = {name: None if mean is None else round(mean, 3) for name, mean in means.items()}
        record["dropped"] = self.dropped
        for name in ("uptime_seconds", "fps", "last_frame_seconds"):
            record[name] = None if record[name] is None else round(record[name], 2)
        record["camera"]["since_seconds"] = round(self.camera.since_seconds, 2)
        return record


class HealthMonitor:
    """Counts what the loop does and gives it as `Health`."""

    def __init__(
        self,
        info: Callable[[], SourceInfo],
        clock: Clock,
        *,
        engine: str = "",
        model: str = "",
        camera: Callable[[], CameraHealth] | None = None,
        board: Callable[[], Board] = Board,
    ) -> None:
        """Begin to count.

        Args:
            info: asks the source for its name and kind.
            clock: for rates and ages.
            engine: name of the engine.
            model: name of the model.
            camera: asks a source that reports its own state; None judges by the frames that come.
            board: asks the computer for its temperature; called for each snapshot, so it must be quick.
        """
        self._info, self._clock = info, clock
        self._engine, self._model = engine, model
        self._camera, self._board = camera, board
        self._sinks: tuple[SinkCounts, ...] = ()
        self._lock = threading.Lock()
        self._started_at = clock.monotonic()
        self._up_since: float | None = None
        self._last_at: float | None = None
        self._rate = RateMeter()
        self._fps = 0.0
        self._frames = self._skipped = self._faces = self._unscored = 0
        self._gaps = SkippedFrames()
        self._timings: Timings | None = None
        self._sums = [0.0] * len(STAGES)
        self._buckets = [[0] * (len(BUCKET_SECONDS) + 1) for _ in STAGES]

    def watch(self, sinks: Sequence[SinkCounts]) -> None:
        """Include the counts of these sinks from now on."""
        self._sinks = tuple(sinks)

    def note(self, observation: Observation) -> None:
        """Count one observation."""
        now = self._clock.monotonic()
        timings = observation.timings
        with self._lock:
            if self._last_at is None or now - self._last_at > SILENT_SECONDS:
                self._up_since = now
            self._last_at = now
            self._fps = self._rate.tick(now) or 0.0
            self._frames += 1
            self._skipped += self._gaps.before(observation)
            self._faces = len(observation.faces)
            self._unscored += observation.unscored
            self._timings = timings
            for stage, ms in enumerate((timings.detect_ms, timings.classify_ms, timings.total_ms)):
                self._sums[stage] += ms / 1e3
                self._buckets[stage][bisect_left(BUCKET_SECONDS, ms / 1e3)] += 1

    def snapshot(self) -> Health:
        """How the run fares now."""
        board = self._board()
        camera = None if self._camera is None else self._camera()
        info = self._info()
        now = self._clock.monotonic()
        with self._lock:
            age = None if self._last_at is None else max(0.0, now - self._last_at)
            return Health(
                version=__version__,
                engine=self._engine,
                model=self._model,
                uptime_seconds=now - self._started_at,
                camera=self._judged(info, now) if camera is None else camera,
                frames=self._frames,
                frames_skipped=self._skipped,
                faces=self._faces,
                unscored=self._unscored,
                fps=self._fps if age is not None and age <= WINDOW_SECONDS else 0.0,
                last_frame_seconds=age,
                timings=self._timings,
                stages={
                    name: Durations(self._frames, self._sums[stage], tuple(self._buckets[stage]))
                    for stage, name in enumerate(STAGES)
                },
                sinks=tuple(
                    SinkHealth(sink.name, sink.written, sink.dropped, sink.failures + sink.lost, sink.connected)
                    for sink in self._sinks
                ),
                board=board,
            )

    def _judged(self, info: SourceInfo, now: float) -> CameraHealth:
        if self._last_at is None or self._up_since is None:
            waited = now - self._started_at
            return CameraHealth(info.name, info.live, up=False, since_seconds=waited, tried=waited > SILENT_SECONDS)
        up = now - self._last_at <= SILENT_SECONDS
        since = self._up_since if up else self._last_at
        return CameraHealth(info.name, info.live, up, now - since)
