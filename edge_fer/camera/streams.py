"""Streams by network address: RTSP and HTTP, through the FFmpeg inside OpenCV."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import cv2

from edge_fer.camera._newest import NewestFrameReader
from edge_fer.camera._opencv import Capture, positive
from edge_fer.camera.videos import VideoFile
from edge_fer.errors import SourceError
from edge_fer.types import SourceInfo

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.camera.settings import CameraSettings

SCHEMES = ("rtsp", "rtsps", "http", "https")
SECRET_PARAMETER = re.compile(
    r"([?&;#][^=&;#]*(?:pass|pwd|token|key|secret|auth|sig|cred|user|login)[^=&;#]*=)[^&;#]*", re.IGNORECASE
)


def redacted(address: str) -> str:
    """The address without user, password and secret-looking parameters, fit to be shown and stored.

    >>> redacted("rtsp://anna:secret@camera.local/live?token=1&size=2")
    'rtsp://***@camera.local/live?token=***&size=2'
    """
    scheme, separator, rest = address.partition("://")
    if not separator:
        return address
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        rest = "***@" + authority.rpartition("@")[2] + slash + path
    elif "@" in path and ":" in authority:
        # Either a port and an "@" in the path, or a password that contains a slash: taken for a password.
        rest = "***@" + path.rpartition("@")[2]
    return scheme + separator + SECRET_PARAMETER.sub(r"\1***", rest)


def open_stream(
    address: str, settings: CameraSettings, make_capture: Callable[[str], Capture] | None = None, *, wait: bool = True
) -> NewestFrameReader | VideoFile:
    """Open a network address and wait for its first frame; a video with an end is read as a file is.

    Args:
        address: rtsp://, rtsps://, http:// or https://; user and password in it are shown nowhere.
        settings: time-outs.
        make_capture: opens an address; `cv2.VideoCapture` where not given.
        wait: for the first frame; else `read` tells what came of it.

    Raises:
        SourceError: nothing answers, or what answers is no video.
    """
    name = redacted(address)
    hint = "check the address, the user and password in it, and that this machine reaches it"

    def default_capture(address: str) -> Capture:
        return cv2.VideoCapture(
            address,
            cv2.CAP_FFMPEG,
            [
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
                int(settings.open_timeout_seconds * 1000),
                cv2.CAP_PROP_READ_TIMEOUT_MSEC,
                int(settings.stall_seconds * 1000),
            ],
        )

    try:
        capture = (make_capture or default_capture)(address)
    except cv2.error:
        # Not chained: OpenCV's own message contains the address with its password.
        raise SourceError(f"cannot open {name}; {hint}") from None
    if not capture.isOpened():
        capture.release()
        raise SourceError(f"cannot open {name}; {hint}")
    if positive(capture.get(cv2.CAP_PROP_FRAME_COUNT)):
        return VideoFile(capture, name, settings.max_picture_px)

    def describe(capture: Capture) -> SourceInfo:
        return SourceInfo(name, live=True, width=None, height=None, fps=positive(capture.get(cv2.CAP_PROP_FPS), 1000.0))

    return NewestFrameReader(lambda: capture, describe, hint, name, settings.open_timeout_seconds if wait else None)
