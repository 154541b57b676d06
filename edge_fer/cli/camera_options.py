"""Options that say what is asked of a camera, and what is done when it is not there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_fer.cli.options import Function, add_options

if TYPE_CHECKING:
    from edge_fer.camera.settings import CameraSettings
    from edge_fer.camera.turning import Turning

DEFAULT_FPS, DEFAULT_SNAPSHOT_FPS = 30.0, 5.0
SOURCE_CREDENTIAL = "source-password"
"""Name of the credential that a systemd unit loads with `LoadCredential=source-password:/path`."""
CSI_CAMERA = "rpicam"
"""What `--camera` calls a camera on a Raspberry Pi's camera connector."""


def camera_options(function: Function) -> Function:
    """Add --camera, --width, --height, --fps and what else is asked of a source."""
    options = (
        click.option(
            "--camera",
            metavar="N|DEVICE|rpicam",
            help="Camera: a number, /dev/videoN, a name in /dev/v4l/by-id, or rpicam for a Raspberry Pi camera module.",
        ),
        click.option(
            "--width", type=click.IntRange(16, 16_384), default=640, show_default=True, help="Asked of the camera."
        ),
        click.option(
            "--height", type=click.IntRange(16, 16_384), default=480, show_default=True, help="Asked of the camera."
        ),
        click.option(
            "--fps",
            type=click.FloatRange(0.1, 1000),
            help="Asked of the camera, 30 by default; questions a second to an address with one picture, 5 by default.",
        ),
        click.option(
            "--source-password-file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="File with the password of an IP camera, whose user stands in its address; systemd's credential "
            "source-password is used without it.",
        ),
        click.option(
            "--stall-seconds",
            type=click.FloatRange(0.5, 3600),
            default=5.0,
            show_default=True,
            help="Reconnect after this many seconds without a new frame.",
        ),
        click.option(
            "--wait/--no-wait",
            default=False,
            help="Wait for a camera or stream that is not there at the start, as is done for one that goes away.",
        ),
    )
    return add_options(turning_options(function), *options)


AUTO = "auto"
"""Value of --rotate that leaves it to the faces."""


def turning_options(function: Function) -> Function:
    """Add --rotate and --flip."""
    options = (
        click.option(
            "--rotate",
            type=click.Choice(["0", "90", "180", "270", "auto"]),
            default="0",
            show_default=True,
            help="Degrees clockwise by which to rotate the picture of a camera that hangs sideways or upside down; "
            "auto takes the turn in which there are faces.",
        ),
        click.option(
            "--flip",
            type=click.Choice(["none", "horizontal", "vertical", "both"]),
            default="none",
            show_default=True,
            help="Mirror the picture: horizontal exchanges left and right, vertical top and bottom; after --rotate.",
        ),
    )
    return add_options(function, *options)


def turning(options: dict[str, Any]) -> Turning:
    """How pictures are turned, by --rotate and --flip."""
    from edge_fer.camera.turning import Turning

    rotate: Any = 0 if options["rotate"] == AUTO else int(options["rotate"])
    return Turning(rotate, options["flip"])


def camera_settings(source: str, options: dict[str, Any], *, realtime: bool, repeat: bool = False) -> CameraSettings:
    """What is asked of a source; `realtime` lets the demo take the time that it shows, `repeat` go round for ever."""
    from edge_fer.camera.settings import CameraSettings

    return CameraSettings(
        width=options["width"],
        height=options["height"],
        fps=options["fps"] or DEFAULT_FPS,
        snapshot_fps=options["fps"] or DEFAULT_SNAPSHOT_FPS,
        password=source_password(source, options["source_password_file"]),
        stall_seconds=options["stall_seconds"],
        max_picture_px=round(options["max_megapixels"] * 1e6),
        turning=turning(options),
        find_rotation=options["rotate"] == AUTO,
        demo_realtime=realtime,
        demo_repeat=repeat,
    )


def source_password(source: str, file: Path | None) -> str | None:
    """The password of an IP camera; None where the source is none, or needs none.

    Raises:
        ConfigError: the file is unusable, or there is no address whose password it could be.
    """
    from edge_fer.errors import ConfigError
    from edge_fer.passwords import read_password

    if "://" not in source:
        if file is None:
            return None
        raise ConfigError("--source-password-file is for an address of a camera, such as rtsp://USER@HOST/PATH")
    password = read_password(file, os.environ, SOURCE_CREDENTIAL, "camera's")
    login = source.partition("://")[2].partition("/")[0]
    # A credential may be there for another source than the one that is asked for now.
    return password if file is not None or "@" in login or "{password}" in source else None


def camera_name(text: str) -> str:
    """What `--camera` means: a number, a path and `rpicam` as they are, any other word a name in /dev/v4l/by-id."""
    is_plain = text.isdigit() or "/" in text or not text or text.partition(":")[0] == CSI_CAMERA
    return text if is_plain else f"/dev/v4l/by-id/{text}"
