"""What 20 browsers on the page cost the frame loop: windows with and without them in turns, in one run.

    python benchmarks/sinks/browsers.py [--clients 20] [--rounds 40] [--seconds 1] [--out FILE.json]

Each client is what a browser is to the server: one connection that reads the live picture and one that reads the
events, all in a process of their own on the same machine. The loop is edge-fer's, with the page as its sink and the
frames held in memory. It is measured flat out (as many frames as it can: any work for the page shows) and at 30 frames
a second (as with a camera). A window with clients stands between two without, so that a busy machine slows both; on one
that others use, `chrt -r 1` before the command lets it go before them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "pipeline"))

if TYPE_CHECKING:
    from edge_fer.sinks.health import HealthMonitor
    from edge_fer.sinks.web.page import PageSink
    from edge_fer.types import Frame

SETTLE_SECONDS = 0.4
"""From the last client's arrival, or leave, to the window."""
ENDLESS = ("/stream.mjpg", "/api/events")


class Repeated:
    """The frames of a film again and again, as from a camera; `fps` of 0 gives them as fast as they are asked for."""

    def __init__(self, frames: list[Frame], fps: float) -> None:
        from edge_fer.types import SourceInfo

        self._frames, self._fps, self._seq = frames, fps, 0
        self._due_at = time.monotonic()
        first = frames[0]
        self.info = SourceInfo("film", True, first.width, first.height, fps or None)

    def read(self, timeout_seconds: float) -> Frame:
        """Return the next frame when it is due; frames that are overdue are skipped, as a camera would."""
        from edge_fer.types import Frame

        if self._fps:
            now = time.monotonic()
            late = int(max(0.0, now - self._due_at) * self._fps)
            self._seq += late
            self._due_at += (late + 1) / self._fps
            time.sleep(max(0.0, self._due_at - now))
        seq, self._seq = self._seq, self._seq + 1
        image = self._frames[seq % len(self._frames)].image
        return Frame(image, seq, seq / 30.0, time.time(), "film")

    def close(self) -> None:
        """Nothing is open."""


async def read_for_ever(port: int, path: str, counts: dict[str, int]) -> None:
    """Read one response without an end, as a browser does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    mark = b"\xff\xd9\r\n--" if path == "/stream.mjpg" else b"event: state"
    try:
        while data := await reader.read(1 << 18):
            counts["bytes"] += len(data)
            counts[path] += data.count(mark)
    finally:
        writer.close()


def be_clients(port: int, clients: int) -> None:
    """Connect at a line on standard input and leave at the next, printing what came; end with it."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            counts = {"bytes": 0} | dict.fromkeys(ENDLESS, 0)
            tasks = [asyncio.create_task(read_for_ever(port, path, counts)) for path in ENDLESS for _ in range(clients)]
            await loop.run_in_executor(None, sys.stdin.readline)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            print(json.dumps(counts), flush=True)

    asyncio.run(run())


def window(monitor: HealthMonitor, seconds: float) -> tuple[float, float]:
    """Frames per second, and CPU seconds of this process a frame."""
    began, frames, cpu = time.perf_counter(), monitor.snapshot().frames, cpu_seconds()
    time.sleep(seconds)
    passed, done = time.perf_counter() - began, monitor.snapshot().frames - frames
    return done / passed, (cpu_seconds() - cpu) / max(1, done)


