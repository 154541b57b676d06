"""From what the user wrote to an open source of frames."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.camera.live import is_live, open_live
from edge_fer.camera.settings import CameraSettings
from edge_fer.errors import SourceError
from edge_fer.registry import SOURCES, create, names

if TYPE_CHECKING:
    from edge_fer.protocols import FrameSource

__all__ = ["CameraSettings", "open_source"]

PICTURE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""Names of files whose content is neither picture nor video that are reported as pictures, and not as videos."""
ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")


def open_source(text: str, settings: CameraSettings | None = None) -> FrameSource:
    """Open a source of frames by its name.

    Args:
        text: `demo`; a camera as number, /dev/videoN or /dev/v4l/by-id/…; an rtsp:// or http:// address; or the path of
            a picture, a folder of pictures or a video; or NAME:TEXT for a source that another package brings.
        settings: what to ask of it; the defaults where not given.

    Raises:
        SourceError: it cannot be opened; one line that names it and the way out.
    """
    # Imported here: a camera needs no video reader, and none of them the demo's faces.
    settings = settings or CameraSettings()
    if is_live(text):
        return open_live(text, settings)
    if ADDRESS.match(text):
        from edge_fer.camera.streams import SCHEMES, redacted

        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise SourceError(f"unknown kind of address: {redacted(text)}; give {known} or a path")
    if text == "demo":
        from edge_fer.camera.demo import DemoSource

        return DemoSource(repeat=settings.demo_repeat, realtime=settings.demo_realtime)
    if not text:
        raise SourceError("no source named; give a camera number, a file, an address or `demo`")
    name, colon, rest = text.partition(":")
    if colon and not _is_there(text) and name in names(SOURCES):
        source: FrameSource = create(SOURCES, name, "source", rest, settings)
        return source
    return open_path(Path(text), settings)


def _is_there(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):  # too long, or with a byte that no name has
        return False


def open_path(path: Path, settings: CameraSettings, *, recursive: bool = False) -> FrameSource:
    """Open a picture, a video, or a folder of them; the first bytes decide."""
    from edge_fer.camera.files import is_video_file, open_files, open_picture, start_of
    from edge_fer.camera.picture_headers import looks_like_picture
    from edge_fer.camera.videos import open_video

    try:
        is_folder = path.is_dir()
    except (OSError, ValueError):
        is_folder = False
    if is_folder:
        return open_files([path], settings, recursive=recursive)
    start = start_of(path)
    is_video = is_video_file(path, start)
    if not is_video and (looks_like_picture(start) or path.suffix.lower() in PICTURE_SUFFIXES):
        return open_picture(path, settings)
    return open_video(path, settings.max_picture_px, settings.part)
