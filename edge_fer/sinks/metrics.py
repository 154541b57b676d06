"""How a run fares, for Prometheus: counts, durations and states of the whole, and nothing about any one person.

Every name below is promised: dashboards and alerts are built on them. They follow Prometheus's conventions: base
units, `_total` for what only grows.
"""

from __future__ import annotations

import logging
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from edge_fer.escaping import for_metric_label
from edge_fer.sinks.gate import GateRules, own_names
from edge_fer.sinks.health import BUCKET_SECONDS, THROTTLE_CAUSES
from edge_fer.sinks.metrics_server import MetricsServer
from edge_fer.sinks.net import listen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge_fer.sinks.health import Durations, Health
    from edge_fer.sinks.net import Address

log = logging.getLogger("edge_fer.metrics")


class HealthCollector(Collector):
    """Makes the metrics of a run from a snapshot, at each scrape."""

    def __init__(self, health: Callable[[], Health]) -> None:
        """Remember whom to ask; he is called in the server's threads."""
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """All metrics as they are now; what this computer does not report is left out."""
        health = self._health()
        yield from _identity(health)
        yield from _camera(health)
        yield _stages(health.stages)
        yield from _sinks(health)
        yield from _board(health)


def _identity(health: Health) -> Iterator[Metric]:
    build = {"version": health.version, "engine": health.engine, "model": health.model}
    yield InfoMetricFamily("edge_fer_build", "Version, engine and model.", value=build)
    yield GaugeMetricFamily("edge_fer_uptime_seconds", "Time since the run began.", value=health.uptime_seconds)


def _camera(health: Health) -> Iterator[Metric]:
    camera = health.camera
    yield InfoMetricFamily(
        "edge_fer_camera", "Where the frames come from.", value={"camera": for_metric_label(camera.name)}
    )
    yield GaugeMetricFamily("edge_fer_camera_up", "1 while frames come, 0 while none do.", value=float(camera.up))
    yield CounterMetricFamily("edge_fer_camera_reopened", "Times it was lost and reopened.", value=camera.reopened)
    yield CounterMetricFamily("edge_fer_frames", "Frames looked at.", value=health.frames)
    dropped = CounterMetricFamily(
        "edge_fer_frames_dropped",
        "What was lost: frames replaced by newer ones before they were looked at (camera), results that an output did "
        "not take in time (its name).",
        labels=["reason"],
    )
    dropped.add_metric(["camera"], health.frames_skipped)
    for sink in health.sinks:
        dropped.add_metric([sink.name], sink.dropped)
    yield dropped
    yield GaugeMetricFamily("edge_fer_faces", "Faces in the newest frame.", value=health.faces)
    if health.last_frame_seconds is not None:
        yield GaugeMetricFamily(
            "edge_fer_frame_age_seconds", "Age of the newest frame.", value=health.last_frame_seconds
        )


def _stages(stages: dict[str, Durations]) -> Metric:
    family = HistogramMetricFamily(
        "edge_fer_stage_duration_seconds", "How long the stages of a frame took.", labels=["stage"]
    )
    for name, durations in stages.items():
        bounds = (*map(str, BUCKET_SECONDS), "+Inf")
        buckets = list(zip(bounds, map(float, accumulate(durations.buckets)), strict=True))
        family.add_metric([name], buckets, durations.sum_seconds)
    return family


def _sinks(health: Health) -> Iterator[Metric]:
    written = CounterMetricFamily("edge_fer_sink_written", "Results that an output wrote or sent.", labels=["sink"])
    errors = CounterMetricFamily(
        "edge_fer_sink_errors",
        "Failed writes of an output, and results that it could not send because its receiver was away.",
        labels=["sink"],
    )
    connected = GaugeMetricFamily(
        "edge_fer_sink_connected", "1 while the receiver of an output is there, such as a broker.", labels=["sink"]
    )
    for sink in health.sinks:
        written.add_metric([sink.name], sink.written)
        errors.add_metric([sink.name], sink.failures)
        if sink.connected is not None:
            connected.add_metric([sink.name], float(sink.connected))
    yield written
    yield errors
    if connected.samples:
        yield connected


def _board(health: Health) -> Iterator[Metric]:
    board = health.board
    if board.temperature_celsius is not None:
        yield GaugeMetricFamily(
            "edge_fer_temperature_celsius", "Temperature of the processor.", value=board.temperature_celsius
        )
    for name, text, causes in (
        ("edge_fer_throttled", "1 where this holds the processor back now.", board.throttled),
        ("edge_fer_throttled_since_boot", "1 where this has held it back since it was on.", board.throttled_before),
    ):
        if causes is not None:
            family = GaugeMetricFamily(name, text, labels=["cause"])
            for cause in THROTTLE_CAUSES:
                family.add_metric([cause], float(cause in causes))
            yield family


def metrics_of(health: Callable[[], Health]) -> CollectorRegistry:
    """The metrics of a run and of its process, in a registry of their own, so that two runs do not meet."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(HealthCollector(health))
    ProcessCollector(registry=registry)
    return registry


def open_metrics(address: Address, health: Callable[[], Health], names: Sequence[str] = ()) -> MetricsServer:
    """Serve the metrics of a run until the server is closed.

    Args:
        address: where.
        health: asks how the run fares.
        names: further names under which they may be asked for.

    Raises:
        SinkError: the address is taken or not this computer's.
    """
    registry = metrics_of(health)

    def render(accept: str) -> tuple[bytes, str]:
        encode, content_type = choose_encoder(accept)
        return encode(registry), content_type

    rules = GateRules(own_names(address.host, names), address.is_loopback)
    server = MetricsServer(listen(address, "--metrics"), render, rules)
    log.info("metrics: http://%s/metrics", server.address)
    return server
