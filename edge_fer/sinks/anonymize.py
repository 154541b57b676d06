"""Faces made unrecognisable in pictures that are shown, saved or sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2

from edge_fer.types import Box

if TYPE_CHECKING:
    from edge_fer.settings import Anonymize
    from edge_fer.types import Image, Observation

MARGIN = 0.25
"""Share of a box's side that is hidden around it, too: hair, ears and chin, and what the face has moved since."""
BLOCKS = {"blur": 2, "pixelate": 3}
"""Values across a face that are left of it; nothing can be made out from so few, nor computed back. In four by four,
blurred or not, a thorough search finds some faces again."""
HOLD_SECONDS = 1.5
"""How long the last place of a face stays hidden while it is out of sight."""
MOST_PLACES = 1000


class Anonymizer:
    """Hides every face of each picture, and the last place of those that are lost for a moment.

    For pictures in their order; not for several threads at once.
    """

    def __init__(self, method: Anonymize) -> None:
        """Begin with no place.

        Args:
            method: `blur`, `pixelate`, or `box` for a black one.
        """
        self._method = method
        self._places: dict[int, tuple[Box, float]] = {}
        """By id: where the face was last, and when."""
        self._source, self._at = "", 0.0

    def __call__(self, image: Image, observation: Observation) -> Image:
        """A copy of the picture in which no face can be recognised; the picture stays as it is.

        Args:
            image: uint8 [height, width, 3] BGR or [height, width] grey.
            observation: what was seen in it.
        """
        hidden = image.copy()
        if observation.unscored:
            # Faces whose place is not known here, because the model failed on them.
            self._hide(hidden, Box(0, 0, image.shape[1], image.shape[0]))
        at = observation.captured_at
        if observation.source != self._source or at < self._at:
            self._places.clear()
        self._source, self._at = observation.source, at
        for scored in observation.faces:
            self._hide(hidden, widened(scored.box))
            if scored.id is not None:
                self._places[scored.id] = (scored.box, at)
        for number, (box, seen_at) in list(self._places.items()):
            if at - seen_at > HOLD_SECONDS or len(self._places) > MOST_PLACES:
                del self._places[number]
            elif seen_at < at:
                self._hide(hidden, widened(box))
        return hidden

    def _hide(self, image: Image, box: Box) -> None:
        inside = box.clipped(image.shape[1], image.shape[0])
        if not inside.area:
            return
        part = image[inside.y : inside.y + inside.height, inside.x : inside.x + inside.width]
        if self._method == "box":
            part[...] = 0
            return
        size = (inside.width, inside.height)
        blocks = BLOCKS[self._method]
        few = cv2.resize(part, (min(blocks, size[0]), min(blocks, size[1])), interpolation=cv2.INTER_AREA)
        method = cv2.INTER_NEAREST if self._method == "pixelate" else cv2.INTER_LINEAR
        part[...] = cv2.resize(few, size, interpolation=method)


def widened(box: Box) -> Box:
    """The box with its margin."""
    across, down = round(MARGIN * box.width), round(MARGIN * box.height)
    return Box(box.x - across, box.y - down, box.width + 2 * across, box.height + 2 * down)
