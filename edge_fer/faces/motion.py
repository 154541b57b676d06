"""Does anything move? Seen in a few thousand pixels, so that an empty, still scene costs next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from edge_fer.types import Image

COLUMNS = 80
"""Columns of the thinned picture that is compared; rows follow the frame's shape."""

CHANGE = 12
"""Difference in grey levels, after a 3x3 mean, from which a pixel has changed; a camera's noise stays below half."""

MOVED_SHARE = 0.004
"""Share of changed pixels from which something moves: 20 of 4800, a face 45 pixels wide that moves by a half."""


class MotionGate:
    """Compares frames with the last one that it was asked to remember."""

    def __init__(self) -> None:
        self._remembered: Image | None = None

    def moved(self, image: Image) -> bool:
        """True where the picture differs from the remembered one, or where none or one of another size is kept.

        The new picture is remembered when it moved. Slow changes of light add up until they count as motion, which
        costs one search.

        Args:
            image: uint8 [height, width, 3] or [height, width].
        """
        thin = _thinned(image)
        before = self._remembered
        if before is not None and before.shape == thin.shape:
            changed = int(np.count_nonzero(cv2.absdiff(thin, before) > CHANGE))
            if changed <= MOVED_SHARE * thin.size:
                return False
        self._remembered = thin
        return True


def _thinned(image: Image) -> Image:
    step = max(1, image.shape[1] // COLUMNS)
    # Green carries most of the light, and one channel of every n-th pixel needs no conversion of the frame.
    pixels = image[::step, ::step] if image.ndim == 2 else image[::step, ::step, 1]
    return cv2.blur(np.ascontiguousarray(pixels), (3, 3))  # type: ignore[return-value]
