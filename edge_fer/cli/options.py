"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

Function = TypeVar("Function", bound="Callable[..., Any]")


max_megapixels_option = click.option(
    "--max-megapixels",
    type=click.FloatRange(0.001, 1000),
    default=51,
    show_default=True,
    help="Refuse pictures and videos with more pixels, before they are decoded.",
)
"""Limits what a file may cost; 51 million pixels take 153 MB, and a telephone's 50 megapixels are 50.3 million."""


def add_options(function: Function, *options: Callable[[Function], Function]) -> Function:
    """The command with these options, which its help lists in this order."""
    for option in reversed(options):
        function = option(function)
    return function


def engine_options(function: Function) -> Function:
    """Add --backend, --model and --threads."""
    options = (
        click.option(
            "--backend",
            type=click.Choice(["auto", "onnx", "litert"]),
            default="auto",
            show_default=True,
            help="The engine that runs the model; auto takes what is fastest on this kind of processor.",
        ),
        click.option(
            "--model",
            type=click.Path(path_type=Path),
            metavar="PATH",
            help="A .tflite or .onnx file with its manifest, or a bundled model: small (the default) or nano.",
        ),
        click.option(
            "--threads",
            type=click.IntRange(1, 256),
            default=1,
            show_default=True,
            help="Threads that the engine may use.",
        ),
    )
    return add_options(function, *options)
