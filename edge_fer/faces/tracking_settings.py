"""How often to search, how closely to follow and when to give up: one set of numbers, and three presets of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge_fer.config.setting import Setting, check_ranges
from edge_fer.settings import FollowingOptions, ranges

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_fer.settings import Preset


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
    "fast": PresetValues(30, 5, 8, 2, 4, 1.25, 48),
    "balanced": PresetValues(12, 3, 4, 3, 3, 1.2, 24),
    "thorough": PresetValues(5, 2, 2, 20, 1, 1.1, 16),
}
"""From least work to most; figures for each are in docs/tuning.md."""

_BALANCED, _ASKED = PRESETS["balanced"], FollowingOptions()
_DETECT_EVERY, *_OTHERS = ranges(FollowingOptions, "detect_every", "forget_seconds", "idle_fps", "max_faces")
_RANGES = (
    _DETECT_EVERY,
    *_OTHERS,
    replace(_DETECT_EVERY, name="search_every"),
    Setting("integer", "", name="look_every", lowest=1, highest=100),
    Setting("integer", "", name="read_every", lowest=1, highest=100),
    Setting("integer", "", name="looks_a_frame", lowest=1, highest=1000),
    Setting("number", "", name="bridge_seconds", lowest=0, highest=60),
    Setting("number", "", name="idle_after_seconds", lowest=0, highest=3600),
)


@dataclass(frozen=True, slots=True)
class TrackingSettings:
    """How faces are followed; the defaults are those of the preset `balanced`."""

    detect_every: int = _BALANCED.detect_every
    """The whole frame is searched once in this many frames while all faces are in sight; at least 1."""
    search_every: int = _BALANCED.search_every
    """The same while no face is in sight, or shortly after one was lost; at least 1."""
    look_every: int = _BALANCED.look_every
    """A cascade looks at each face again once in this many frames; in between its template is followed."""
    looks_a_frame: int = _BALANCED.looks_a_frame
    """At most this many faces are looked at by a cascade in one frame, the longest unseen first."""
    bridge_seconds: float = 1.0
    """A face on which all cascades are silent is shown for this long by its template alone."""
    forget_seconds: float = _ASKED.forget_seconds
    """A face that was out of sight for longer gets a new id."""
    idle_fps: float = _ASKED.idle_fps
    """Searches per second while nothing moves and no face is in sight; 0 searches only when something moves."""
    idle_after_seconds: float = 2.0
    """How long nothing must move, with no face in sight, before the scene counts as idle."""
    read_every: int = _BALANCED.read_every
    """A face that neither moves nor changes is read once in this many frames; at least 1."""
    max_faces: int = _ASKED.max_faces
    """At most this many faces are followed."""

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            ConfigError: a value is out of range; the message names it.
        """
        check_ranges(self, _RANGES)
