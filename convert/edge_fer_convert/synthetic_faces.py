"""Faces of nobody, to calibrate int8 models where no pictures are at hand.

`synthetic_faces.npz` holds, measured over the training split of FER-2013: the mean face and the spread of each emotion,
and the strongest principal components of all faces ("eigenfaces", Turk and Pentland 1991). A sample is the mean
of an emotion plus components with normally distributed weights plus noise as strong as what the components miss.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from edge_fer_convert.calibration import CalibrationSet, calibration_set

if TYPE_CHECKING:
    from numpy.typing import NDArray

SYNTHETIC_SOURCE = "edge-fer synthetic faces"


@dataclass(frozen=True, slots=True)
class FaceStatistics:
    """Statistics of labelled faces, in pixel units."""

    means: NDArray[np.float32]
    """Mean face of each emotion, [emotions, side * side]."""
    components: NDArray[np.float32]
    """Principal components of unit length, [components, side * side]."""
    spreads: NDArray[np.float32]
    """Standard deviation of each component's weight within each emotion, [emotions, components]."""
    noise: float
    """Standard deviation of what the components do not explain."""


def load_statistics() -> FaceStatistics:
    """The statistics that come with this package."""
    with resources.files("edge_fer_convert").joinpath("synthetic_faces.npz").open("rb") as file, np.load(file) as kept:
        components = kept["components"].astype(np.float32)
        components /= np.linalg.norm(components, axis=1, keepdims=True)
        return FaceStatistics(
            kept["means"].astype(np.float32), components, kept["spreads"].astype(np.float32), float(kept["noise"])
        )


def synthetic_faces(statistics: FaceStatistics, count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw faces, all emotions alike.

    Returns:
        pictures uint8 [count, side, side] and the emotion of each, int64 [count].
    """
    generator = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % len(statistics.means)
    weights = generator.normal(size=(count, len(statistics.components))) * statistics.spreads[labels]
    pixels = statistics.means[labels] + weights @ statistics.components
    pixels += generator.normal(scale=statistics.noise, size=pixels.shape)
    side = round(pixels.shape[1] ** 0.5)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8).reshape(count, side, side), labels


def synthetic_calibration(count: int = 280, seed: int = 0) -> CalibrationSet:
    """The calibration pictures used where none are given."""
    images, labels = synthetic_faces(load_statistics(), count, seed)
    return calibration_set(images, labels, SYNTHETIC_SOURCE, pictures=count, seed=seed)
