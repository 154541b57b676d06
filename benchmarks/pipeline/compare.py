"""Following against searching: a plain loop and edge-fer's presets, one thread, interleaved in one run.

    python benchmarks/pipeline/compare.py [--rounds 3] [--out FILE.json]

`edge-fer bench` measures the same of the default preset; this adds the others, the hard clip beside the repository, and
each frame's time. Films are held in memory, so that decoding and drawing are in neither. Rounds alternate between the
loops, so that a busy machine slows all; CPU seconds are those of the process.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import films
from edge_fer_bench.scenes import EIGHT_FACES, LARGE, NOBODY, ONE_FACE, ONE_OF_EIGHT, THREE_FACES, scene
from loops import following, plain_loop
from tracking_metrics import judged

from edge_fer.faces.tracking_settings import PRESETS
from edge_fer.inference.open_model import open_classifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from loops import Look


def measure(film: films.Film, make: dict[str, Callable[[], Look]], rounds: int) -> dict[str, Any]:
    """Milliseconds a frame, found and false faces of each loop on a film."""
    wall: dict[str, list[float]] = {name: [] for name in make}
    cpu: dict[str, list[float]] = {name: [] for name in make}
    quality: dict[str, dict[str, Any]] = {}
    for _ in range(rounds):
        for name, maker in make.items():
            look, results = maker(), []
            for frame in film.frames:
                began, began_cpu = time.perf_counter(), time.process_time()
                results.append(look(frame))
                cpu[name].append((time.process_time() - began_cpu) * 1e3)
                wall[name].append((time.perf_counter() - began) * 1e3)
            quality[name] = asdict(judged(film.truth, results))
    return {
        name: {
            "cpu_ms": round(float(np.mean(cpu[name])), 3),
            "cpu_ms_p50": round(float(np.median(cpu[name])), 3),
            "cpu_ms_p95": round(float(np.quantile(cpu[name], 0.95)), 3),
            "fps": round(1e3 / float(np.mean(wall[name])), 1),
            **quality[name],
        }
        for name in make
    }


def main() -> None:
    """Compare, print a table, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    classifier = open_classifier(arguments.model, "auto", 1)
    make: dict[str, Callable[[], Look]] = {"plain": lambda: plain_loop(classifier)}
    make |= {preset: (lambda preset=preset: following(classifier, preset)) for preset in PRESETS}
    table = {}
    demos = [films.film_of(f"demo, {name}", scene(name)) for name in (ONE_FACE, THREE_FACES)]
    for film in (*demos, films.clip()):
        if film is None:
            continue
        table[film.name] = rows = measure(film, make, arguments.rounds)
        for name, row in rows.items():
            plain = rows["plain"]
            print(
                f"{film.name:14} {name:9} {row['cpu_ms']:7.2f} CPU ms per frame (p50 {row['cpu_ms_p50']:.2f}, "
                f"p95 {row['cpu_ms_p95']:.2f})  {row['fps']:6.1f} FPS  {row['fps'] / plain['fps']:5.1f} x FPS  "
                f"{plain['cpu_ms'] / row['cpu_ms']:5.1f} x less CPU  found {row['found']} of {row['due']}, "
                f"false {row['false']}, id switches {row['id_switches']}, label changes {row['label_changes']}"
            )
    only = {"balanced": make["balanced"]}
    for name in (ONE_OF_EIGHT, EIGHT_FACES, LARGE, NOBODY):
        # Ten seconds of nobody: the first two of them are searched.
        film = films.film_of(name, scene(name), 300 if name == NOBODY else 60)
        table[film.name] = measure(film, only, arguments.rounds)
        row = table[film.name]["balanced"]
        print(f"{film.name:24} balanced {row['cpu_ms']:6.2f} CPU ms per frame, found {row['found']} of {row['due']}")
    classifier.close()
    if arguments.out:
        films.renew(
            arguments.out, {"script": f"benchmarks/pipeline/compare.py --rounds {arguments.rounds}", "films": table}
        )


if __name__ == "__main__":
    main()
