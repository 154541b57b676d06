"""Annotated pictures as JPEG, in a size that suits a page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2

from edge_fer.errors import SinkError
from edge_fer.sinks.draw import annotate
from edge_fer.types import Box, View

if TYPE_CHECKING:
    from edge_fer.types import Image

JPEG_QUALITY = 80
READABLE_PX = 320
"""Pictures with a shorter side are enlarged, because words do not fit into them."""


def annotated_jpeg(view: View, longest_px: int, *, top: int = 1) -> bytes:
    """The picture with boxes and words, no side longer than that many pixels, as JPEG.

    Raises:
        SinkError: OpenCV cannot encode it.
    """
    fitted = fit(view, longest_px)
    picture = annotate(fitted.image, fitted.observation, top=top)
    return as_jpeg(picture)


def as_jpeg(picture: Image) -> bytes:
    """A BGR or grey picture as JPEG.

    Raises:
        SinkError: OpenCV cannot encode it.
    """
    try:
        encoded, data = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    except cv2.error as error:
        raise SinkError("OpenCV cannot encode the picture as JPEG") from error
    if not encoded:
        raise SinkError("OpenCV cannot encode the picture as JPEG")
    return data.tobytes()


def fit(view: View, longest_px: int) -> View:
    """The same view shrunk to that size, or enlarged where words would not fit; boxes go along."""
    height, width = view.image.shape[:2]
    scale = min(1.0, longest_px / max(width, height))
    if min(width, height) < READABLE_PX:
        scale = min(READABLE_PX / min(width, height), longest_px / max(width, height))
    if abs(scale - 1.0) < 0.01:
        return view
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC
    image: Image = cv2.resize(view.image, size, interpolation=method)  # type: ignore[assignment]
    faces = tuple(
        replace(scored, face=replace(scored.face, box=_scaled(scored.face.box, scale)))
        for scored in view.observation.faces
    )
    return View(replace(view.observation, faces=faces, width=size[0], height=size[1]), image)


def _scaled(box: Box, scale: float) -> Box:
    return Box(*(round(side * scale) for side in (box.x, box.y, box.width, box.height)))
