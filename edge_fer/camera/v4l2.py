"""Cameras by Video4Linux2: USB and laptop cameras, by number, device file or by-id name."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from edge_fer.camera._newest import NewestFrameReader
from edge_fer.camera._opencv import Capture, positive
from edge_fer.errors import SourceError
from edge_fer.types import SourceInfo

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.camera.settings import CameraSettings

DEVICES = Path("/dev")


def open_v4l2(
    text: str,
    settings: CameraSettings,
    make_capture: Callable[[str], Capture] | None = None,
    devices: Path = DEVICES,
    *,
    wait: bool = True,
    name: StableName | None = None,
) -> NewestFrameReader:
    """Open a camera and wait for its first frame.

    Args:
        text: number ("0"), device file ("/dev/video0") or stable name ("/dev/v4l/by-id/…").
        settings: size and rate to ask for; what was obtained stands in `info`.
        make_capture: opens a device file; `cv2.VideoCapture` where not given.
        devices: the folder of device files.
        wait: for the first frame; else `read` reports the outcome.
        name: what is known of the camera from before.

    Raises:
        SourceError: there is no such camera, it may not be used, is busy, or gives no frame.
    """
    name = name or StableName(text, devices)
    named = name.current()
    check_device(named, devices)
    # The stable name is a link to a number that may change: resolved here, once for each opening.
    device = str(named.resolve())

    def open_capture() -> Capture:
        try:
            capture = (make_capture or capture_of)(device)
        except cv2.error as error:
            raise SourceError(refusal(named)) from error
        if not capture.isOpened():
            capture.release()
            raise SourceError(refusal(named))
        ask(capture, settings)
        return capture

    def describe(capture: Capture) -> SourceInfo:
        name.current()  # udev has made the links by now
        return SourceInfo(
            name=str(name.path),
            live=True,
            width=None,
            height=None,
            fps=positive(capture.get(cv2.CAP_PROP_FPS), 1000.0),
            requested_width=settings.width,
            requested_height=settings.height,
            requested_fps=settings.fps,
        )

    hint = "another program may use it, or it is a node without pictures: close that program or try the next number"
    return NewestFrameReader(
        open_capture, describe, hint, str(name.path), settings.open_timeout_seconds if wait else None
    )


class StableName:
    """What a camera is called, and the name in /dev/v4l/by-id that it keeps when it comes back under another number."""

    def __init__(self, text: str, devices: Path = DEVICES) -> None:
        """Take what the user calls the camera.

        Args:
            text: as for `open_v4l2`.
            devices: the folder of device files.
        """
        self.path = device_path(text, devices)
        """As the user calls it."""
        self._links = devices / "v4l" / "by-id"
        self._stable: Path | None = None

    def current(self) -> Path:
        """Where to find it: by its stable name, once it was there and had one."""
        if self._stable is None and self.path.parent != self._links:
            self._stable = self._link()
        return self._stable or self.path

    def _link(self) -> Path | None:
        try:
            device = self.path.resolve(strict=True)
            return min((link for link in self._links.iterdir() if link.resolve() == device), default=None)
        except (OSError, RuntimeError):  # no such camera, no links at all, or links in a circle
            return None


def device_path(text: str, devices: Path = DEVICES) -> Path:
    """The device file, or the stable name of it, that a number or path means; it need not exist."""
    return devices / f"video{int(text)}" if text.isascii() and text.isdigit() else Path(text)


def check_device(device: Path, devices: Path) -> None:
    """Raise a SourceError that names the way out where a device file is missing or may not be used."""
    if not device.exists():
        present = sorted(devices.glob("video[0-9]*"), key=lambda path: int(re.sub(r"\D", "", path.name) or 0))
        others = f"cameras here: {', '.join(map(str, present))}" if present else "no camera is connected"
        raise SourceError(f"no camera {device}; {others} (`demo` needs none)")
    if not os.access(device, os.R_OK | os.W_OK):
        raise SourceError(f"not allowed to use {device}; add yourself to its group: sudo usermod -aG video $USER")


def refusal(device: Path) -> str:
    """What to say when a device file is there but does not open."""
    return (
        f"cannot open camera {device}: another program uses it, or it gives no pictures; "
        f"see who with `fuser -v {device}`, or try the next number"
    )


def capture_of(device: str) -> Capture:
    """Open a device file with OpenCV's V4L2 backend."""
    number = re.fullmatch(r"/dev/video(\d+)", device)
    return cv2.VideoCapture(int(number[1]) if number else device, cv2.CAP_V4L2)


def ask(capture: Capture, settings: CameraSettings) -> None:
    """Ask for MJPG, which lets USB 2 carry full rates, for size and rate, and for one buffer, so none grows old."""
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.height)
    capture.set(cv2.CAP_PROP_FPS, settings.fps)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
