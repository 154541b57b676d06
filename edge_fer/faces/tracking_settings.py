"""How often to search, how closely to follow and when to give up: one set of numbers, and three presets of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from edge_fer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

Preset: TypeAlias = Literal["fast", "balanced", "thorough"]


@dataclass(frozen=True, slots=True)
class TrackingSettings:
    """How faces are followed; the defaults are those of the preset `balanced`."""

    detect_every: int = 12
    """The whole frame is searched every so many frames while all faces are in sight; at least 1."""
    search_every: int = 3
    """The same while no face is in sight, or shortly after one was lost; at least 1."""
    look_every: int = 4
    """A cascade looks at each face again every so many frames; in between its template is followed."""
    looks_a_frame: int = 3
    """At most so many faces are looked at by a cascade in one frame, the longest unseen first."""
    bridge_seconds: float = 1.0
    """A face on which all cascades are silent is shown for so long by its template alone."""
    forget_seconds: float = 2.0
    """A face that was out of sight for longer gets a new id."""
    idle_fps: float = 1.0
    """Searches a second while nothing moves and no face is in sight; 0 searches only when something moves."""
    idle_after_seconds: float = 2.0
    """How long nothing must move, with no face in sight, before the scene counts as idle."""
    read_every: int = 3
    """A face that neither moves nor changes is read in one of so many frames; at least 1."""
    max_faces: int = 20
    """At most this many faces are followed."""

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            ConfigError: a value is out of range; the message names it.
        """
        limits: tuple[tuple[str, float, float, float], ...] = (
            ("detect_every", self.detect_every, 1, 10_000),
            ("search_every", self.search_every, 1, 10_000),
            ("look_every", self.look_every, 1, 100),
            ("looks_a_frame", self.looks_a_frame, 1, 1000),
            ("bridge_seconds", self.bridge_seconds, 0, 60),
            ("forget_seconds", self.forget_seconds, 0, 3600),
            ("idle_fps", self.idle_fps, 0, 1000),
            ("idle_after_seconds", self.idle_after_seconds, 0, 3600),
            ("read_every", self.read_every, 1, 100),
            ("max_faces", self.max_faces, 1, 1000),
        )
        for name, value, low, high in limits:
            if not low <= value <= high:
                raise ConfigError(f"{name} must be from {low:g} to {high:g}, not {value:g}")


@dataclass(frozen=True, slots=True)
class PresetValues:
    """What a preset sets; each of them can still be given by itself."""

    detect_every: int
    search_every: int
    look_every: int
    looks_a_frame: int
    read_every: int
    scale_factor: float
    min_face_px: int


PRESETS: Mapping[Preset, PresetValues] = {
    "fast": PresetValues(20, 5, 6, 2, 4, 1.25, 48),
    "balanced": PresetValues(12, 3, 4, 3, 3, 1.2, 24),
    "thorough": PresetValues(5, 2, 2, 20, 1, 1.1, 16),
}
"""From least work to most; figures for each are in docs/tuning.md."""
