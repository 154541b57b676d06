"""Following against searching: a plain loop and edge-fer's, one thread, interleaved in one run.

    python benchmarks/pipeline/compare.py [--rounds 3] [--out FILE.json]

The plain loop is what one writes first: OpenCV's frontal cascade over the whole frame at scale factor 1.1 with 5
neighbours, one engine call a face, the same model. Films are held in memory, so that decoding and drawing are in
neither. Rounds alternate between the two, so that a busy machine slows both; CPU seconds are those of the process.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import films

from edge_fer.faces.crop import crop_faces
from edge_fer.faces.haar import HaarFaceDetector, HaarSettings, bundled_cascade
from edge_fer.faces.looking import FaceLooker
from edge_fer.faces.tracking import FaceTracker
from edge_fer.faces.tracking_settings import PRESETS, TrackingSettings
from edge_fer.observing import observe_next
from edge_fer.scores.loading import open_classifier
from edge_fer.scores.smoothing import ScoreSmoother
from edge_fer.sinks.runner import SystemClock
from edge_fer.types import Box

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.protocols import Classifier
    from edge_fer.types import Frame


def plain_loop(classifier: Classifier) -> Any:
    """Search every frame as a whole, read every face by itself."""
    cascade = cv2.CascadeClassifier(str(bundled_cascade()))

    def look(frame: Frame) -> list[tuple[Box, str, int | None]]:
        grey = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY)
        seen: list[tuple[Box, str, int | None]] = []
        for found in cascade.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=5, minSize=(30, 30)):
            box = Box(*map(int, found))
            scores = classifier.classify(crop_faces(grey, [box], classifier.input_spec))
            seen.append((box, scores[0].top, None))
        return seen

    return look


def following(classifier: Classifier, preset: Any) -> Any:
    """edge-fer's own step with the values of a preset."""
    values = PRESETS[preset]
    haar = HaarSettings(
        detect_width=values.detect_width,
        scale_factor=values.scale_factor,
        min_face_px=values.min_face_px,
        min_neighbors=2,
    )
    settings = TrackingSettings(values.detect_every, values.search_every, values.look_every, values.looks_a_frame)
    tracker = FaceTracker(HaarFaceDetector(haar), FaceLooker(), settings, min_face_px=values.min_face_px)
    smoother, clock = ScoreSmoother(0.3), SystemClock()

    def look(frame: Frame) -> list[tuple[Box, str, int | None]]:
        seen = observe_next(frame, tracker, classifier, smoother, clock)
        return [(face.face.box, face.emotion, face.face.track_id) for face in seen.faces]

    return look


def measure(film: films.Film, make: dict[str, Callable[[], Any]], rounds: int) -> dict[str, Any]:
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
            quality[name] = films.judged(film, results)
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
    make: dict[str, Callable[[], Any]] = {"plain": lambda: plain_loop(classifier)}
    make |= {preset: (lambda preset=preset: following(classifier, preset)) for preset in PRESETS}
    table = {}
    for film in (films.demo(1), films.demo(3), films.clip()):
        if film is None:
            continue
        table[film.name] = rows = measure(film, make, arguments.rounds)
        for name, row in rows.items():
            plain = rows["plain"]
            print(
                f"{film.name:14} {name:9} {row['cpu_ms']:7.2f} CPU ms a frame (p50 {row['cpu_ms_p50']:.2f}, "
                f"p95 {row['cpu_ms_p95']:.2f})  {row['fps']:6.1f} FPS  {row['fps'] / plain['fps']:5.1f} x FPS  "
                f"{plain['cpu_ms'] / row['cpu_ms']:5.1f} x less CPU  found {row['found']} of {row['due']}, "
                f"false {row['false']}, id switches {row['id_switches']}, label changes {row['label_changes']}"
            )
    only = {"balanced": make["balanced"]}
    extra = [films.crowd(1), films.crowd(3), films.crowd(8), films.enlarged(films.demo(1), 1920, 1080), films.empty()]
    for film in extra:
        table[film.name] = measure(film, only, arguments.rounds)
        row = table[film.name]["balanced"]
        print(f"{film.name:24} balanced {row['cpu_ms']:6.2f} CPU ms a frame, found {row['found']} of {row['due']}")
    classifier.close()
    if arguments.out:
        films.renew(
            arguments.out, {"script": f"benchmarks/pipeline/compare.py --rounds {arguments.rounds}", "films": table}
        )


if __name__ == "__main__":
    main()
