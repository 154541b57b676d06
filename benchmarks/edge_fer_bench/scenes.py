"""Scenes with a known number of faces: what the camera loop costs with one, with several, on large frames, with nobody.

Only the loop's own step is timed; pictures are drawn in between. Frames carry the times of a camera at 30 frames a
second, so that what depends on time (searching less where nothing moves, steadying scores) goes as it would there.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge_fer.camera.pattern import FPS, SCENE_FRAMES, DemoSource
from edge_fer.types import Frame
from edge_fer_bench.measuring import Turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.pipeline import Pipeline
    from edge_fer.types import Image

ONE_FACE, THREE_FACES, LARGE, NOBODY = "1 face", "3 faces", "1 face, 1920x1080", "nobody"
SCENES = (ONE_FACE, THREE_FACES, LARGE, NOBODY)

FALL_ASLEEP_FRAMES = 75
"""Frames of the empty scene that are not timed: after two seconds of them the loop searches less often."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Pictures by number, and how many of them come before the clock is started."""

    picture: Callable[[int], Image]
    """BGR uint8 [height, width, 3]."""
    untimed: int = 0


def scene(name: str) -> Scene:
    """One of `SCENES`."""
    demo = DemoSource()
    if name == NOBODY:
        # The demo's wall without its texture: nothing in it looks like a face, and nothing moves.
        wall = np.asarray(cv2.GaussianBlur(demo.picture(0), (0, 0), 40), np.uint8)
        return Scene(lambda number: wall, FALL_ASLEEP_FRAMES)
    first = 2 * SCENE_FRAMES if name == THREE_FACES else 0
    if name == LARGE:
        return Scene(lambda number: np.asarray(cv2.resize(demo.picture(number % SCENE_FRAMES), (1920, 1080)), np.uint8))
    return Scene(lambda number: demo.picture(first + number % SCENE_FRAMES))


def run_scene(
    pipeline: Pipeline,
    what: Scene,
    frames: int,
    clock: Callable[[], float] = time.perf_counter,
    cpu_clock: Callable[[], float] = time.process_time,
) -> Turn:
    """Look at so many frames of a scene with the pipeline's own step; its source is not read.

    Raises:
        ModelError: the engine failed.
    """
    faces = 0
    wall = cpu = detect = classify = 0.0
    for number in range(what.untimed + frames):
        frame = Frame(what.picture(number), number, number / FPS, 0.0, "scene")
        began_cpu, began = cpu_clock(), clock()
        seen = pipeline.step(frame)
        taken, taken_cpu = clock() - began, cpu_clock() - began_cpu
        if number < what.untimed:
            continue
        wall, cpu, faces = wall + taken, cpu + taken_cpu, faces + len(seen.faces)
        detect, classify = detect + seen.timings.detect_ms / 1e3, classify + seen.timings.classify_ms / 1e3
    return Turn(frames, faces, wall, cpu, 0.0, detect, classify)
