"""A face followed by its looks: where a small picture of it fits best in the next frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2

from edge_fer.faces.geometry import Place, cut_grey

if TYPE_CHECKING:
    from edge_fer.picture import Picture
    from edge_fer.types import Image

TEMPLATE_SIDE = 24
"""Side in pixels of a face's template."""

ROUNDED_PX = 2
"""Pixels by which a cut may miss that side where the frame's edge does not cut it far."""


@dataclass(frozen=True, slots=True)
class Template:
    """How a face looked when a cascade last found it."""

    pixels: Image
    """Grey uint8 [TEMPLATE_SIDE, TEMPLATE_SIDE]: the middle of the face."""


def remember(picture: Picture, place: Place) -> Template | None:
    """The face's template; None where the frame's edge cuts it too far."""
    pixels = cut_grey(picture, place, 0.0, TEMPLATE_SIDE).pixels
    if any(abs(length - TEMPLATE_SIDE) > ROUNDED_PX for length in pixels.shape):
        return None
    if pixels.shape != (TEMPLATE_SIDE, TEMPLATE_SIDE):
        # A small face is cut at whole pixels of the frame, each of which is more than one of the template.
        pixels = cv2.resize(pixels, (TEMPLATE_SIDE, TEMPLATE_SIDE), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    return Template(pixels)


def match(picture: Picture, expected: Place, template: Template, reach: float = 0.25) -> tuple[Place, float]:
    """Where the template fits best near an expected place of the same size, and how well.

    Returns:
        The place, and the correlation from -1.0 to 1.0; -1.0 where it cannot be compared.
    """
    cut = cut_grey(picture, expected, reach, TEMPLATE_SIDE)
    if min(cut.pixels.shape) < TEMPLATE_SIDE:
        return expected, -1.0
    fits = cv2.matchTemplate(cut.pixels, template.pixels, cv2.TM_CCOEFF_NORMED)
    _, best, _, (x, y) = cv2.minMaxLoc(fits)
    # Flat parts divide by nothing.
    if not math.isfinite(best) or best > 1.001:
        return expected, -1.0
    centre_x = x + _peak(fits[y].tolist(), x) + TEMPLATE_SIDE / 2
    centre_y = y + _peak(fits[:, x].tolist(), y) + TEMPLATE_SIDE / 2
    return Place(cut.left + centre_x / cut.scale, cut.top + centre_y / cut.scale, expected.side), float(best)


def _peak(values: list[float], at: int) -> float:
    """How far the top of a parabola through the highest value and its neighbours lies from it, -0.5 to 0.5."""
    if not 0 < at < len(values) - 1:
        return 0.0
    before, highest, after = values[at - 1 : at + 2]
    bend = before - 2.0 * highest + after
    return 0.0 if bend >= 0 else max(-0.5, min(0.5, 0.5 * (before - after) / bend))


def likeness(picture: Picture, template: Template | None, place: Place) -> float:
    """Correlation of a place with a template, 0.0 to 1.0; 0.0 where they cannot be compared."""
    return 0.0 if template is None else max(0.0, match(picture, place, template, reach=0.15)[1])
