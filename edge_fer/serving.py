"""What a run serves over the network: its metrics, and the page in the browser. Both need an extra."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from edge_fer.camera.picture_bytes import picture_from_bytes
from edge_fer.errors import MissingExtra
from edge_fer.observing import observe
from edge_fer.sinks.anonymize import Anonymizer
from edge_fer.types import Frame, View
from edge_fer.views import SEVERAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge_fer.pipeline import Service
    from edge_fer.protocols import Classifier, Clock, FaceDetector
    from edge_fer.settings import Anonymize
    from edge_fer.sinks.health import Health
    from edge_fer.sinks.net import Address
    from edge_fer.sinks.web.page import PageSink
    from edge_fer.sinks.web.settings import WebSettings


def serve_metrics(address: Address, names: Sequence[str], health: Callable[[], Health]) -> Service:
    """Serve figures of the run to Prometheus.

    Raises:
        MissingExtra: the extra metrics is not installed.
        SinkError: it cannot listen there.
    """
    with _of_extra("--metrics", "metrics"):
        from edge_fer.sinks.metrics import open_metrics
    return open_metrics(address, health, names)


def serve_page(
    serve: WebSettings,
    photo_parts: Callable[[], tuple[FaceDetector, Classifier]],
    health: Callable[[], Health],
    clock: Clock,
    *,
    top: int,
    anonymize: Anonymize | None = None,
) -> PageSink:
    """Serve the page with the live picture.

    Args:
        serve: where and to whom.
        photo_parts: opens what reads the photos that are sent in; called in the thread that reads them.
        health: gives the state of the run.
        clock: of the run.
        top: emotions shown a face.
        anonymize: how faces are hidden in photos that are sent in; None shows them.

    Raises:
        MissingExtra: the extra web is not installed.
        ConfigError: the token cannot be kept; SinkError: it cannot listen there.
    """
    with _of_extra("--serve", "web"):
        from edge_fer.sinks.web.page import open_page

    def open_reader() -> Callable[[bytes], View]:
        detector, classifier = photo_parts()

        def read(photo: bytes) -> View:
            image = picture_from_bytes(photo, "the photo", serve.limits.photo_px)
            frame = Frame(image, 0, 0.0, clock.wall_time(), "photo")
            seen = observe(frame, detector, classifier, clock, SEVERAL)
            return View(seen, image if anonymize is None else Anonymizer(anonymize)(image, seen))

        return read

    return open_page(serve, health, open_reader, clock, top=top)


@contextlib.contextmanager
def _of_extra(option: str, extra: str) -> Iterator[None]:
    """Name the extra where an import fails for want of it; for want of a module of our own it is a mistake."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "edge_fer":
            raise
        raise MissingExtra(option, extra) from error
