"""Faces of FER-2013 laid into scenes, so that the truth about each is known; everything is made in memory.

FER-2013's pictures are tight crops of 48x48 pixels, from the forehead to the chin. A detector looks for a head on a
ground, so each crop is continued before it is laid: the pixels of its edge are repeated by half of its side all around
and blurred the more the further out they lie, and a round mask, opaque to 0.55 sides from the centre and clear from
0.8 sides on, blends the result into the scene. The crop itself is shown as it is, apart from its corners.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from video_frames import video_frames

from edge_fer.camera.demo import background
from edge_fer.evaluation.datasets import VOTE_NAMES, load_dataset
from edge_fer.types import Box

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge_fer.evaluation.labelled import LabelledFaces
    from edge_fer.types import Face, Image

SHARED = Path(__file__).resolve().parent.parent.parent.parent / "shared" / "data"
FACES = SHARED / "fer2013"
NO_FACES_FILM = SHARED / "video" / "noface-bottles.mp4"

SIDE = 48
"""Of a crop of FER-2013."""
PADDING, BLUR_SIGMA, BLUR_REACH = 24, 5.0, 6.0
"""Pixels of the crop that are added on each side, and how far outside of it the blur is complete."""
OPAQUE, CLEAR = 0.55, 0.8
"""Distances from the centre, in sides, at which the mask is still 1 and already 0."""

GROUNDS = (
    "brick.png", "grass.png", "gravel.png", "coffee.png", "motorcycle_left.png", "motorcycle_right.png", "rocket.jpg",
    "chelsea.png",
)  # fmt: skip
"""Pictures without a person that scikit-image brings: three textures, five natural scenes, one of them a cat."""


@dataclass(frozen=True)
class Laid:
    """A face in a scene."""

    number: int
    """Of the face in its data set."""
    x: float
    """Centre of the crop, in pixels of the scene."""
    y: float
    side: float
    degrees: float = 0.0
    """Turned clockwise."""

    @property
    def box(self) -> Box:
        """The square of the crop before it is turned."""
        return Box(round(self.x - self.side / 2), round(self.y - self.side / 2), round(self.side), round(self.side))


def lay(scene: Image, crop: Image, place: Laid) -> None:
    """Draw a grey 48x48 crop into a BGR scene."""
    texture, mask = _texture(crop), _mask()
    scale, whole = place.side / SIDE, SIDE + 2 * PADDING
    if scale < 1:  # averaged first: a warp alone would skip pixels
        small = max(1, round(whole * scale))
        texture = cv2.resize(texture, (small, small), interpolation=cv2.INTER_AREA)
        mask = cv2.resize(mask, (small, small), interpolation=cv2.INTER_AREA)
        scale *= whole / small
    reach = math.ceil(place.side * 1.2) + 1
    left, top = max(0, round(place.x) - reach), max(0, round(place.y) - reach)
    part = scene[top : max(0, round(place.y) + reach), left : max(0, round(place.x) + reach)]
    if part.size == 0:
        return
    middle = (texture.shape[0] - 1) / 2
    turn = cv2.getRotationMatrix2D((middle, middle), -place.degrees, scale)
    turn[:, 2] += (place.x - 0.5 - left - middle, place.y - 0.5 - top - middle)
    size = (part.shape[1], part.shape[0])
    drawn = cv2.warpAffine(texture, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[..., None]
    opacity = cv2.warpAffine(mask, turn, size, flags=cv2.INTER_LINEAR)[..., None]
    part[:] = np.clip(part * (1 - opacity) + drawn * opacity + 0.5, 0, 255).astype(np.uint8)


def _texture(crop: Image) -> np.ndarray:
    padded = cv2.copyMakeBorder(crop, *[PADDING] * 4, borderType=cv2.BORDER_REPLICATE).astype(np.float32)
    share = np.clip((np.maximum(*_from_centre()) - SIDE / 2) / BLUR_REACH, 0, 1)
    return (padded * (1 - share) + cv2.GaussianBlur(padded, (0, 0), BLUR_SIGMA) * share).astype(np.float32)


@cache
def _mask() -> np.ndarray:
    share = np.clip((CLEAR - np.hypot(*_from_centre()) / SIDE) / (CLEAR - OPAQUE), 0, 1)
    return (share * share * (3 - 2 * share)).astype(np.float32)


def _from_centre() -> tuple[np.ndarray, np.ndarray]:
    whole = SIDE + 2 * PADDING
    rows, columns = np.mgrid[0:whole, 0:whole] - (whole - 1) / 2
    return np.abs(rows), np.abs(columns)


@cache
def faces(split: str) -> LabelledFaces | None:
    """The faces of `train` or `validation` (PublicTest); None where the data is absent."""
    return load_dataset(FACES, split) if FACES.is_dir() else None


@cache
def faces_for_people(split: str) -> tuple[int, ...]:
    """Numbers of the faces that nobody of FER+'s ten annotators took for something else, and at most one could not
    read: the data holds drawings, texts and empty pictures too."""
    known = faces(split)
    if known is None:
        return ()
    if known.votes is None:
        return tuple(range(len(known)))
    votes = dict(zip(VOTE_NAMES, known.votes.T, strict=True))
    clear = (votes["not_face"] == 0) & (votes["unknown"] <= 1) & (known.votes.sum(1) > 0)
    return tuple(int(number) for number in np.flatnonzero(clear))


@cache
def grounds(width: int = 640, height: int = 480) -> tuple[Image, ...]:
    """Scenes without a person, BGR: those of scikit-image, the demo's wall, and frames of the film without people."""
    from skimage import data

    pictures: list[Image] = [cv2.imread(str(Path(data.__file__).with_name(name))) for name in GROUNDS]
    pictures.append(background())
    if NO_FACES_FILM.is_file():
        pictures += [frame.image for frame in video_frames(str(NO_FACES_FILM), 121)[::60]]
    return tuple(_filling(picture, width, height) for picture in pictures)


