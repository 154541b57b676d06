"""What a trained model expects of a picture: said by its sidecar file, by the user, or guessed with a note."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_fer.errors import ConfigError
from edge_fer.types import ColourOrder, InputSpec

if TYPE_CHECKING:
    from pathlib import Path

SCALES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "0..255": ((0.0,), (1.0,)),
    "1/255": ((0.0,), (255.0,)),
    "-1..1": ((127.5,), (127.5,)),
    # Means and deviations of ImageNet's training pictures in RGB, as torchvision and Keras ("torch" mode) use them.
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
}
"""Mean and standard deviation in pixel units, by the name under which people know them."""
_ALIKE = 0.15
"""Share of the width by which the ends of two ranges may differ: calibration pictures are seldom black and white."""
PER_PICTURE = "per-picture"
"""The scale of models that take each picture by its own mean and deviation."""


@dataclass(frozen=True, slots=True)
class InputOptions:
    """What the user says of a model's input and output; None where nothing was said."""

    labels: tuple[str, ...] | None = None
    scale: str | None = None
    """A key of `SCALES`, `PER_PICTURE`, or MEAN,STD in pixel units."""
    colour: ColourOrder | None = None
    output: str | None = None
    """Name of the output to take where the model has several."""
    architecture: Path | None = None
    """A model.json, where the file holds weights alone."""
    trust_model: bool = False
    """True to load a model that holds code or reaches for other files."""
    prior_correction: float | None = None
    """Strength, 0 to 1, with which the classes' frequencies in training are divided out of the model."""
    prior: str | None = None
    """Those frequencies, as counts or shares divided by commas, where the model's manifest does not hold them."""
    label_guess: tuple[str, ...] | None = None
    """Classes of the check data, to be assumed where neither `labels` nor a sidecar names the model's."""


def parse_scale(text: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation in pixel units for a `--scale` value.

    Raises:
        ConfigError: it is neither a known name nor MEAN,STD with STD above 0.
    """
    if text == PER_PICTURE:
        return SCALES["0..255"]
    if text in SCALES:
        return SCALES[text]
    try:
        mean, std = (float(part) for part in text.split(","))
    except ValueError:
        mean, std = 0.0, 0.0
    if not (math.isfinite(mean) and math.isfinite(std) and std > 0.0):
        raise ConfigError(
            f"unknown scale {text!r}: use {', '.join((*SCALES, PER_PICTURE))}, or MEAN,STD such as 129,64"
        )
    return (mean,), (std,)


def scale_within(low: float, high: float) -> str:
    """The scale, as for `--scale`, with which pixels of 0 to 255 fill what an 8- or 16-bit input holds best.

    Args:
        low: the lowest number that the input holds.
        high: the highest.
    """
    known = {name: ((0.0 - mean[0]) / std[0], (255.0 - mean[0]) / std[0]) for name, (mean, std) in SCALES.items()}
    width = high - low
    apart = {
        name: max(abs(ends[0] - low), abs(ends[1] - high)) / width
        for name, ends in known.items()
        if len(SCALES[name][0]) == 1
    }
    nearest = min(apart, key=lambda name: apart[name])
    if apart[nearest] <= _ALIKE:
        return nearest
    return f"{-low * 255.0 / width:g},{255.0 / width:g}"


def input_spec(width: int, height: int, channels: int, scale: str, colour: ColourOrder | None) -> InputSpec:
    """The input of a model of that size.

    Raises:
        ConfigError: colour or scale do not go with the number of channels.
    """
    mean, std = parse_scale(scale)
    chosen: ColourOrder = colour or ("grey" if channels == 1 else "rgb")
    if (chosen == "grey") != (channels == 1):
        raise ConfigError(f"the model takes {channels} channels, which is not {chosen}: leave --colour away")
    if len(mean) > channels:
        raise ConfigError(f"scale {scale!r} is for colour pictures, the model takes grey ones: use MEAN,STD")
    if chosen == "bgr":
        mean, std = mean[::-1], std[::-1]
    return InputSpec(width, height, chosen, mean, std, standardise=scale == PER_PICTURE)
