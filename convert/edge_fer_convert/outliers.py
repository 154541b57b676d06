"""Calibration pictures that a network answers with values far beyond all others.

In a deep network without bounds (ResNet50) a rare picture, say one of hard black and white, can set off values a
thousand times those of the others. An int8 range that reaches so far leaves all other pictures a level or two. Without
such pictures the range fits the others, and those few are clipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_fer_convert.activations import open_activations
from edge_fer_convert.tensorflow_log import quiet_tensorflow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_fer.inference.manifest import Format
    from edge_fer.types import Image, InputSpec

TIMES_USUAL = 4.0
"""How far beyond the 90th percentile of the pictures one must reach. Measured on 500 faces of FER-2013: 2.3 times at
most in the bundled models, mini-Xception, MobileNet and MobileNetV2, 4.1 in ResNet50V2, 1139 in ResNet50."""
_USUAL_SHARE = 0.9
_MOST_LEFT_OUT = 0.05
"""More than these are no exceptions, and the range must hold them."""
_FEWEST_PICTURES = 20


@dataclass(frozen=True, slots=True)
class Outliers:
    """Pictures to leave out of a calibration."""

    places: tuple[int, ...]
    """Where they are among the pictures; empty where none stands out."""
    layer: str = ""
    """Where the worst of them reaches farthest beyond the others."""
    times_usual: float = 0.0
    """How far: its largest value there, divided by the 90th percentile of the pictures'."""


def outliers(data: bytes, file_format: Format, spec: InputSpec, images: Sequence[Image]) -> Outliers:
    """Run a float network and find the pictures that set off unusually large values somewhere in it.

    Args:
        data: the file of the float network.
        file_format: of the data.
        spec: its input.
        images: for calibration; of fewer than 20 none is found.
    """
    if len(images) < _FEWEST_PICTURES:
        return Outliers(())
    names, largest = _largest_values(data, file_format, spec, images)
    # What most pictures leave at 0 says nothing of a usual value.
    told = np.median(largest, axis=0) > 0.0
    usual = np.quantile(largest[:, told], _USUAL_SHARE, axis=0)
    times = largest[:, told] / usual
    found = np.flatnonzero((times > TIMES_USUAL).any(axis=1))
    if not 0 < len(found) <= _MOST_LEFT_OUT * len(images):
        return Outliers(())
    place = int(times.max(axis=0).argmax())
    layer = [name for name, kept in zip(names, told, strict=True) if kept][place]
    return Outliers(tuple(int(one) for one in found), layer, float(times[:, place].max()))


def left_out(found: Outliers, pictures: int) -> str:
    """A sentence on the pictures that were left out, of so many."""
    return (
        f"int8 is calibrated without {len(found.places)} of {pictures} pictures: they set off values in "
        f"{found.layer} up to {found.times_usual:.0f} times the usual ones"
    )


def _largest_values(
    data: bytes, file_format: Format, spec: InputSpec, images: Sequence[Image]
) -> tuple[list[str], NDArray[np.float64]]:
    """The name of each operation, and the largest absolute value that it gives: float64 [pictures, operations]."""
    from edge_fer.faces.crop import whole_to_batch

    with quiet_tensorflow():
        kinds, run = open_activations(data, file_format, spec.layout)
        largest = np.zeros((len(images), len(kinds)))
        for row, image in zip(largest, images, strict=True):
            values = run(whole_to_batch([image], spec))
            row[:] = [np.abs(values(name)).max(initial=0.0) for name in kinds]
    return [name for name, _ in kinds.values()], largest
