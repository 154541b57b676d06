"""What the FFmpeg inside OpenCV may open: the only place where a name is given to it.

FFmpeg chooses among hundreds of formats by content, and some of them are scripts and lists by which a file makes it
open other files and addresses. Two lists of what is allowed keep it to plain video; OpenCV takes them from an
environment variable, each time it opens something (FFmpeg's options `format_whitelist` and `protocol_whitelist`).
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from edge_fer.camera import _opencv as _opencv  # silences OpenCV's own messages, before OpenCV is loaded
from edge_fer.ffmpeg_formats import FILE_FORMATS, FILE_PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import cv2

VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
STREAM_FORMATS, STREAM_PROTOCOLS = "rtsp,mpegts", "rtsp,rtp,rtcp,srtp,udp,tcp,tls"
"""What RTSP needs. HTTP is read by our own client."""
PREFER_TCP = "rtsp_flags;prefer_tcp"
"""What OpenCV asks for where the variable is not set."""

_changing = threading.Lock()


def options(given: str | None, *, stream: bool = False) -> str:
    """The value of the variable: what the user has set, but for the two lists, which are ours.

    >>> options("rtsp_transport;udp").split("|")[0]
    'rtsp_transport;udp'

    Args:
        given: what the variable is now.
        stream: for RTSP, else for files.
    """
    kept = [one for one in (given or PREFER_TCP).split("|") if "whitelist" not in one.partition(";")[0]]
    formats, protocols = (STREAM_FORMATS, STREAM_PROTOCOLS) if stream else (FILE_FORMATS, FILE_PROTOCOLS)
    return "|".join((*kept, f"format_whitelist;{formats}", f"protocol_whitelist;{protocols}"))


def restrict_process(source: str) -> None:
    """Set the variable for good, in a process of ours with one source: best not changed while threads run."""
    os.environ[VARIABLE] = options(os.environ.get(VARIABLE), stream=is_stream(source))


def is_stream(source: object) -> bool:
    """Whether FFmpeg has to go to the network for it."""
    return isinstance(source, str) and source[:5].lower() in ("rtsp:", "rtsps")


def open_capture(source: object, parameters: Sequence[int] = ()) -> cv2.VideoCapture:
    """Open something; whether that went well, the capture says.

    Args:
        source: absolute path, or RTSP address; or a Python object that is read as a file, which must outlive the
            capture and never raise.
        parameters: pairs of a property of OpenCV and its value.

    Raises:
        cv2.error: OpenCV refuses the name.
    """
    given, stream = os.environ.get(VARIABLE), is_stream(source)
    if given == options(given, stream=stream):
        return _open(source, parameters)
    with _changing:
        # In the process of a library's user, whose own captures are no business of ours.
        given = os.environ.get(VARIABLE)
        os.environ[VARIABLE] = options(given, stream=stream)
        try:
            return _open(source, parameters)
        finally:
            if given is None:
                del os.environ[VARIABLE]
            else:
                os.environ[VARIABLE] = given


def _open(source: Any, parameters: Sequence[int]) -> cv2.VideoCapture:
    import cv2

    return cv2.VideoCapture(source, cv2.CAP_FFMPEG, list(parameters))
