"""Options that say how faces are searched for and followed, and the presets behind them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_fer.cli.options import Function, add_options

if TYPE_CHECKING:
    from edge_fer.detectors import FaceSettings


def following_options(function: Function) -> Function:
    """Add --preset and the options that it sets, and those on ids, smoothing and idling."""
    options = (
        click.option(
            "--preset",
            type=click.Choice(["fast", "balanced", "thorough"]),
            default="balanced",
            show_default=True,
            help="Sets how often and how finely is searched; each of the options below can still be given.",
        ),
        click.option(
            "--detect-every", type=click.IntRange(1, 10_000), metavar="N", help="Search the whole frame every N frames."
        ),
        click.option(
            "--detect-width", type=click.IntRange(24, 10_000), metavar="PX", help="Search no picture wider than this."
        ),
        click.option(
            "--scale-factor",
            type=click.FloatRange(1.01, 3.0),
            metavar="RATIO",
            help="Step between the sizes searched; smaller is more thorough and slower.",
        ),
        click.option(
            "--min-face-px",
            type=click.IntRange(1, 10_000),
            metavar="PX",
            help="Ignore faces smaller than this, in pixels of the frame.",
        ),
        click.option(
            "--max-faces", type=click.IntRange(1, 1000), default=20, show_default=True, help="Follow no more than this."
        ),
        click.option(
            "--forget-seconds",
            type=click.FloatRange(0, 3600),
            default=2.0,
            show_default=True,
            help="A face out of sight for longer gets a new id.",
        ),
        click.option(
            "--smoothing",
            type=click.FloatRange(0, 60),
            default=0.3,
            show_default=True,
            metavar="SECONDS",
            help="Time constant over which scores are steadied; 0 turns it off.",
        ),
        click.option(
            "--idle-fps",
            type=click.FloatRange(0, 1000),
            default=1.0,
            show_default=True,
            help="Searches a second while nothing moves and no face is in sight.",
        ),
    )
    return add_options(function, *options)


def detector_options(function: Function) -> Function:
    """Add --detector, --detector-model and --cascade."""
    options = (
        click.option(
            "--detector",
            metavar="NAME",
            default="auto",
            show_default=True,
            help="What finds faces: yunet (extra yunet), haar (always there), or one that another package brings; "
            "auto takes yunet where it is installed.",
        ),
        click.option(
            "--detector-model",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Another model file for the detector, such as another YuNet (.onnx).",
        ),
        click.option(
            "--cascade", type=click.Path(path_type=Path), metavar="FILE", help="Another cascade (XML) for haar."
        ),
    )
    return add_options(function, *options)


def following_settings(options: dict[str, Any]) -> FaceSettings:
    """How to search and how to follow, from the options given and the preset for those that are not."""
    from edge_fer.detectors import FaceSettings
    from edge_fer.faces.detector_settings import DetectorSettings
    from edge_fer.faces.tracking_settings import PRESETS, TrackingSettings

    preset = PRESETS[options["preset"]]

    def chosen(name: str) -> Any:
        given = options[name]
        return getattr(preset, name) if given is None else given

    search = DetectorSettings(
        model=options["detector_model"],
        cascade=options["cascade"],
        detect_width=options["detect_width"],
        scale_factor=chosen("scale_factor"),
        min_face_px=chosen("min_face_px"),
        max_faces=options["max_faces"],
    )
    detect_every = chosen("detect_every")
    tracking = TrackingSettings(
        detect_every=detect_every,
        search_every=min(detect_every, preset.search_every),
        look_every=preset.look_every,
        looks_a_frame=preset.looks_a_frame,
        read_every=preset.read_every,
        forget_seconds=options["forget_seconds"],
        idle_fps=options["idle_fps"],
        max_faces=options["max_faces"],
    )
    return FaceSettings(options["detector"], search, tracking)
