"""What a camera that is watched over says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CameraState:
    """Whether frames come; replaced as a whole when it changes, so that any thread may read it."""

    up: bool
    """True while frames come."""
    since: float
    """When `up` last changed, in seconds of the monotonic clock."""
    reopened: int = 0
    """How often it was lost and then gave frames again."""
    last_error: str | None = None
    """Why it is down, or was last down, in one line; None where it never was."""
    bad_frames: int = 0
    """Frames that were thrown away because they were empty or of another size or shape than the first."""
