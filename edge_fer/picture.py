"""One picture in the colours that its readers want, each made once at most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_fer.types import ColourOrder, Image


class Picture:
    """The pixels of one frame; colour and grey are made when they are first asked for, and kept.

    Detectors that know colours take `bgr`, others `grey`; who needs a small part of a large picture takes
    `grey_part`, which converts no more than that part.
    """

    __slots__ = ("_bgr", "_grey", "height", "width")

    def __init__(self, image: Image) -> None:
        """Wrap a picture; nothing is copied or converted.

        Args:
            image: uint8 [height, width, 3] BGR or [height, width] grey; not empty, and not changed later.

        Raises:
            ValueError: it is no such picture.
        """
        _check(image)
        self._grey: Image | None = image if image.ndim == 2 else None
        self._bgr: Image | None = image if image.ndim == 3 else None
        self.height, self.width = image.shape[:2]

    @property
    def image(self) -> Image:
        """The picture as it came, in colour or grey."""
        return self.grey if self._bgr is None else self._bgr

    @property
    def bgr(self) -> Image:
        """uint8 [height, width, 3] in BGR order."""
        if self._bgr is None:
            self._bgr = in_colour(self.grey, "bgr")
        return self._bgr

    @property
    def grey(self) -> Image:
        """uint8 [height, width]."""
        if self._grey is None:
            self._grey = in_colour(self.bgr, "grey")
        return self._grey

    @property
    def has_grey(self) -> bool:
        """Whether the grey picture is at hand, so that nothing need be converted."""
        return self._grey is not None

    def grey_part(self, left: int, top: int, right: int, bottom: int) -> Image:
        """Grey pixels of the columns `left` to `right` and the rows `top` to `bottom`, ends left out, all inside.

        Where the whole picture is not grey yet, only the part is converted.
        """
        if self._grey is not None:
            return self._grey[top:bottom, left:right]
        part = self.bgr[top:bottom, left:right]
        return part[:, :, 0] if part.size == 0 else in_colour(part, "grey")

    def for_crops(self, colour: ColourOrder) -> Image:
        """The picture to cut model inputs from: the grey one where it is wanted and at hand, else as it came."""
        return self._grey if colour == "grey" and self._grey is not None else self.image


def in_colour(image: Image, colour: ColourOrder) -> Image:
    """The picture in grey [height, width], or in BGR or RGB [height, width, 3]; the same object where it already is.

    Raises:
        ValueError: the picture is not uint8 BGR or grey, or it is empty.
    """
    _check(image)
    is_grey = image.ndim == 2
    if colour == "grey":
        return image if is_grey else _cv(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
    if is_grey:
        return _cv(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
    return image if colour == "bgr" else _cv(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def _check(image: Image) -> None:
    if image.dtype != np.uint8 or image.size == 0 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise ValueError(
            "expected a picture as uint8 [height, width] or [height, width, 3], "
            f"got {image.dtype} {list(image.shape)}: convert it first"
        )


def _cv(pixels: NDArray[np.generic]) -> Image:
    # OpenCV's stubs say "any array"; a uint8 picture stays uint8 in every call made here.
    return pixels  # type: ignore[return-value]
