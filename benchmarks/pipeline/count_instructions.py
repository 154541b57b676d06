"""Work on a clip between marks, for a counter of instructions: count_instructions.py plain|PRESET [FRAMES]

Seconds mean nothing in an emulator, instructions do. The marks are calls of getpriority(1000 + k, 0x7e57), before and
after every frame k: add up the instructions between successive marks and divide by the frames that are printed.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

import cv2
import films
from loops import following, plain_loop

from edge_fer.inference.open_model import open_classifier


def main() -> None:
    """Work on the first frames of the clip between two marks."""
    kind, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 36
    cv2.setNumThreads(1)
    film, classifier = films.clip(), open_classifier(None, "auto", 1)
    if film is None:
        sys.exit(3)
    look = plain_loop(classifier) if kind == "plain" else following(classifier, kind)
    mark = ctypes.CDLL(None).getpriority
    faces = 0
    mark(1000, 0x7E57)
    for number, frame in enumerate(film.frames[:count]):
        faces += len(look(frame))
        mark(1001 + number, 0x7E57)
    print(f"{kind}: {count} frames, {faces} boxes")


if __name__ == "__main__":
    main()
