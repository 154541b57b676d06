"""From pixels to model input: the one way, used when running, calibrating, training, evaluating and measuring."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge_fer.picture import in_colour
from edge_fer.types import Box, Face

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.types import Batch, Image, InputSpec

UPRIGHT_DEGREES = 8.0
"""Heads that are turned by less are cut as they are: the faces that models learn from are turned by as much. Of 354
upright faces of PublicTest in scenes whose roll was measured (`faces.roll`) as 8 to 14 degrees, 67.5 % were read right
as they were and 66.7 % turned back; of 186 faces that were turned by 20 degrees and measured so, 62.4 and 66.7 %."""


def crop_faces(image: Image, faces: Sequence[Face | Box], spec: InputSpec) -> Batch:
    """Cut the faces out of a picture, turn them upright and scale them as the model expects.

    Each box is made square about its centre (the longer side counts) and widened by the model's margin. A box that the
    edge of the picture has cut is completed beyond the edge first; there the pixels of the edge are repeated, so that a
    face at the edge keeps its place and scale. A head that is turned by `UPRIGHT_DEGREES` or more is turned upright
    about the centre of its box.

    Args:
        image: uint8 [height, width, 3] BGR, or [height, width] grey; not empty. Give the grey picture where it
            is at hand and the model takes grey: it is then not converted again.
        faces: boxes in pixels of `image`, which may reach over its edges; a box alone is of an upright face.
        spec: size, colours and scaling of the model's input.

    Returns:
        float32 [N, height, width, channels], N = number of faces (0 gives an empty batch).
    """
    crops = _empty_crops(len(faces), spec)
    if faces:
        # Only what is cut out is converted: a frame may have a hundred times as many pixels.
        for row, face in enumerate(faces):
            box, roll = (face.box, face.roll_degrees) if isinstance(face, Face) else (face, 0.0)
            whole = _completed(box, image.shape[1], image.shape[0])
            if abs(roll) < UPRIGHT_DEGREES:
                _put(crops[row], in_colour(_square(image, *_upright(whole, spec.crop_margin)), spec.colour))
            else:
                _put(crops[row], _turned(image, whole, spec, roll))
    return _scaled(crops, spec)


def whole_to_batch(pictures: Sequence[Image], spec: InputSpec) -> Batch:
    """Take each picture as one face that is already cropped, as in FER-2013; no margin, nothing is cut off.

    Args:
        pictures: uint8 [height, width, 3] BGR or [height, width] grey, of any size above 0; one that is not of the
            model's shape is stretched to it.
        spec: size, colours and scaling of the model's input.

    Returns:
        float32 [N, height, width, channels], N = number of pictures.
    """
    crops = _empty_crops(len(pictures), spec)
    for row, picture in enumerate(pictures):
        _put(crops[row], in_colour(picture, spec.colour))
    return _scaled(crops, spec)


def _empty_crops(count: int, spec: InputSpec) -> Image:
    return np.empty((count, spec.height, spec.width, spec.channels), dtype=np.uint8)


def _completed(box: Box, width: int, height: int) -> Box:
    """The square that the picture's edge has left this box of; the box itself where no edge has cut it."""
    missing = box.height - box.width
    if missing > 0 and (box.x <= 0) != (box.x + box.width >= width):
        return Box(box.x - missing if box.x <= 0 else box.x, box.y, box.height, box.height)
    if missing < 0 and (box.y <= 0) != (box.y + box.height >= height):
        return Box(box.x, box.y + missing if box.y <= 0 else box.y, box.width, box.width)
    return box


def _upright(box: Box, margin: float) -> tuple[int, int, int]:
    """Left edge, upper edge and side of the square to cut."""
    side = max(1, round(max(box.width, box.height) * (1.0 + 2.0 * margin)))
    return round(box.x + box.width / 2 - side / 2), round(box.y + box.height / 2 - side / 2), side


def _square(pixels: Image, left: int, top: int, side: int) -> Image:
    height, width = pixels.shape[:2]
    if left >= 0 and top >= 0 and left + side <= width and top + side <= height:
        return pixels[top : top + side, left : left + side]
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    columns = np.clip(np.arange(left, left + side), 0, width - 1)
    return pixels[rows[:, None], columns]


def _turned(pixels: Image, box: Box, spec: InputSpec, roll: float) -> Image:
    """The square about the box's centre whose upright is that of a head turned clockwise by `roll` degrees."""
    side = max(1.0, max(box.width, box.height) * (1.0 + 2.0 * spec.crop_margin))
    x, y = box.x + box.width / 2, box.y + box.height / 2
    cosine, sine = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    # An upright square that holds the turned one, with a pixel to spare for what lies between pixels.
    reach = math.ceil(side * (abs(cosine) + abs(sine)) / 2) + 2
    left, top = math.floor(x) - reach, math.floor(y) - reach
    around = in_colour(_square(pixels, left, top, 2 * reach + 1), spec.colour)
    x, y = x - left, y - top
    # A warp takes four pixels for each of its own and skips the others: what is much larger is averaged before, and
    # twice the model's size is left to be averaged after.
    longest = 2 * max(spec.width, spec.height)
    if side > longest:
        shrunk = max(1, round(around.shape[0] * longest / side))
        scale = shrunk / around.shape[0]
        around = cv2.resize(around, (shrunk, shrunk), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        x, y, side = x * scale, y * scale, side * scale
    times = 2 if side > max(spec.width, spec.height) else 1
    width, height = times * spec.width, times * spec.height
    step_x, step_y = side / width, side / height
    # From the middles of the crop's pixels to those of the picture's.
    off_x, off_y = step_x * (0.5 - width / 2), step_y * (0.5 - height / 2)
    matrix = np.array(
        (
            (cosine * step_x, -sine * step_y, x - 0.5 + cosine * off_x - sine * off_y),
            (sine * step_x, cosine * step_y, y - 0.5 + sine * off_x + cosine * off_y),
        )
    )
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(around, matrix, (width, height), flags=how, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def _put(crop: Image, pixels: Image) -> None:
    """Write a picture into a crop, uint8 [height, width, channels], stretched to its size."""
    height, width = crop.shape[:2]
    if pixels.shape[:2] == (height, width):
        crop[:] = pixels.reshape(crop.shape)
        return
    # Averaging avoids aliasing when shrinking; when enlarging it would only repeat pixels.
    shrinking = pixels.shape[0] * pixels.shape[1] > height * width
    cv2.resize(pixels, (width, height), dst=crop, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)


def _scaled(crops: Image, spec: InputSpec) -> Batch:
    batch = np.subtract(crops, np.asarray(spec.mean, np.float32), dtype=np.float32)
    batch /= np.asarray(spec.std, dtype=np.float32)
    if spec.standardise and len(batch):
        axes = (1, 2, 3)
        batch -= batch.mean(axis=axes, keepdims=True)
        # As TensorFlow's per_image_standardization, which keeps flat pictures from a division by 0.
        least = 1.0 / np.sqrt(float(batch[0].size))
        batch /= np.maximum(batch.std(axis=axes, keepdims=True), np.float32(least))
    return batch
