"""What a face detector is asked for, whichever detector it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from edge_fer.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

Use: TypeAlias = Literal["video", "pictures", "crops"]
"""`video` searches again and again and must be quick, `pictures` has one try and may take its time, `crops` are small
pictures with one face in the middle, about half as wide as they are."""


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """What a detector is asked for; one that cannot do a thing leaves it."""

    use: Use = "video"
    model: Path | None = None
    """The detector's own model file; None for the one that it brings."""
    cascade: Path | None = None
    """Cascade file (XML) of the detector haar; None for the one that came with OpenCV."""
    min_face_px: int = 24
    """Side in pixels of the picture under which faces are left out; the search is as fine as this asks for."""
    max_faces: int = 20
    """At most this many faces per picture, the largest first; bounds the work that one picture can cause."""
    detect_width: int | None = None
    """Width in pixels that wider pictures are shrunk to for the finest search; None for what `min_face_px` needs."""
    scale_factor: float = 1.2
    """Ratio of one search size to the next of the detector haar, above 1; smaller is more thorough and slower."""

    @classmethod
    def for_pictures(
        cls, *, model: Path | None = None, cascade: Path | None = None, min_face_px: int = 16
    ) -> DetectorSettings:
        """Settings for stills: nearly full resolution, small faces, many of them."""
        return cls("pictures", model, cascade, min_face_px, max_faces=200, scale_factor=1.1)

    def __post_init__(self) -> None:
        """Refuse what no detector can do.

        Raises:
            ConfigError: a value is out of range; the message names it.
        """
        limits: tuple[tuple[str, float | None, float, float], ...] = (
            ("min_face_px", self.min_face_px, 1, 10_000),
            ("max_faces", self.max_faces, 1, 1000),
            ("detect_width", self.detect_width, 24, 10_000),
            ("scale_factor", self.scale_factor, 1.01, 3.0),
        )
        for name, value, low, high in limits:
            if value is not None and not low <= value <= high:
                raise ConfigError(f"{name} must be from {low:g} to {high:g}, not {value:g}")
