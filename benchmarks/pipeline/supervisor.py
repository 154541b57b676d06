"""What watching over a camera costs a frame: the same frames read with and without the supervisor, in turns.

python benchmarks/pipeline/supervisor.py [--frames 2000] [--out FILE.json]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import films

from edge_fer.camera.supervisor import SupervisedSource
from edge_fer.sinks.runner import SystemClock
from edge_fer.types import Frame, SourceInfo

if TYPE_CHECKING:
    from edge_fer.protocols import FrameSource
    from edge_fer.types import Image

SIZES = ((640, 480), (1280, 720))
ROUNDS = 7


class Camera:
    """Gives pictures from memory at once, so that nothing but the watching is measured."""

    def __init__(self, pictures: list[Image]) -> None:
        self._pictures, self._next = pictures, 0
        height, width = pictures[0].shape[:2]
        self.info = SourceInfo("camera", live=True, width=width, height=height, fps=30.0)

    def read(self, timeout_seconds: float) -> Frame:
        seq, self._next = self._next, self._next + 1
        image = self._pictures[seq % len(self._pictures)]
        image.max()  # as a camera's frame, it is in the processor's cache
        return Frame(image, seq, time.monotonic(), time.time(), "camera")

    def close(self) -> None:
        pass


def watched(camera: Camera) -> SupervisedSource:
    """The camera with the supervisor around it, as `edge-fer run` puts it."""
    return SupervisedSource(
        lambda: camera,
        camera.info,
        stall_seconds=3600.0,
        patience_seconds=10.0,
        clock=SystemClock(),
        first=camera,
    )


def noisy(width: int, height: int) -> list[Image]:
    """Pictures as a camera gives them: no two are equal anywhere."""
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(4)]


def nearly_equal(width: int, height: int) -> list[Image]:
    """The worst that a working camera can give: only the last pixel changes, so every pixel must be compared."""
    first = noisy(width, height)[0]
    second = first.copy()
    second[-1, -1] ^= 255
    return [first, second]


def seconds_a_frame(source: FrameSource, frames: int) -> float:
    """Median over frames of the time of one read."""
    took = []
    for _ in range(frames):
        began = time.perf_counter()
        source.read(1.0)
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def added_ms(pictures: list[Image], frames: int) -> float:
    """Milliseconds a frame that the supervisor adds: median over rounds, each with and without in turns."""
    differences = []
    for number in range(ROUNDS):
        sources: list[FrameSource] = [Camera(pictures), watched(Camera(pictures))]
        took = {}
        # The one that comes first in a round comes second in the next.
        for source in sources if number % 2 else reversed(sources):
            took[source is sources[1]] = seconds_a_frame(source, frames)
        differences.append((took[True] - took[False]) * 1e3)
    return statistics.median(differences)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=2000, help="a round")
    parser.add_argument("--out", type=Path, help="file of figures whose entry `supervisor` is renewed")
    arguments = parser.parse_args()
    added: dict[str, Any] = {}
    for width, height in SIZES:
        for name, make in (("new pictures", noisy), ("only the last pixel new", nearly_equal)):
            ms = added_ms(make(width, height), arguments.frames)
            added[f"{width}x{height}, {name}"] = round(ms, 4)
            print(f"{width}x{height}, {name}: {ms:.4f} ms per frame", flush=True)
    if arguments.out:
        script = f"benchmarks/pipeline/supervisor.py --frames {arguments.frames}"
        films.renew(arguments.out, {"supervisor": {"script": script, "added_ms": added}})


if __name__ == "__main__":
    main()
