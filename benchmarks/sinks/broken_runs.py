"""Runs of the demo without any output, and with outputs that all fail at once."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import socket
import subprocess
import tempfile
import threading
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from edge_fer.build import RunSettings, Streams, build_pipeline
from edge_fer.camera.settings import CameraSettings
from edge_fer.pipeline import RunLimits
from edge_fer.sinks.metrics_server import MOST_CLIENTS
from edge_fer.sinks.mqtt_settings import MqttSettings
from edge_fer.sinks.net import Address
from edge_fer.sinks.web.settings import WebSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_fer.pipeline import RunReport

GREEDY_CLIENTS = MOST_CLIENTS - 2
"""Clients that read nothing; two places are left, one of them for the measurement itself."""
SAMPLE_SECONDS = 1.0
AGAIN_SECONDS = 6.0
"""By then the metrics have cut off a client that takes nothing."""
DISK_BYTES = 16_384


def run_plain(frames: int) -> RunReport:
    """A run without any output."""
    pipeline = build_pipeline(settings(frames), Streams(io.BytesIO(), io.StringIO()))
    try:
        return pipeline.run(threading.Event())
    finally:
        pipeline.close()


class Kept(logging.Handler):
    """Keeps what is logged."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one message."""
        self._lines.append(record.getMessage())


def run_broken(
    frames: int, disk: Path | None, *, silent_broker: bool, samples: list[tuple[float, float]] | None = None
) -> RunReport:
    """A run whose outputs all fail; `samples` takes frames and bytes of memory once a second."""
    lines: list[str] = []
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(open("/dev/full", "wb", buffering=0))  # noqa: PTH123 - unbuffered bytes
        broker = stack.enter_context(socket.socket())
        broker.bind(("127.0.0.1", 0))
        if silent_broker:
            broker.listen()
        chosen = settings(
            frames,
            json=True,
            csv=None if disk is None else disk / "faces.csv",
            mqtt=MqttSettings("127.0.0.1", broker.getsockname()[1], identity="benchmark"),
            metrics=Address("127.0.0.1", 0),
            serve=WebSettings(Address("127.0.0.1", 0)),
        )
        logger = logging.getLogger("edge_fer")
        logger.setLevel(logging.INFO)
        keeper = Kept(lines)
        logger.addHandler(keeper)
        stack.callback(logger.removeHandler, keeper)
        pipeline = build_pipeline(chosen, Streams(full, io.StringIO()))
        stack.callback(pipeline.close)
        url, page = (
            next(line.removeprefix(start) for line in lines if line.startswith(start))
            for start in ("metrics: ", "page: ")
        )
        ended = threading.Event()
        asked = [url if number % 2 else None for number in range(GREEDY_CLIENTS)]
        helpers = [
            threading.Thread(target=take_nothing, args=(url, asked, ended), daemon=True),
            threading.Thread(target=take_nothing, args=(page, [f"{page}stream.mjpg"], ended), daemon=True),
        ]
        if samples is not None:
            helpers.append(threading.Thread(target=sample, args=(url, ended, samples), daemon=True))
        for helper in helpers:
            helper.start()
        report = pipeline.run(threading.Event())
        ended.set()
        for helper in helpers:
            helper.join()
    if report.failures.get("json") != frames:
        raise RuntimeError(f"the disk was not full: {report.failures}")
    return report


def settings(frames: int, **outputs: Any) -> RunSettings:
    """A run over the demo, going round."""
    camera = CameraSettings(demo_repeat=True)
    return RunSettings(source="demo", camera=camera, limits=RunLimits(max_frames=frames), **outputs)


def take_nothing(server: str, asked: list[str | None], ended: threading.Event) -> None:
    """Ask for each of these addresses, or for nothing, on a connection of its own, and read nothing; and so again."""
    where = urlsplit(server)
    assert where.hostname is not None
    while not ended.is_set():
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for address in asked:
                client = stack.enter_context(socket.socket())
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
                client.connect((where.hostname, where.port))
                if address is not None:
                    path = urlsplit(address).path
                    client.sendall(f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
            ended.wait(AGAIN_SECONDS)


def sample(url: str, ended: threading.Event, samples: list[tuple[float, float]]) -> None:
    """Ask for frames and memory every second."""
    while not ended.wait(SAMPLE_SECONDS):
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(url, timeout=5) as answer:
                text = answer.read().decode()
            values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
            samples.append((float(values["edge_fer_frames_total"]), float(values["process_resident_memory_bytes"])))


@contextlib.contextmanager
def full_disk() -> Iterator[Path | None]:
    """A folder on a disk with room for a heading and a few rows; None where this user may not make one."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", folder]
        if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
            yield None
            return
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)
