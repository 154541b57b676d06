"""One peer in its own environment: looks at films and crops as requested, line by line. Needs NumPy and OpenCV.

Frames are read one at a time from files of raw pixels, outside of what is timed, so that decoding counts for nobody.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

MODELS = Path(__file__).resolve().parent.parent.parent / "edge_fer" / "models"


def serve(open_peer) -> None:
    """Answer each line of JSON on standard input with one on standard output, until there are no more."""
    # What the packages print goes to standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    peer = open_peer()
    for line in sys.stdin:
        asked = json.loads(line)
        answer = film(peer, **asked["film"]) if "film" in asked else {"labels": peer.read(pixels(**asked["crops"]))}
        answer["cpu_seconds"] = time.process_time()
        answer["peak_mib"] = peak_mib()
        print(json.dumps(answer), file=answers, flush=True)


def film(peer, path: str, shape: list[int], fps: float) -> dict[str, list]:
    """Boxes, labels and milliseconds of every frame."""
    import numpy as np

    seen, wall, cpu = [], [], []
    peer.begin()
    with Path(path).open("rb", buffering=0) as file:
        for number in range(shape[0]):
            frame = np.empty(shape[1:], np.uint8)
            file.readinto(frame)
            began, began_cpu = time.perf_counter(), time.process_time()
            found = peer.look(frame, number / fps)
            cpu.append((time.process_time() - began_cpu) * 1e3)
            wall.append((time.perf_counter() - began) * 1e3)
            seen.append([[[int(value) for value in box], label] for box, label in found])
    return {"seen": seen, "wall_ms": wall, "cpu_ms": cpu}


def peak_mib() -> float:
    """The most memory that this process has held; getrusage would give that of the process that started it."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def pixels(path: str, shape: list[int]):
    """All pixels of a file."""
    import numpy as np

    return np.fromfile(path, np.uint8).reshape(shape)


def usual_cascade():
    """The frontal-face cascade of every tutorial."""
    import cv2

    return cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")


def manifest(model: Path) -> dict:
    """What a model file of edge-fer expects and answers."""
    return json.loads(model.with_name(model.name + ".json").read_text())


def crop(grey, box, about: dict):
    """The face in a box as model input [1, 48, 48, 1]."""
    import cv2

    x, y, width, height = box
    return scaled(cv2.resize(grey[y : y + height, x : x + width], (48, 48))[None, ..., None], about)


def scaled(crops, about: dict):
    """Crops [N, 48, 48, 1] with their pixels as the model wants them."""
    return (crops.astype("float32") - about["input"]["mean"][0]) / about["input"]["std"][0]
