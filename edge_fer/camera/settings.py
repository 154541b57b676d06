"""How sources are opened."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from edge_fer.camera.film_part import FilmPart
from edge_fer.camera.turning import Turning
from edge_fer.config.setting import Setting, check_ranges
from edge_fer.settings import FPS, SNAPSHOT_FPS, LimitOptions, SourceOptions, ranges

_ASKED = SourceOptions()
_WIDTH, _HEIGHT, _FPS, _STALL = ranges(SourceOptions, "width", "height", "fps", "stall_seconds")
_SECONDS = Setting("number", "", lowest=0.01, highest=3600)
_RANGES = (
    _WIDTH,
    _HEIGHT,
    _FPS,
    replace(_FPS, name="snapshot_fps", lowest=0.001),
    replace(_SECONDS, name="open_timeout_seconds"),
    # Shorter than an option may be, for programs that know their camera.
    replace(_SECONDS, name=_STALL.name),
    Setting("integer", "", name="max_picture_px", lowest=1, highest=2**30),
)


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """What is asked of a camera, and how long and how much is allowed.

    Raises:
        ConfigError: a value is out of range; the message names it.
    """

    width: int = _ASKED.width
    """Width in pixels that a camera is asked for; it may give another, see `SourceInfo`."""
    height: int = _ASKED.height
    """Height in pixels that a camera is asked for."""
    fps: float = FPS
    """Frames per second that a camera is asked for."""
    snapshot_fps: float = SNAPSHOT_FPS
    """Requests per second to an address that gives one picture at a time."""
    password: str | None = field(default=None, repr=False)
    """For the user in a network address, or for `{password}` in it."""
    open_timeout_seconds: float = 10.0
    """How long a camera or stream may take from opening to its first frame."""
    stall_seconds: float = _ASKED.stall_seconds
    """How long a camera or stream may give nothing, or nothing new, before it counts as lost."""
    max_picture_px: int = round(LimitOptions().max_megapixels * 1e6)
    """Pictures with more pixels are refused before they are decoded."""
    part: FilmPart = field(default_factory=FilmPart)
    """Which frames of a film are read."""
    turning: Turning = field(default_factory=Turning)
    """How frames are turned before anything looks at them."""
    find_rotation: bool = False
    """Find out how the camera hangs: the turn in which there are faces is taken."""
    demo_repeat: bool = False
    """Let the demo start over instead of ending."""
    demo_realtime: bool = False
    """Let the demo take the time that it shows, instead of giving frames as fast as they are asked for."""

    def __post_init__(self) -> None:
        """Refuse values that no source can use."""
        check_ranges(self, _RANGES)
