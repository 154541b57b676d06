"""Results, workers and a machine that are made up, for tests of the benchmark."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from edge_fer_bench.commands import Start
from edge_fer_bench.environment import CpuTime, Environment, Health
from edge_fer_bench.measuring import Turn
from edge_fer_bench.process import WorkerError
from edge_fer_bench.result import (
    SCHEMA,
    Accuracy,
    BenchResult,
    ClassFigures,
    Effort,
    Estimate,
    Film,
    Latency,
    Row,
)
from edge_fer_bench.session import Format, Host, Plan
from edge_fer_bench.statistics import median_estimate, quantiles, rounds_estimate
from edge_fer_bench.worker import (
    Act,
    Call,
    Judge,
    Open,
    Opened,
    Peak,
    Watch,
)

from edge_fer.errors import EdgeFerError
from edge_fer.inference.manifest import read_manifest
from tests.make_models import MODELS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge_fer_bench.worker import Task

COOL = Health(clock_mhz=2400.0, temperature_celsius=45.0, throttled=0, throttle_count=0, load=0.3)
MACHINE = Environment(
    board="Raspberry Pi 5 Model B Rev 1.0",
    processor="Cortex-A76",
    architecture="aarch64",
    cores=4,
    features=("asimd", "asimddp"),
    governor="ondemand",
    memory_bytes=8_000_000_000,
    system="Debian GNU/Linux 12 (bookworm)",
    kernel="6.12",
    python="CPython 3.11.2",
    packages={"edge-fer": "1.0", "numpy": "2.3"},
)
EFFORT = Effort(rounds=4, calls=20, seconds=0.0, frames=50)
TFLITE, ONNX = (MODELS / f"brightness-tiny-48x48-fp32.{suffix}" for suffix in ("tflite", "onnx"))
FORMATS = (Format(ONNX, "onnx"), Format(TFLITE, "litert"))

ACCURACY = Accuracy(
    pictures=20,
    accuracy=Estimate(0.5, 0.25, 0.75),
    macro_f1=0.5,
    calibration_error=0.125,
    classes=(ClassFigures("happy", 1.0, 0.5, 0.75, 10), ClassFigures("sad", 0.5, 1.0, 0.75, 10)),
    confusion=((5, 5), (0, 10)),
    loss=Estimate(0.125, -0.125, 0.25),
    reference="a-fp32.tflite",
)


def latency(batch: int = 1, milliseconds: float = 0.2, rounds: int = 4, seed: int = 0) -> Latency:
    """A latency whose rounds scatter by a percent."""
    taken = milliseconds * np.random.default_rng(seed).normal(1.0, 0.01, (rounds, 25))
    return Latency(
        batch=batch,
        calls=taken.size,
        p50=median_estimate(list(taken)),
        p90=float(np.quantile(taken, 0.9)),
        p99=float(np.quantile(taken, 0.99)),
        lowest=float(taken.min()),
        round_p50=tuple(np.median(taken, axis=1).tolist()),
        quantiles=quantiles(taken.ravel()),
    )


def film(frame_ms: float = 4.0, rounds: int = 4) -> Film:
    """A film whose stages explain 99 % of a frame."""
    fps = [1000.0 / frame_ms * (1 + 0.004 * number) for number in range(rounds)]
    return Film(
        frames=200, faces=180, fps=rounds_estimate(fps), round_fps=tuple(fps), read_ms=0.1 * frame_ms,
        detect_ms=0.8 * frame_ms, classify_ms=0.09 * frame_ms, frame_ms=frame_ms, cpu_ms=1.1 * frame_ms,
        round_cpu_ms=tuple(1100.0 / one for one in fps),
    )  # fmt: skip


def row(file: str = "a.tflite", milliseconds: float = 0.2, frame_ms: float = 4.0, **more: Any) -> Row:
    """A row with everything but accuracy."""
    made = Row(
        file=file, threads=1, size_bytes=143_000, model="fer2013-nano", engine="litert", recipe="fp32", sha256="0" * 64,
        load_ms=20.0, peak_memory_bytes=90_000_000,
        latency=(latency(1, milliseconds), latency(4, 3.5 * milliseconds, seed=1)), film=film(frame_ms),
    )  # fmt: skip
    return replace(made, **more)


def result(*rows: Row, **more: Any) -> BenchResult:
    """A whole result."""
    made = BenchResult(
        schema=SCHEMA, created="2026-01-02T03:04:05+00:00", quick=False, complete=True, effort=EFFORT, film="demo",
        data_set=None, environment=MACHINE, before=COOL, after=COOL, seconds=12.5, own_cores=0.9, other_cores=0.1,
        rows=rows or (row(),),
    )  # fmt: skip
    return replace(made, **more)


class FakeWorker:
    """Answers with made-up figures, and writes down in one list for all what it was asked."""

    def __init__(self, model: Path, engine: str, asked: list[tuple[str, Task]], faults: dict[str, int]) -> None:
        self.model, self.asked, self.faults = model, asked, faults
        self.pid, self.closed = 7 if engine == "onnxruntime" else 8, False

    def ask(self, task: Task) -> Any:
        self.asked.append((self.model.name, task))
        if self.model.name in self.faults:
            self.faults[self.model.name] -= 1
            if self.faults[self.model.name] < 0:
                raise WorkerError("its process ended (exit -9)")
        match task:
            case Open():
                return Opened(12.0, read_manifest(self.model))
            case Call():
                return np.full(max(1, task.calls), 0.1 * task.batch)
            case Watch():
                return Turn(task.frames, 2 * task.frames, 1.0, 1.1, 0.1, 0.8, 0.09)
            case Act():
                idle = task.scene == "nobody"
                return Turn(task.frames, 0 if idle else task.frames, 0.2, 0.02 if idle else 0.25, 0.0, 0.1, 0.05)
            case Peak():
                return 90_000_000
            case Judge():
                return np.tile(np.eye(7)[3], (len(task.pictures), 1))

    def close(self) -> None:
        self.closed = True


class FakeMachine:
    """A host with workers that are fakes; `faults` says after how many tasks a file's worker dies."""

    def __init__(
        self,
        faults: dict[str, int] | None = None,
        health: Callable[[int], Health] = lambda number: COOL,
        others_busy: float = 0.0,
    ) -> None:
        self.asked: list[tuple[str, Task]] = []
        self.workers: list[FakeWorker] = []
        self._faults, self._health, self._others = dict(faults or {}), health, others_busy
        self._looks, self._now = 0, 0.0
        self.commands: list[list[str]] = []

    def host(self) -> Host:
        return Host(
            self._start, self._read_health, self._cpu_time, lambda pid: 0.5 * self._now, self._clock, self._command
        )

    def tasks(self, *kinds: type) -> list[tuple[str, Task]]:
        return [(name, task) for name, task in self.asked if isinstance(task, kinds)]

    def _start(self, model: Path, engine: str) -> FakeWorker:
        self.workers.append(FakeWorker(model, engine, self.asked, self._faults))
        return self.workers[-1]

    def _command(self, arguments: Sequence[str]) -> Start:
        self.commands.append(list(arguments))
        if arguments[0] in self._faults:
            raise EdgeFerError(f"edge-fer {arguments[0]} ended with 3: no {MODELS}/x.tflite")
        return Start(0.5 + 0.1 * len(self.commands), 0.4, 80_000_000 + len(self.commands))

    def _read_health(self) -> Health:
        self._looks += 1
        return self._health(self._looks)

    def _clock(self) -> float:
        self._now += 10.0
        return self._now

    def _cpu_time(self) -> CpuTime:
        # Three processes of half a core each: the benchmark and its two workers.
        return CpuTime((1.5 + self._others) * self._now, 0.0)


def plan(formats: Sequence[Format] = FORMATS, threads: tuple[int, ...] = (1,), film: str = "demo", **more: Any) -> Plan:
    """A plan of four rounds."""
    return Plan(tuple(formats), threads, EFFORT, film, **more)


def silent(done: int, steps: int, what: str) -> None:
    """Report nothing."""
