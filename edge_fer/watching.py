"""The source of a run, its health, and its service manager."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_fer.camera.live import is_live, open_watched
from edge_fer.camera.opening import open_source
from edge_fer.camera.supervisor import SupervisedSource
from edge_fer.device.board import ThrottleReader, temperature_celsius, throttled_before, throttled_now
from edge_fer.device.notify import ServiceHeartbeat
from edge_fer.inference.classifier import ModelClassifier
from edge_fer.sinks.health import Board, CameraHealth, HealthMonitor

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.camera.settings import CameraSettings
    from edge_fer.device.notify import ServiceManager
    from edge_fer.protocols import Classifier, Clock, FrameSource
    from edge_fer.types import Observation


def open_watched_source(text: str, settings: CameraSettings, clock: Clock, *, wait: bool) -> FrameSource:
    """Open a source by its name; a camera or stream so that it is reopened whenever it fails.

    Args:
        text: as for `open_source`.
        settings: what to ask of it.
        clock: for all waiting.
        wait: take a camera or stream that is not there yet, too.

    Raises:
        SourceError: it cannot be opened.
    """
    return open_watched(text, settings, clock, wait=wait) if is_live(text) else open_source(text, settings)


def is_watched(source: FrameSource) -> bool:
    """Whether a source sees to its silences by itself."""
    return isinstance(source, SupervisedSource)


def monitor_of(source: FrameSource, classifier: Classifier, clock: Clock) -> HealthMonitor:
    """The health of a run that begins now."""
    throttled = ThrottleReader(clock.monotonic)

    def board() -> Board:
        word = throttled()
        return Board(
            temperature_celsius(),
            None if word is None else throttled_now(word),
            None if word is None else throttled_before(word),
        )

    def camera_health(source: SupervisedSource) -> CameraHealth:
        state, info = source.state, source.info
        tried = state.up or state.last_error is not None
        since = clock.monotonic() - state.since
        return CameraHealth(info.name, info.live, state.up, since, state.reopened, _problem_of(source), tried)

    engine = model = ""
    if isinstance(classifier, ModelClassifier):
        engine, model = classifier.engine, f"{classifier.manifest.name} {classifier.manifest.recipe}"
    camera = (lambda: camera_health(source)) if isinstance(source, SupervisedSource) else None
    return HealthMonitor(lambda: source.info, clock, engine=engine, model=model, camera=camera, board=board)


def listen_to(source: FrameSource, manager: ServiceManager, clock: Clock) -> ServiceHeartbeat:
    """What reports to a service manager that the loop over this source is alive."""
    return ServiceHeartbeat(manager, clock, lambda: _problem_of(source))


def both(*listeners: Callable[[Observation], None]) -> Callable[[Observation], None]:
    """Pass each observation to several listeners."""

    def note(observation: Observation) -> None:
        for listener in listeners:
            listener(observation)

    return note


def _problem_of(source: FrameSource) -> str | None:
    """Why a camera is down, in one line; None while it is up, is being opened, or nobody watches."""
    if not isinstance(source, SupervisedSource) or source.state.up:
        return None
    return source.state.last_error
