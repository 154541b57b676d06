"""From pixels to model input: the one way, used when running, calibrating, training, evaluating and measuring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge_fer.picture import in_colour

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.types import Batch, Box, Image, InputSpec


def crop_faces(image: Image, boxes: Sequence[Box], spec: InputSpec) -> Batch:
    """Cut the faces out of a picture and scale them as the model expects.

    Each box is widened by the model's margin and made square about its centre (the longer side counts). Where
    the square leaves the picture, the pixels of the edge are repeated, so that a face at the edge keeps its scale.

    Args:
        image: uint8 [height, width, 3] BGR, or [height, width] grey; not empty. Give the grey picture where it
            is at hand and the model takes grey: it is then not converted again.
        boxes: in pixels of `image`; they may reach over its edges.
        spec: size, colours and scaling of the model's input.

    Returns:
        float32 [N, height, width, channels], N = number of boxes (0 gives an empty batch).
    """
    crops = _empty_crops(len(boxes), spec)
    if boxes:
        pixels = in_colour(image, spec.colour)
        for row, box in enumerate(boxes):
            _put(crops[row], _square(pixels, box, spec.crop_margin))
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


def _square(pixels: Image, box: Box, margin: float) -> Image:
    side = max(1, round(max(box.width, box.height) * (1.0 + 2.0 * margin)))
    left = round(box.x + box.width / 2 - side / 2)
    top = round(box.y + box.height / 2 - side / 2)
    height, width = pixels.shape[:2]
    if left >= 0 and top >= 0 and left + side <= width and top + side <= height:
        return pixels[top : top + side, left : left + side]
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    columns = np.clip(np.arange(left, left + side), 0, width - 1)
    return pixels[rows[:, None], columns]


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
    return batch
