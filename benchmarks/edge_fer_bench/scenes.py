"""Scenes with known faces: what the camera loop costs with one, with several, on large frames, with nobody.

Only the loop's own step is timed; pictures are drawn in between. Frames carry the times of a camera at 30 frames a
second, so that what depends on time (searching less where nothing moves, steadying scores) goes as it would there.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge_fer.camera.demo import FPS, HEIGHT, SCENE_FRAMES, WIDTH, DemoSource, Pose, TruthFace, background
from edge_fer.types import FER_LABELS, Box, Frame
from edge_fer_bench.measuring import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge_fer.pipeline import Pipeline
    from edge_fer.types import Image, Observation

ONE_FACE, THREE_FACES, LARGE, NOBODY = "1 face", "3 faces", "1 face, 1920x1080", "nobody"
EIGHT_FACES, ONE_OF_EIGHT = "8 faces", "1 of the 8 faces"
CROWDS = (ONE_OF_EIGHT, EIGHT_FACES)
SCENES = (ONE_FACE, THREE_FACES, ONE_OF_EIGHT, EIGHT_FACES, LARGE, NOBODY)

FALL_ASLEEP_FRAMES = 75
"""Frames of the empty scene that are not timed: after two seconds of them the loop searches less often."""

CROWD_COLUMNS, CROWD_ROWS, CROWD_SIDE, SWAY_FRAMES = 4, 2, 100, 60
"""Where the faces of the crowd stand, their side in pixels, and in how many frames they sway to and fro."""


def no_faces(number: int) -> list[TruthFace]:
    """Nobody is there, or nobody knows who is."""
    return []


@dataclass(frozen=True, slots=True)
class Scene:
    """Pictures by number, and how many of them come before the clock is started."""

    picture: Callable[[int], Image]
    """BGR uint8 [height, width, 3]."""
    untimed: int = 0
    truth: Callable[[int], list[TruthFace]] = no_faces
    """The faces of a picture, in an order that stays."""

    def frame(self, number: int) -> Frame:
        """A frame as from a camera at 30 frames a second."""
        return Frame(self.picture(number), number, number / FPS, 0.0, "scene")

    def frames(self, count: int) -> Iterator[Frame]:
        """The first frames of the scene."""
        return (self.frame(number) for number in range(count))


def scene(name: str) -> Scene:
    """One of `SCENES`."""
    if name in (EIGHT_FACES, ONE_OF_EIGHT):
        return crowd(8 if name == EIGHT_FACES else 1)
    demo = DemoSource()
    if name == NOBODY:
        # The demo's wall without its texture: nothing in it looks like a face, and nothing moves.
        wall = np.asarray(cv2.GaussianBlur(demo.picture(0), (0, 0), 40), np.uint8)
        return Scene(lambda number: wall, FALL_ASLEEP_FRAMES)
    if name == LARGE:
        return Scene(lambda number: np.asarray(cv2.resize(demo.picture(number % SCENE_FRAMES), (1920, 1080)), np.uint8))
    first = 2 * SCENE_FRAMES if name == THREE_FACES else 0

    def place(number: int) -> int:
        return first + number % SCENE_FRAMES

    return Scene(lambda number: demo.picture(place(number)), truth=lambda number: demo.truth(place(number)))


def crowd(count: int) -> Scene:
    """Up to eight of the demo's faces before a still wall, 640x480: each sways, and holds one expression."""
    demo, wall = DemoSource(), background()[:HEIGHT, :WIDTH]

    def poses(number: int) -> list[Pose]:
        found = []
        for index in range(count):
            row, column = divmod(index, CROWD_COLUMNS)
            phase = 2 * math.pi * number / SWAY_FRAMES + index
            x = (column + 0.5) * WIDTH / CROWD_COLUMNS + 0.15 * CROWD_SIDE * math.sin(phase)
            y = (row + 0.5) * HEIGHT / CROWD_ROWS + 0.08 * CROWD_SIDE * math.cos(phase)
            emotion = FER_LABELS[index % len(FER_LABELS)]
            found.append(Pose(x, y, CROWD_SIDE, 0.0, emotion, emotion, 0.0))
        return found

    def picture(number: int) -> Image:
        drawn = wall.copy()
        for pose in poses(number):
            demo.draw(drawn, pose)
        return drawn

    def truth(number: int) -> list[TruthFace]:
        half = CROWD_SIDE / 2
        return [
            TruthFace(Box(round(pose.x - half), round(pose.y - half), CROWD_SIDE, CROWD_SIDE), pose.emotion, 1.0)
            for pose in poses(number)
        ]

    return Scene(picture, truth=truth)


def run_scene(
    pipeline: Pipeline,
    what: Scene,
    frames: int,
    clock: Callable[[], float] = time.perf_counter,
    cpu_clock: Callable[[], float] = time.process_time,
) -> tuple[Turn, list[Observation]]:
    """Look at so many frames of a scene with the pipeline's own step; its source is not read.

    Returns:
        The sums over the frames, and what was seen in each of them.

    Raises:
        ModelError: the engine failed.
    """
    faces = 0
    shown: list[Observation] = []
    wall = cpu = detect = classify = 0.0
    for number in range(what.untimed + frames):
        frame = what.frame(number)
        began_cpu, began = cpu_clock(), clock()
        seen = pipeline.step(frame)
        taken, taken_cpu = clock() - began, cpu_clock() - began_cpu
        if number < what.untimed:
            continue
        wall, cpu, faces = wall + taken, cpu + taken_cpu, faces + len(seen.faces)
        detect, classify = detect + seen.timings.detect_ms / 1e3, classify + seen.timings.classify_ms / 1e3
        shown.append(seen)
    return Turn(frames, faces, wall, cpu, 0.0, detect, classify), shown
