"""Boxes and words drawn over a picture, for the window, saved videos and annotated pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np

from edge_fer.types import Box

if TYPE_CHECKING:
    from edge_fer.types import Image, Landmarks, Observation, ScoredFace

Colour: TypeAlias = tuple[int, int, int]

BGR_BY_EMOTION: dict[str, Colour] = {
    "angry": (60, 60, 230),
    "disgust": (60, 160, 80),
    "fear": (210, 90, 160),
    "happy": (40, 200, 250),
    "sad": (230, 140, 60),
    "surprise": (40, 140, 255),
    "neutral": (200, 200, 200),
}
"""Colours that stay apart for people who cannot distinguish red from green: they differ in lightness too."""

OTHER_BGR: Colour = (220, 220, 120)
"""For labels that are none of the seven."""

FONT = cv2.FONT_HERSHEY_SIMPLEX
REFERENCE_PX = 480
"""Shorter side of a picture in which text has its plain size; it grows with the picture."""


def annotate(
    image: Image, observation: Observation, *, top: int = 1, fps: float | None = None, enlarged: int = 1
) -> Image:
    """Return a BGR copy of the picture with a box, emotion and score for each face.

    Args:
        image: uint8 [height, width, 3] BGR or [height, width] grey; left as it is.
        observation: what was seen in this picture.
        top: how many of the best emotions to write at each face, at least 1.
        enlarged: how many times the picture is larger than the one that the boxes are for.
        fps: frames per second to write in the corner; None for none.
    """
    canvas: Image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image.copy()  # type: ignore[assignment]
    size = min(canvas.shape[:2]) / REFERENCE_PX
    # The largest last, so that its label is not covered by those behind.
    for scored in reversed(observation.faces):
        _draw_face(canvas, scored, top, size, enlarged)
    if fps is not None:
        _draw_lines(canvas, [f"{fps:.1f} FPS"], 0, 0, (255, 255, 255), size)
    return canvas


def _draw_face(canvas: Image, scored: ScoredFace, top: int, size: float, enlarged: int) -> None:
    box, colour = _times(scored.face.box, enlarged), BGR_BY_EMOTION.get(scored.emotion, OTHER_BGR)
    thickness = max(1, round(2 * size))
    if scored.face.landmarks is not None:
        _draw_points(canvas, scored.face.landmarks, box, colour, enlarged)
    cv2.rectangle(canvas, (box.x, box.y), (box.x + box.width - 1, box.y + box.height - 1), colour, thickness)
    if scored.face.landmarks is not None:
        for x, y in scored.face.landmarks.points:
            cv2.circle(canvas, (round(x * enlarged), round(y * enlarged)), thickness, colour, cv2.FILLED)
    scores = scored.scores.as_dict()
    others = [(label, value) for label, value in scored.scores.top_k(top) if label != scored.emotion]
    shown = [(scored.emotion, scores[scored.emotion]), *others][: max(1, top)]
    lines = [f"{label} {value:.0%}" for label, value in shown]
    if scored.face.track_id is not None:
        lines[0] = f"{scored.face.track_id}: {lines[0]}"
    height = _line_height(size) * len(lines)
    y = _label_top(box, height, canvas.shape[0])
    _draw_lines(canvas, lines, box.x, y, colour, size)


def _draw_points(canvas: Image, landmarks: Landmarks, box: Box, colour: Colour, enlarged: int) -> None:
    """Five dots, small enough to leave the face to be seen and rimmed with black so that they show on any skin."""
    radius = max(1, round(max(box.width, box.height) / 50))
    for x, y in landmarks.points:
        # The middle of a pixel of the picture lies half of an enlarged pixel further on.
        centre = (round((x + 0.5) * enlarged - 0.5), round((y + 0.5) * enlarged - 0.5))
        if radius > 1:
            cv2.circle(canvas, centre, radius + 1, (0, 0, 0), cv2.FILLED)
        cv2.circle(canvas, centre, radius, colour, cv2.FILLED)


def _label_top(box: Box, height: int, picture_height: int) -> int:
    """Above the box where there is room, else below it, else inside its upper edge."""
    if box.y >= height:
        return box.y - height
    below = box.y + box.height
    return below if below + height <= picture_height else box.y


def _times(box: Box, factor: int) -> Box:
    return Box(box.x * factor, box.y * factor, box.width * factor, box.height * factor)


def _draw_lines(canvas: Image, lines: list[str], x: int, y: int, colour: Colour, size: float) -> None:
    scale, thickness = _font_scale(size), max(1, round(1.4 * size))
    line_height = _line_height(size)
    pad = line_height // 5
    width = max(cv2.getTextSize(line, FONT, scale, thickness)[0][0] for line in lines) + 2 * pad
    x = max(0, min(x, canvas.shape[1] - width))
    cv2.rectangle(canvas, (x, y), (x + width - 1, y + line_height * len(lines) - 1), colour, cv2.FILLED)
    ink = (0, 0, 0) if np.dot(colour, (0.114, 0.587, 0.299)) > 110 else (255, 255, 255)
    for number, line in enumerate(lines):
        base = y + line_height * (number + 1) - line_height // 3
        cv2.putText(canvas, line, (x + pad, base), FONT, scale, ink, thickness, cv2.LINE_AA)


def _font_scale(size: float) -> float:
    return max(0.4, 0.6 * size)


def _line_height(size: float) -> int:
    return round(36 * _font_scale(size))
