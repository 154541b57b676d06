"""What the frame loop costs beside OpenCV and the engine, how late results are, and whether memory grows.

    python benchmarks/pipeline/costs.py [--frames 100000] [--out FILE.json]

The measures are those of gate.py; this takes more rounds and more frames, and writes p95 and each look at
the memory too.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import cv2

sys.path.insert(0, str(Path(__file__).parent))

import films
from edge_fer_bench.scenes import EIGHT_FACES, ONE_FACE, THREE_FACES, scene
from endurance import growth, lateness_ms
from loops import following
from overhead import own_cost_ms

from edge_fer.camera.demo import SCENE_FRAMES
from edge_fer.inference.open_model import open_classifier


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=20_000, help="for the memory test")
    parser.add_argument("--rounds", type=int, default=12, help="for the loop's own cost")
    parser.add_argument("--out", type=Path, help="file of figures whose entry `costs` is renewed")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    classifier = open_classifier(None, "auto", 1)
    costs: dict[str, Any] = {"script": f"benchmarks/pipeline/costs.py --frames {arguments.frames}", "own_cpu_ms": {}}
    for name in (ONE_FACE, THREE_FACES, EIGHT_FACES):
        middle, most = own_cost_ms(list(scene(name).frames(SCENE_FRAMES)), classifier, arguments.rounds)
        costs["own_cpu_ms"][name] = {"p50": round(middle, 3), "p95": round(most, 3)}
        print(f"{name}: {middle:.3f} ms per frame outside OpenCV and the engine (p95 {most:.3f})", flush=True)
    middle, most = lateness_ms(classifier, 20.0)
    print(f"demo at 30 FPS: results {middle:.1f} ms after the frame (p95 {most:.1f})", flush=True)
    costs["late_ms_at_30_fps"] = {"p50": round(middle, 1), "p95": round(most, 1)}
    costs["memory_mib"] = {}
    frames = list(scene(ONE_FACE).frames(SCENE_FRAMES))
    for count, held in growth(frames, following(classifier, "fast"), arguments.frames):
        costs["memory_mib"][str(count)] = round(held / 2**20, 1)
        print(f"after {count} frames: {held / 2**20:.1f} MiB", flush=True)
    if arguments.out:
        films.renew(arguments.out, {"costs": costs})


if __name__ == "__main__":
    main()