def _filling(picture: Image, width: int, height: int) -> Image:
    """Scaled and cut so that it fills the size."""
    scale = max(width / picture.shape[1], height / picture.shape[0])
    size = (max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale)))
    scaled = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width])


def scattered(split: str, numbers: Sequence[int], degrees: float, seed: int) -> Iterator[tuple[Image, list[Laid]]]:
    """Scenes of 640x480 with four faces each, 60 to 150 pixels wide, all turned by so much one way or the other."""
    known, random = faces(split), np.random.default_rng(seed)
    if known is None:
        return
    for first in range(0, len(numbers), 4):
        scene = grounds()[first // 4 % len(grounds())].copy()
        places = []
        for seat, number in enumerate(numbers[first : first + 4]):
            side = float(np.exp(random.uniform(np.log(60), np.log(150))))
            free_x, free_y = max(0.0, 160 - 0.7 * side), max(0.0, 120 - 0.7 * side)
            x = 320 * (seat % 2 + 0.5) + random.uniform(-1, 1) * free_x
            y = 240 * (seat // 2 + 0.5) + random.uniform(-1, 1) * free_y
            places.append(Laid(number, x, y, side, degrees * (1 if random.random() < 0.5 else -1)))
        for place in places:
            lay(scene, known.images[place.number], place)
        yield scene, places


def matched(places: Sequence[Laid], found: Sequence[Face]) -> list[tuple[Laid, Face]]:
    """Each laid face with what was found nearest to its middle, if within half of its side and of about its size."""
    pairs = []
    for place in places:
        near = [
            (math.hypot(box.x + box.width / 2 - place.x, box.y + box.height / 2 - place.y) / place.side, index)
            for index, face in enumerate(found)
            if (box := face.box) and 0.5 < max(box.width, box.height) / place.side < 2.0
        ]
        best = min(near, default=None)
        if best is not None and best[0] < 0.5:
            pairs.append((place, found[best[1]]))
    return pairs
