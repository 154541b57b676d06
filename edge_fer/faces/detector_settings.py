"""What a face detector is asked for, whichever detector it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from edge_fer.config.setting import check_ranges
from edge_fer.faces.tracking_settings import PRESETS
from edge_fer.settings import FollowingOptions, PredictOptions, ranges

if TYPE_CHECKING:
    from pathlib import Path

Use: TypeAlias = Literal["video", "pictures", "crops"]
"""`video` searches again and again and must be quick, `pictures` has one try and may take its time, `crops` are small
pictures with one face in the middle, about half as wide as they are."""

_BALANCED = PRESETS["balanced"]
_RANGES = ranges(FollowingOptions, "min_face_px", "max_faces", "detect_width", "scale_factor")

MEASURED_SHARE = 0.8
"""A face counts as large enough from this share of the least side on, within half a pixel: detectors measure faces by
up to a fifth too small, and one that has the least side is to be found."""


def is_large_enough(side: float, min_face_px: int) -> bool:
    """Whether a measured side in pixels may be that of a face which has the least side."""
    return side + 0.5 >= MEASURED_SHARE * min_face_px


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """What a detector is asked for; one that cannot do a thing leaves it."""

    use: Use = "video"
    model: Path | None = None
    """The detector's own model file; None for the one that it brings."""
    cascade: Path | None = None
    """Cascade file (XML) of the detector haar; None for the one that came with OpenCV."""
    min_face_px: int = _BALANCED.min_face_px
    """Side in pixels of the picture under which faces are left out; the search is as fine as this asks for."""
    max_faces: int = FollowingOptions().max_faces
    """At most this many faces per picture, the largest first; bounds the work that one picture can cause."""
    detect_width: int | None = None
    """Width in pixels that wider pictures are shrunk to for the finest search; None for what `min_face_px` needs."""
    scale_factor: float = _BALANCED.scale_factor
    """Ratio of one search size to the next of the detector haar, above 1; smaller is more thorough and slower."""

    @classmethod
    def for_pictures(
        cls, *, model: Path | None = None, cascade: Path | None = None, min_face_px: int = PredictOptions().min_face_px
    ) -> DetectorSettings:
        """Settings for stills: nearly full resolution, small faces, many of them."""
        return cls("pictures", model, cascade, min_face_px, max_faces=200, scale_factor=1.1)

    def __post_init__(self) -> None:
        """Refuse what no detector can do.

        Raises:
            ConfigError: a value is out of range; the message names it.
        """
        check_ranges(self, _RANGES)
