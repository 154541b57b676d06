"""Options that say what is asked of a camera, and what is done when it is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from edge_fer.cli.options import Function, add_options

if TYPE_CHECKING:
    from edge_fer.camera.settings import CameraSettings
    from edge_fer.camera.turning import Turning

CSI_CAMERA = "rpicam"
"""What `--camera` calls a camera on a Raspberry Pi's camera connector."""


def camera_options(function: Function) -> Function:
    """Add --camera, --width, --height, --fps, --stall-seconds, --wait, --rotate and --flip."""
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
            "--fps", type=click.FloatRange(0.1, 1000), default=30, show_default=True, help="Asked of the camera."
        ),
        click.option(
            "--stall-seconds",
            type=click.FloatRange(0.5, 3600),
            default=5.0,
            show_default=True,
            help="A camera or stream that gives nothing new for so long is opened anew.",
        ),
        click.option(
            "--wait/--no-wait",
            default=False,
            help="Wait for a camera or stream that is not there at the start, as is done for one that goes away.",
        ),
    )
    return add_options(turning_options(function), *options)


def turning_options(function: Function) -> Function:
    """Add --rotate and --flip."""
    options = (
        click.option(
            "--rotate",
            type=click.Choice(["0", "90", "180", "270"]),
            default="0",
            show_default=True,
            help="Degrees clockwise by which to rotate the picture of a camera that hangs sideways or upside down.",
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

    rotate: Any = int(options["rotate"])
    return Turning(rotate, options["flip"])


def camera_settings(options: dict[str, Any], *, realtime: bool, repeat: bool = False) -> CameraSettings:
    """What is asked of the camera; `realtime` lets the demo take the time that it shows, `repeat` go round for ever."""
    from edge_fer.camera.settings import CameraSettings

    return CameraSettings(
        width=options["width"],
        height=options["height"],
        fps=options["fps"],
        stall_seconds=options["stall_seconds"],
        max_picture_px=round(options["max_megapixels"] * 1e6),
        turning=turning(options),
        demo_realtime=realtime,
        demo_repeat=repeat,
    )


def camera_name(text: str) -> str:
    """What `--camera` means: a number, a path and `rpicam` as they are, any other word a name in /dev/v4l/by-id."""
    is_plain = text.isdigit() or "/" in text or not text or text.partition(":")[0] == CSI_CAMERA
    return text if is_plain else f"/dev/v4l/by-id/{text}"
