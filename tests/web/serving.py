"""A page on a free port of this computer, with a reader of photos that needs no model."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import pytest

from edge_fer.camera.picture_bytes import picture_from_bytes
from edge_fer.sinks.health import HealthMonitor
from edge_fer.types import Box, SourceInfo, View
from tests.fakes import observation, picture, scored_face
from tests.logs import logged

pytest.importorskip("uvicorn", reason="needs the extra web")
pytest.importorskip("starlette", reason="needs the extra web")
pytest.importorskip("python_multipart", reason="needs the extra web")

from edge_fer.sinks.net import Address
from edge_fer.sinks.runner import SystemClock
from edge_fer.sinks.web.page import PageSink
from edge_fer.sinks.web.server import bind
from edge_fer.sinks.web.settings import WebLimits, WebSettings, parse_proxies
from edge_fer.sinks.web.token import Token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge_fer.types import Image

SECRET = "a-token-that-only-tests-know"
PATIENCE_SECONDS = 20.0
"""How long a test waits for what must happen; it fails after that and asserts no time."""


class Served:
    """A page that is up, and what belongs to it."""

    def __init__(self, page: PageSink, monitor: HealthMonitor, reports: list[str]) -> None:
        self.page, self.monitor, self.reports = page, monitor, reports
        self.base = f"http://127.0.0.1:{page.port}"
        self.emotion = "happy"
        self._seq = 0

    def show(self, image: Image | None = None, emotion: str | None = None) -> None:
        """Give the page one frame."""
        self._seq += 1
        image = picture(320, 240, self._seq) if image is None else image
        height, width = image.shape[:2]
        face = scored_face(Box(width // 4, height // 4, width // 3, width // 3), emotion or self.emotion, track_id=1)
        seen = replace(observation(face, seq=self._seq), width=width, height=height)
        self.monitor.note(seen)
        self.page.write_view(View(seen, image))

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.page.port), timeout=PATIENCE_SECONDS)


def reader(limits: WebLimits) -> Callable[[bytes], View]:
    """Finds one face in the middle of every photo, without a model."""

    def read(photo: bytes) -> View:
        image = picture_from_bytes(photo, "the photo", limits.photo_px)
        height, width = image.shape[:2]
        seen = observation(scored_face(Box(width // 4, height // 4, width // 2, height // 2)))
        return View(replace(seen, width=width, height=height), image)

    return read


@contextmanager
def serving(
    limits: WebLimits | None = None,
    secret: str | None = None,
    host: str = "127.0.0.1",
    names: tuple[str, ...] = (),
    open_reader: Callable[[], Callable[[bytes], View]] | None = None,
    proxies: tuple[str, ...] = (),
) -> Iterator[Served]:
    """A page until the end of the block."""
    limits, clock = limits or WebLimits(), SystemClock()
    settings = WebSettings(Address(host, 0), names, limits, parse_proxies(proxies, "--trusted-proxy"))
    monitor = HealthMonitor(lambda: SourceInfo("test camera", True, 320, 240, 30.0), clock, engine="fake", model="tiny")
    with logged() as lines:
        page = PageSink(
            settings,
            bind(settings.address),
            Token(secret) if secret else None,
            monitor.snapshot,
            open_reader or (lambda: reader(limits)),
            clock,
        )
        try:
            yield Served(page, monitor, lines)
        finally:
            page.close()


def as_file(image: Image, suffix: str = ".jpg") -> bytes:
    done, data = cv2.imencode(suffix, image)
    assert done
    return data.tobytes()
