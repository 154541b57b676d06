"""Films of average faces that move as asked, so that the truth about every frame is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge_fer.camera.demo import read_faces, soft_oval
from edge_fer.types import Box, Frame, Image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FPS = 30.0
COVERED = 0.2
"""Overlap with one in front from which a face is no longer asked for."""


@dataclass(frozen=True)
class Pose:
    """A face in a frame; the one that is drawn later lies in front."""

    x: float
    y: float
    side: float
    tilt_degrees: float = 0.0
    hidden: bool = False
    """Present in the truth of the scene, but behind something."""

    @property
    def box(self) -> Box:
        return Box(round(self.x - self.side / 2), round(self.y - self.side / 2), round(self.side), round(self.side))


@dataclass(frozen=True)
class Actor:
    """Who moves how: a pose a frame, None while out of the scene."""

    emotion: str
    pose: Callable[[int], Pose | None]


@dataclass(frozen=True)
class Scene:
    """A film and the truth about it."""

    actors: tuple[Actor, ...]
    frames: int
    width: int = 640
    height: int = 480
    first_second: float = 0.0

    def truth(self, number: int) -> dict[int, Pose]:
        """Poses of the actors in a frame by their number."""
        poses = {index: actor.pose(number) for index, actor in enumerate(self.actors)}
        return {index: pose for index, pose in poses.items() if pose is not None and not pose.hidden}

    def in_sight(self, number: int) -> dict[int, Pose]:
        """The truth without those who are mostly behind somebody."""
        poses = self.truth(number)
        return {
            index: pose
            for index, pose in poses.items()
            if not any(other > index and poses[other].box.overlap(pose.box) > COVERED for other in poses)
        }

    def frame(self, number: int) -> Frame:
        """Draw a frame."""
        picture = wall(self.width, self.height).copy()
        for index, pose in self.truth(number).items():
            draw(picture, self.actors[index].emotion, pose)
        return Frame(picture, number, self.first_second + number / FPS, 0.0, "scene")

    def film(self) -> Iterator[Frame]:
        """Draw all frames."""
        return (self.frame(number) for number in range(self.frames))


@cache
def wall(width: int, height: int) -> Image:
    """A cloudy grey wall; the same at every call, not to be drawn on."""
    random = np.random.default_rng(3)
    cloud = np.full((height, width), 105.0, np.float32)
    for cells, strength in ((4, 16.0), (12, 8.0), (150, 4.0)):
        noise = random.standard_normal((cells, cells * width // height)).astype(np.float32)
        cloud += strength * cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.cvtColor(np.clip(cloud, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)


@cache
def _faces() -> dict[str, Image]:
    return read_faces()


def draw(picture: Image, emotion: str, pose: Pose) -> None:
    """Blend a face into a picture, over what is there."""
    face = _faces()[emotion]
    scale = pose.side / face.shape[0]
    turn = cv2.getRotationMatrix2D((face.shape[1] / 2, face.shape[0] / 2), pose.tilt_degrees, scale)
    turn[:, 2] += (pose.x - face.shape[1] / 2, pose.y - face.shape[0] / 2)
    size = (picture.shape[1], picture.shape[0])
    drawn = cv2.warpAffine(face, turn, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    opacity = cv2.warpAffine(soft_oval(), turn, size)[:, :, None]
    picture[:] = (opacity * drawn[:, :, None] + (1.0 - opacity) * picture).astype(np.uint8)


def still(x: float, y: float, side: float) -> Callable[[int], Pose]:
    """A face that stays where it is."""
    return lambda number: Pose(x, y, side)


def walk(start: tuple[float, float], step: tuple[float, float], side: float) -> Callable[[int], Pose]:
    """A face that moves by a step a frame."""
    return lambda number: Pose(start[0] + number * step[0], start[1] + number * step[1], side)


def crowd(count: int, width: int, height: int, frames: int) -> Scene:
    """Faces in rows that sway, each in a place of its own."""
    columns = math.ceil(math.sqrt(count * width / height))
    rows = math.ceil(count / columns)
    side = min(150.0, 0.62 * min(width / columns, height / rows))
    emotions = sorted(_faces())

    def actor(index: int) -> Actor:
        row, column = divmod(index, columns)
        x, y = (column + 0.5) * width / columns, (row + 0.5) * height / rows

        def pose(number: int) -> Pose:
            phase = 2 * math.pi * number / 60 + index
            return Pose(x + 0.15 * side * math.sin(phase), y + 0.08 * side * math.cos(phase), side)

        return Actor(emotions[index % len(emotions)], pose)

    return Scene(tuple(actor(index) for index in range(count)), frames, width, height)
