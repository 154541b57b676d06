"""What a benchmark found, as one value that is written as `result.json` and read again.

Within a schema number only fields with a default are added, so that files of every earlier version can be read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_fer.evaluation.metrics import ClassFigures
from edge_fer_bench.environment import Environment, Health
from edge_fer_bench.statistics import Estimate

__all__ = ["SCHEMA", "BenchResult", "ClassFigures", "Environment", "Estimate", "Health"]

SCHEMA = "edge-fer-bench/1"


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure."""

    rounds: int
    """Each format has its turn once a round; from 2 up, better 5 and more."""
    calls: int
    """Calls at least a turn, for each batch size."""
    seconds: float
    """Time at least a turn, for each batch size."""
    frames: int
    """Frames of the film a turn."""
    warm_up_calls: int = 10
    warm_up_frames: int = 30
    scene_frames: int = 100
    """Frames of each scene a round."""
    starts: int = 5
    """How often each command is started."""
    crowd_frames: int = 0
    """The same of the scenes with eight faces and with one of them; 0 takes as many as of the others."""


FULL = Effort(rounds=8, calls=25, seconds=0.1, frames=300, crowd_frames=60)
QUICK = Effort(
    rounds=3, calls=20, seconds=0.05, frames=60, warm_up_frames=10, scene_frames=50, starts=1, crowd_frames=24
)


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from face boxes in a picture to their scores: cropping, scaling, engine, probabilities."""

    batch: int
    """Faces a call."""
    calls: int
    p50: Estimate
    p90: float
    p99: float
    lowest: float
    round_p50: tuple[float, ...]
    """Median of each round, in order."""
    quantiles: tuple[float, ...] = ()
    """The distribution: 101 quantiles from 0 to 100 %."""


@dataclass(frozen=True, slots=True)
class Film:
    """The whole way, frame by frame, on the demo or a video; stages in milliseconds a frame, means over all frames."""

    frames: int
    faces: int
    fps: Estimate
    """Frames a second, measured from the first read to the last result of a turn."""
    round_fps: tuple[float, ...]
    read_ms: float
    """Waiting for the next picture, which is decoded or drawn in a thread of its own."""
    detect_ms: float
    """Finding and following faces."""
    classify_ms: float
    """Cropping, engine and steadying of scores."""
    frame_ms: float
    """From one frame to the next."""
    cpu_ms: float
    """Processor time a frame, all threads together, with decoding or drawing."""
    round_cpu_ms: tuple[float, ...] = ()

    @property
    def explained(self) -> float:
        """Share of the time from frame to frame that the three stages make up, 0.0 to 1.0."""
        return (self.read_ms + self.detect_ms + self.classify_ms) / self.frame_ms


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How well a format reads the labelled faces."""

    pictures: int
    accuracy: Estimate
    macro_f1: float
    calibration_error: float
    """Expected calibration error over 15 bins, 0.0 to 1.0."""
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Count of pictures by true class (rows) and predicted class (columns)."""
    loss: Estimate | None = None
    """Share of right answers that the fp32 file of the same model has more, on the same pictures; None without one."""
    reference: str | None = None
    """Name of that fp32 file."""


@dataclass(frozen=True, slots=True)
class Row:
    """One format with one number of threads; None where a figure was not measured."""

    file: str
    """Name of the model file, without its folder."""
    threads: int
    size_bytes: int
    problem: str | None = None
    """Why it was not measured, or not to the end."""
    model: str | None = None
    engine: str | None = None
    recipe: str | None = None
    sha256: str | None = None
    load_ms: float | None = None
    """From nothing of the engine in memory to the first scores."""
    peak_memory_bytes: int | None = None
    """Most that a process held with this one model, after the first calls and frames."""
    latency: tuple[Latency, ...] = ()
    film: Film | None = None
    accuracy: Accuracy | None = None

    @property
    def key(self) -> tuple[str, int]:
        """What tells rows apart."""
        return self.file, self.threads

    def latency_of(self, batch: int) -> Latency | None:
        """The latency with so many faces a call, where it was measured."""
        return next((one for one in self.latency if one.batch == batch), None)


@dataclass(frozen=True, slots=True)
class SceneFigures:
    """The camera loop on one scene; reading frames is not in it."""

    name: str
    """One of `scenes.SCENES`; 640x480 where nothing else is said."""
    frames: int
    faces: int
    fps: Estimate
    """Frames a second that the loop alone could do."""
    cpu_ms: float
    """Processor time a frame, all threads together."""
    round_cpu_ms: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class StartFigures:
    """One of edge-fer's commands from its start to its end, in a process of its own; medians over the rounds."""

    name: str
    """`--help`, `predict` (one picture of 640x480) or `run` (60 frames of the demo)."""
    starts: int
    wall_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class Loop:
    """The camera loop with one of the formats."""

    file: str
    threads: int
    scenes: tuple[SceneFigures, ...] = ()
    starts: tuple[StartFigures, ...] = ()
    problem: str | None = None
    """Why something of it was not measured."""

    def scene(self, name: str) -> SceneFigures | None:
        """The figures of a scene, where it was measured."""
        return next((one for one in self.scenes if one.name == name), None)


@dataclass(frozen=True, slots=True)
class BenchResult:
    """All of a run."""

    schema: str
    created: str
    """RFC 3339, UTC."""
    quick: bool
    complete: bool
    """False where it was interrupted."""
    effort: Effort
    film: str
    """`demo`, or the name of the video."""
    data_set: str | None
    """Name of the labelled faces and their split."""
    environment: Environment
    before: Health
    after: Health
    seconds: float
    """That the measuring took."""
    own_cores: float | None
    """Cores that the benchmark kept busy, on average."""
    other_cores: float | None
    """Cores that everything else on the machine kept busy meanwhile, on average."""
    rows: tuple[Row, ...]
    invalid: tuple[str, ...] = field(default=())
    """Why its figures are not to be trusted; empty where nothing speaks against it."""
    loop: Loop | None = None
    """The loop with the format that `edge-fer run` would take."""
