"""Cameras and streams: which names mean them, and how they are opened to be watched over."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.camera._in_thread import InThread
from edge_fer.camera.supervisor import SupervisedSource
from edge_fer.types import SourceInfo

if TYPE_CHECKING:
    from edge_fer.camera.settings import CameraSettings
    from edge_fer.camera.v4l2 import StableName
    from edge_fer.protocols import Clock, FrameSource

CSI_CAMERA = re.compile(r"rpicam(?::(\d{1,2}))?")
STREAM = re.compile(r"(?:rtsps?|https?)://", re.IGNORECASE)


def is_live(text: str) -> bool:
    """Whether a name means a camera or a stream and not a file: a number, a device, `rpicam`, a network address."""
    return bool(STREAM.match(text) or CSI_CAMERA.fullmatch(text)) or is_v4l2(text)


def is_v4l2(text: str) -> bool:
    """Whether a name means a Video4Linux2 camera; a file or folder in /dev, as in /dev/shm, is none."""
    if text.isascii() and text.isdigit():
        return True
    path = Path(text)
    return text.startswith("/dev/") and not path.is_file() and not path.is_dir()


def open_live(
    text: str, settings: CameraSettings, *, wait: bool = True, known: StableName | None = None
) -> FrameSource:
    """Open a camera or stream.

    Args:
        text: a name for which `is_live` is true.
        settings: what to ask of it.
        wait: for its first frame; else `read` reports the outcome.
        known: what is known of a Video4Linux2 camera from before.

    Raises:
        SourceError: it cannot be opened; one line that names it and the way out.
    """
    # Imported here: a camera needs no reader of streams.
    if STREAM.match(text):
        from edge_fer.camera.streams import open_stream

        return open_stream(text, settings, wait=wait)
    if CSI_CAMERA.fullmatch(text):
        from edge_fer.camera.rpicam import open_rpicam

        return open_rpicam(text, settings, wait=wait)
    from edge_fer.camera.v4l2 import open_v4l2

    return open_v4l2(text, settings, wait=wait, name=known)


def open_watched(text: str, settings: CameraSettings, clock: Clock, *, wait: bool) -> FrameSource:
    """Open a camera or stream so that it is opened again whenever it fails.

    Args:
        text: a name for which `is_live` is true.
        settings: what to ask of it.
        clock: for all waiting.
        wait: take a source that is not there yet, too; it is opened with the first `read`.

    Returns:
        A `SupervisedSource`; or a video with an end, where the address turns out to be one.

    Raises:
        SourceError: it cannot be opened, and `wait` is False.
    """
    name = info_before(text, settings).name
    known = None if STREAM.match(text) or CSI_CAMERA.fullmatch(text) else stable_name(text)
    first = (
        None
        if wait
        else InThread.wait_for(
            lambda: open_live(text, settings, known=known), f"open {name}", lambda opened: opened.close()
        )
    )
    if first is not None and not first.info.live:
        return first
    return SupervisedSource(
        lambda: open_live(text, settings, wait=False, known=known),
        info_before(text, settings),
        stall_seconds=settings.stall_seconds,
        patience_seconds=settings.open_timeout_seconds,
        clock=clock,
        first=first,
        device=None if known is None else known.current,
    )


def info_before(text: str, settings: CameraSettings) -> SourceInfo:
    """What is known of a source that was never open."""
    if STREAM.match(text):
        from edge_fer.camera.streams import redacted

        return SourceInfo(redacted(text), live=True, width=None, height=None, fps=None)
    name = text if CSI_CAMERA.fullmatch(text) else str(stable_name(text).path)
    asked = (settings.width, settings.height, settings.fps)
    return SourceInfo(name, True, None, None, None, *asked)


def stable_name(text: str) -> StableName:
    """What a Video4Linux2 camera is called."""
    from edge_fer.camera.v4l2 import StableName

    return StableName(text)
