"""How far a head is turned in the picture, from its looks: for detectors whose landmarks do not say.

A histogram of oriented gradients (Dalal & Triggs 2005, doi 10.1109/CVPR.2005.177) of the face, read by a small
perceptron with two hidden layers of 64 and 32. It was fitted on 25,000 faces of FER-2013's training split that were
laid into scenes and turned by up to 65 degrees (`benchmarks/pipeline/fit_roll.py`). On 2,000 further faces of that
split, turned by up to 45 degrees, half of its answers are within 4.6 degrees and nine in ten within 17; some of that is
how people hold their heads in those pictures. Read by the bundled model, faces turned by 40 degrees lost 2.0 points of
accuracy with it and 26.6 without, at 20 degrees 1.0 and 6.6.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_fer.picture import Picture
    from edge_fer.types import Box

WEIGHTS_FILE = Path(__file__).with_name("roll.npz")
SIDE, AROUND = 48, 1.3
"""Side in pixels of the patch that is looked at, and how many sides of the face's box it shows."""
UNIT_DEGREES = 45.0
"""What the network's answer of 1.0 stands for."""
MOST_DEGREES = 65.0
"""It was fitted to no larger turns."""


class RollEstimator:
    """Measures the roll of heads; keeps the network, and nothing from face to face."""

    def __init__(self, weights: Path = WEIGHTS_FILE) -> None:
        """Name the file of the network, 0.1 MB; it is loaded for the first face."""
        self._weights = weights
        self._gradients = gradients()

    @cached_property
    def _layers(self) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        with np.load(self._weights) as stored:
            return [(stored[f"weights_{n}"].astype(np.float32), stored[f"bias_{n}"]) for n in range(3)]

    def degrees(self, picture: Picture, box: Box) -> float:
        """How far the head in a box is turned clockwise, -65 to 65; small turns are for the reader to ignore."""
        return max(-MOST_DEGREES, min(MOST_DEGREES, self.measure(patch(picture, box))))

    def measure(self, pixels: NDArray[np.uint8]) -> float:
        """The network's answer in degrees for a patch, grey uint8 [48, 48]."""
        values = np.asarray(self._gradients.compute(pixels), np.float32).ravel()
        for number, (weights, bias) in enumerate(self._layers):
            values = values @ weights + bias
            if number < len(self._layers) - 1:
                values = np.maximum(values, 0.0)
        return float(values[0]) * UNIT_DEGREES


def gradients() -> cv2.HOGDescriptor:
    """What describes a patch: 900 numbers."""
    return cv2.HOGDescriptor((SIDE, SIDE), (16, 16), (8, 8), (8, 8), 9)


def patch(picture: Picture, box: Box) -> NDArray[np.uint8]:
    """The face and a little of what is around it, grey uint8 [48, 48]; beyond the edge its pixels are repeated."""
    side = max(box.width, box.height, 1) * AROUND
    x, y = box.x + box.width / 2, box.y + box.height / 2
    left, top = max(0, int(x - side / 2) - 1), max(0, int(y - side / 2) - 1)
    right, bottom = min(picture.width, int(x + side / 2) + 2), min(picture.height, int(y + side / 2) + 2)
    part = picture.grey_part(left, top, max(right, left + 1), max(bottom, top + 1))
    if part.size == 0:
        return np.zeros((SIDE, SIDE), np.uint8)
    x, y, scale = x - left, y - top, SIDE / side
    if scale < 0.5:  # a warp would skip pixels
        size = (max(1, round(part.shape[1] * 2 * scale)), max(1, round(part.shape[0] * 2 * scale)))
        x, y = x * size[0] / part.shape[1], y * size[1] / part.shape[0]
        part, scale = cv2.resize(part, size, interpolation=cv2.INTER_AREA), 0.5  # type: ignore[assignment]
    turn = np.array([[scale, 0.0, SIDE / 2 - scale * x], [0.0, scale, SIDE / 2 - scale * y]])
    return cv2.warpAffine(part, turn, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]
