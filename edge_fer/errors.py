"""Every error that edge-fer raises on purpose, and the exit code that the command line ends with.

    EdgeFerError            1    the work failed
    ├── ConfigError        78    a setting is unknown, of the wrong type or out of range
    │   └── MissingExtra    1    a command needs an extra that is not installed
    ├── ModelError          4    a model file or its manifest is unusable
    ├── SourceError         3    no camera or input could be opened or decoded
    │   ├── SourceTimeout   3    no frame within the time asked for: try again
    │   ├── SourceLost      3    the source broke: close it and open it again
    │   ├── EndOfStream     3    the source is finished: nothing more will come
    │   ├── NotAPicture     3    these bytes are no picture of a kind that is read
    │   └── PictureTooLarge 3    a picture has more pixels than allowed
    ├── SinkError           1    a result could not be written or sent
    ├── OutputClash         2    an output of a command is one of its inputs, or another output
    └── ServiceError        1    the service manager is missing, refuses, or could not start the service

Messages are one line: they name the thing and the way out.
"""

from __future__ import annotations

from typing import ClassVar

from edge_fer.escaping import for_terminal as one_line

__all__ = [
    "OPENCV_NO_MEMORY", "ConfigError", "EdgeFerError", "EndOfStream", "MissingExtra", "ModelError", "NotAPicture",
    "OutputClash", "PictureTooLarge", "ServiceError", "SinkError", "SourceError", "SourceLost", "SourceTimeout",
    "lacks_memory", "one_line",
]  # fmt: skip

OPENCV_NO_MEMORY = -4
"""`code` of a cv2.error; stated here, because OpenCV need not be loaded."""


def lacks_memory(error: BaseException) -> bool:
    """Whether Python or OpenCV raised this because there was not enough memory."""
    return isinstance(error, MemoryError) or getattr(error, "code", None) == OPENCV_NO_MEMORY


class EdgeFerError(Exception):
    """Base of all errors that edge-fer raises on purpose."""

    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        """The message in one line, whatever the names in it hold."""
        return one_line(super().__str__())


class ConfigError(EdgeFerError):
    """A setting is unknown, of the wrong type or out of range."""

    exit_code = 78


class MissingExtra(ConfigError):
    """A part needs a package that is not installed; the message names the extra that brings it."""

    exit_code = 1

    def __init__(self, what: str, extra: str) -> None:
        from edge_fer.installation import install_command

        super().__init__(f"{what} needs the extra {extra!r}: {install_command(extra)}")
        self.extra = extra


class ModelError(EdgeFerError):
    """A model file or its manifest cannot be used."""

    exit_code = 4


class SourceError(EdgeFerError):
    """A camera, stream, video or picture cannot be opened or decoded."""

    exit_code = 3


class SourceTimeout(SourceError):
    """No frame arrived within the time asked for; the source is still open and may be asked again."""


class SourceLost(SourceError):
    """The source broke and will not recover by itself; close it and open it again."""


class EndOfStream(SourceError):
    """The source is finished; no further frame will come."""


class NotAPicture(SourceError):
    """Bytes that are no picture of a kind that is read."""

    def __init__(self, message: str, reason: object = None) -> None:
        super().__init__(message)
        self.reason = reason
        """What they are instead, a `Reason` of `camera.left_out`; None where unknown."""


class PictureTooLarge(SourceError):
    """A picture has more pixels than allowed."""


class SinkError(EdgeFerError):
    """A result could not be written or sent."""


class OutputClash(EdgeFerError):
    """An output of a command is one of its inputs, or another output; nothing was written."""

    exit_code = 2


class ServiceError(EdgeFerError):
    """The service manager is missing, refuses, or could not start the service."""
