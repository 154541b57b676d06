"""How sources are opened."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from edge_fer.camera.film_part import FilmPart
from edge_fer.camera.turning import Turning
from edge_fer.errors import ConfigError


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """What is asked of a camera, and how long and how much is allowed.

    Raises:
        ConfigError: a value is out of range; the message names it.
    """

    width: int = 640
    """Width in pixels that a camera is asked for; it may give another, see `SourceInfo`."""
    height: int = 480
    """Height in pixels that a camera is asked for."""
    fps: float = 30.0
    """Frames a second that a camera is asked for."""
    snapshot_fps: float = 5.0
    """How often, in questions a second, an address is asked that gives one picture at a time."""
    password: str | None = field(default=None, repr=False)
    """For the user in a network address, or for `{password}` in it."""
    open_timeout_seconds: float = 10.0
    """How long a camera or stream may take from opening to its first frame."""
    stall_seconds: float = 5.0
    """How long a camera or stream may give nothing, or nothing new, before it counts as lost."""
    max_picture_px: int = 51_000_000
    """Pictures with more pixels are refused before they are decoded."""
    part: FilmPart = field(default_factory=FilmPart)
    """Which frames of a film are read."""
    turning: Turning = field(default_factory=Turning)
    """How frames are turned before anything looks at them."""
    find_rotation: bool = False
    """Find out how the camera hangs: the turn in which there are faces is taken."""
    demo_repeat: bool = False
    """Let the demo go round for ever instead of ending."""
    demo_realtime: bool = False
    """Let the demo take the time that it shows, instead of giving frames as fast as they are asked for."""

    def __post_init__(self) -> None:
        """Refuse values that no source can use."""
        limits: tuple[tuple[str, float, float, float], ...] = (
            ("width", self.width, 16, 16_384),
            ("height", self.height, 16, 16_384),
            ("fps", self.fps, 0.1, 1000.0),
            ("snapshot_fps", self.snapshot_fps, 0.001, 1000.0),
            ("open_timeout_seconds", self.open_timeout_seconds, 0.01, 3600.0),
            ("stall_seconds", self.stall_seconds, 0.01, 3600.0),
            ("max_picture_px", self.max_picture_px, 1, 2**30),
        )
        for name, value, lowest, highest in limits:
            if not (math.isfinite(value) and lowest <= value <= highest):
                raise ConfigError(f"{name} is {value}; it must be from {lowest:g} to {highest:g}")
