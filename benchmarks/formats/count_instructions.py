"""Read one face at a time between marks, for a counter of instructions: count_instructions.py MODEL [CALLS]

Seconds mean nothing in an emulator, instructions do. The marks are calls of getpriority(1000 + k, 0x7e57), before the
first and after the last call; what lies between them is divided by the calls. What is counted is what `edge-fer bench`
times: from a box in a picture to its scores.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
from edge_fer_bench.measuring import demo_faces, time_calls

from edge_fer.inference.open_model import open_classifier


def main() -> None:
    """Count the calls of one file."""
    model, calls = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20
    cv2.setNumThreads(1)
    classifier, faces = open_classifier(model, "auto", 1), demo_faces(every=50)
    mark = ctypes.CDLL(None).getpriority
    time_calls(classifier, faces, 1, 3, 0.0)  # buffers are made in the first calls
    mark(1000, 0x7E57)
    time_calls(classifier, faces, 1, calls, 0.0)
    mark(1001, 0x7E57)
    print(f"{model.name}: {calls} calls")


if __name__ == "__main__":
    main()
