"""Films of crowds: faces of FER-2013's PublicTest split laid into scenes, with the truth about each of them.

Every face sways on a path of its own and keeps its size; frames carry the noise of a sensor (2 grey levels). In the
film of crossing faces two walk through each other, and while one hides more than a quarter of the other, the hidden one
need not be shown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import laying
import numpy as np

from edge_fer.camera.demo import FPS
from edge_fer.types import Box, Frame

if TYPE_CHECKING:
    from edge_fer.types import Image

WIDTH, HEIGHT = 640, 480
FRAMES = 60
SWAY_FRAMES, SWAY_SIDES = 60, 0.15
NOISE = 2.0
HIDDEN_OVERLAP = 0.25
GAP_SIDES = 0.75
"""Faces stay further apart than this share of the sum of their sides."""


@dataclass(frozen=True)
class Person:
    """A true face in a frame."""

    number: int
    """The same in every frame of a film."""
    box: Box
    due: bool = True
    """False for a face that may be shown and need not be: one that is hidden or cut off."""


@dataclass(frozen=True)
class Crowd:
    """What a crowd is made of."""

    name: str
    sides: tuple[int, ...]
    """In pixels of the frame; the number of faces is that of the sides."""
    degrees: tuple[float, ...] = (0.0,)
    """Turns, by turns over the faces."""
    crossing: bool = False


CROWDS = (
    Crowd("crowd of 2, near", (200, 150)),
    Crowd("crowd of 5", (140, 120, 100, 80, 64)),
    Crowd("crowd of 8", (100, 88, 80, 72, 64, 56, 48, 48)),
    Crowd("crowd of 12, far", (64, 56, 48, 48, 40, 40, 32, 32, 32, 24, 24, 24)),
    Crowd("crowd of 6, turned", (120, 110, 100, 90, 80, 72), (20.0, -20.0, 10.0, -30.0, 40.0, -40.0)),
    Crowd("2 crossing", (110, 100), crossing=True),
)


def film(crowd: Crowd, frames: int = FRAMES) -> tuple[list[Frame], list[list[Person]]] | None:
    """Draw a crowd; None where the faces are absent."""
    known, numbers = laying.faces("validation"), laying.faces_for_people("validation")
    if known is None:
        return None
    random = np.random.default_rng([17, sum(crowd.sides)])
    ground = laying.grounds(WIDTH, HEIGHT)[int(random.integers(len(laying.grounds(WIDTH, HEIGHT))))]
    chosen = [int(number) for number in random.choice(numbers, len(crowd.sides), replace=False)]
    seats = _seats(crowd, chosen, random)
    pictures, truth = [], []
    for number in range(frames):
        places = [_at(seat, index, number, frames, crowd) for index, seat in enumerate(seats)]
        picture = ground.copy()
        for place in places:
            laying.lay(picture, known.images[place.number], place)
        pictures.append(Frame(noisy(picture, random), number, number / FPS, 0.0, crowd.name))
        truth.append(_people(places))
    return pictures, truth


def noisy(picture: Image, random: np.random.Generator) -> Image:
    """The picture with the noise of a sensor."""
    noise = random.standard_normal(picture.shape, np.float32) * NOISE
    return np.clip(picture + noise + 0.5, 0, 255).astype(np.uint8)


def _seats(crowd: Crowd, numbers: list[int], random: np.random.Generator) -> list[laying.Laid]:
    """Places where no two faces touch, the largest seated first."""
    seats: list[laying.Laid] = []
    tries = 0
    while len(seats) < len(crowd.sides):
        side, index = crowd.sides[len(seats)], len(seats)
        margin = 0.65 * side
        x, y = random.uniform(margin, WIDTH - margin), random.uniform(margin, HEIGHT - margin)
        if crowd.crossing:
            x, y = (0.2 if index == 0 else 0.8) * WIDTH, (0.45 + 0.08 * index) * HEIGHT
        apart = all(math.hypot(x - seat.x, y - seat.y) > GAP_SIDES * (side + seat.side) for seat in seats)
        if apart:
            seats.append(laying.Laid(numbers[index], x, y, side, crowd.degrees[index % len(crowd.degrees)]))
        tries += 1
        if tries % 400 == 0:  # no room is left: from the start, with other chances
            seats = []
    return seats


def _at(seat: laying.Laid, index: int, number: int, frames: int, crowd: Crowd) -> laying.Laid:
    if crowd.crossing:
        share = number / (frames - 1)
        x = WIDTH * (0.2 + 0.6 * share if index == 0 else 0.8 - 0.6 * share)
        return laying.Laid(seat.number, x, seat.y, seat.side, seat.degrees)
    phase = 2 * math.pi * number / SWAY_FRAMES + index
    x = seat.x + SWAY_SIDES * seat.side * math.sin(phase)
    y = seat.y + SWAY_SIDES / 2 * seat.side * math.cos(phase)
    return laying.Laid(seat.number, x, y, seat.side, seat.degrees)


def _people(places: list[laying.Laid]) -> list[Person]:
    """Later faces are drawn over earlier ones."""
    return [
        Person(index, place.box, not any(place.box.overlap(over.box) > HIDDEN_OVERLAP for over in places[index + 1 :]))
        for index, place in enumerate(places)
    ]