def cpu_seconds() -> float:
    """Of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def take_turns(page: PageSink, monitor: HealthMonitor, arguments: argparse.Namespace) -> dict[str, Any]:
    """Windows without and with clients, one after the other."""
    alone: list[tuple[float, float]] = []
    looked_at: list[tuple[float, float]] = []
    received: list[dict[str, float]] = []
    time.sleep(SETTLE_SECONDS)
    alone.append(window(monitor, arguments.seconds))
    command = [sys.executable, __file__, "--be-clients", str(page.port), "--clients", str(arguments.clients)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as clients:
        assert clients.stdin is not None
        assert clients.stdout is not None
        for _ in range(arguments.rounds):
            called = time.perf_counter()
            clients.stdin.write("come\n")
            while page.viewers < arguments.clients or page.listeners < arguments.clients:
                time.sleep(0.02)
            time.sleep(SETTLE_SECONDS)
            looked_at.append(window(monitor, arguments.seconds))
            passed = time.perf_counter() - called
            clients.stdin.write("go\n")
            counts = json.loads(clients.stdout.readline())
            each = arguments.clients * passed
            received.append({"pictures": counts[ENDLESS[0]] / each, "events": counts[ENDLESS[1]] / each})
            while page.viewers or page.listeners:
                time.sleep(0.02)
            time.sleep(SETTLE_SECONDS)
            alone.append(window(monitor, arguments.seconds))
    # Each window with clients against the mean of the two beside it.
    ratios = [
        one[0] / ((before[0] + after[0]) / 2)
        for before, one, after in zip(alone[:-1], looked_at, alone[1:], strict=True)
    ]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return {
        "fps_alone": round(statistics.median(fps for fps, _ in alone), 2),
        "fps_with_clients": round(statistics.median(fps for fps, _ in looked_at), 2),
        "ratio": round(middle, 4),
        "ratio_quartiles": [round(low, 4), round(high, 4)],
        "ratios": [round(ratio, 4) for ratio in ratios],
        "cpu_ms_a_frame_alone": round(1e3 * statistics.median(cpu for _, cpu in alone), 3),
        "cpu_ms_a_frame_with_clients": round(1e3 * statistics.median(cpu for _, cpu in looked_at), 3),
        "pictures_a_second_a_client": round(statistics.median(one["pictures"] for one in received), 2),
        "events_a_second_a_client": round(statistics.median(one["events"] for one in received), 2),
    }


def measure(fps: float, arguments: argparse.Namespace) -> dict[str, Any]:
    """The loop with its page at this rate; 0 is flat out."""
    import films
    from edge_fer_bench.scenes import THREE_FACES, scene

    from edge_fer.detectors import FaceSettings, build_tracker
    from edge_fer.inference.open_model import open_classifier
    from edge_fer.inference.smoothing import ScoreSmoother
    from edge_fer.pipeline import Pipeline
    from edge_fer.sinks.health import HealthMonitor
    from edge_fer.sinks.net import Address
    from edge_fer.sinks.runner import Filling, SystemClock, run_view_sink
    from edge_fer.sinks.web.page import PageSink
    from edge_fer.sinks.web.server import bind
    from edge_fer.sinks.web.settings import WebSettings

    clock = SystemClock()
    source = Repeated(films.film_of("demo", scene(THREE_FACES)).frames, fps)
    monitor = HealthMonitor(lambda: source.info, clock)
    settings = WebSettings(Address(port=0))

    def no_photos() -> Any:
        raise RuntimeError("no photo is sent here")

    page = PageSink(settings, bind(settings.address), None, monitor.snapshot, no_photos, clock)
    runner = run_view_sink("page", page, Filling.NEWEST, clock)
    monitor.watch([runner])
    pipeline = Pipeline(
        source, build_tracker(FaceSettings()), open_classifier(None, "auto", 1), [], clock, view_sinks=[runner],
        smoother=ScoreSmoother(0.3), note=monitor.note,
    )  # fmt: skip
    stop, figures = threading.Event(), dict[str, Any]()

    def control() -> None:
        try:
            figures.update(take_turns(page, monitor, arguments))
        finally:
            stop.set()

    threading.Thread(target=control).start()
    pipeline.run(stop)
    pipeline.close()
    return figures


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--be-clients", type=int, metavar="PORT", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.be_clients is not None:
        be_clients(arguments.be_clients, arguments.clients)
        return
    import cv2

    cv2.setNumThreads(1)
    figures: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, shared",
        "script": f"benchmarks/sinks/browsers.py --clients {arguments.clients} --rounds {arguments.rounds} "
        f"--seconds {arguments.seconds:g}",
        "scheduled_before_all_others": os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR),
        "load_average_before": round(os.getloadavg()[0], 2),
    }
    for name, fps in (("flat_out", 0.0), ("at_30_fps", 30.0)):
        figures[name] = row = measure(fps, arguments)
        print(
            f"{name}: {row['fps_alone']} FPS alone, {row['fps_with_clients']} with {arguments.clients} clients; "
            f"ratio {row['ratio']} ({row['ratio_quartiles'][0]} to {row['ratio_quartiles'][1]}); each client got "
            f"{row['pictures_a_second_a_client']} pictures and {row['events_a_second_a_client']} events a second"
        )
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
