"""Faces of nobody, to calibrate int8 models where no pictures are at hand.

`synthetic_faces.npz` holds, measured over the training split of FER-2013: the mean face and the spread of each emotion,
and the strongest principal components of all faces ("eigenfaces", Turk and Pentland 1991). A sample is the mean
of an emotion plus components with normally distributed weights plus noise as strong as what the components miss.

Averages are smoother and more alike than pictures, so that ranges measured on plain samples are too narrow and clip
what real faces cause. Hence the spread of samples: their strength, contrast and brightness vary, their noise has the
spectrum of natural pictures, and they are turned, shifted and zoomed a little. Measured on FER-2013's PublicTest (3589
pictures), int8 of the bundled model (ONNX / TFLite), calibrated on

| pictures                       | same top emotion | accuracy lost, points | largest difference |
|--------------------------------|------------------|-----------------------|--------------------|
| 500 faces of the training set  | 98.97 / 99.19 %  | 0.06 / -0.03          | 0.08 / 0.05        |
| plain samples                  | 97.77 / 98.05 %  | 0.47 / 0.42           | 0.44 / 0.45        |
| these                          | 98.94 / 99.05 %  | 0.00 / 0.11           | 0.15 / 0.15        |

The strengths below were chosen there, among six choices that lost 0.31 points at most in two draws each.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge_fer_convert.calibration import CalibrationSet, calibration_set

if TYPE_CHECKING:
    from numpy.typing import NDArray

SYNTHETIC_SOURCE = "edge-fer synthetic faces 2"
"""The number changes with the pictures, so that manifests tell them apart."""
PICTURES = 350
_GAIN = 1.2
"""Of the components, over the spread that was measured."""
_STRENGTH, _CONTRAST = 0.4, 0.3
"""Standard deviations of the logarithm: of what makes a face differ from the average, and of the whole picture."""
_BRIGHTNESS = 15.0
_NOISE_EXPONENT = 1.3
"""Amplitudes fall with frequency to this power; in natural pictures to about 1 (Field 1987), in small crops faster."""
_TURN_DEGREES, _SHIFT_PX, _ZOOM = 8.0, 2.0, 0.1


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
    weights = generator.normal(size=(count, len(statistics.components))) * statistics.spreads[labels] * _GAIN
    weights *= np.exp(generator.normal(scale=_STRENGTH, size=(count, 1)))
    side = round(statistics.means.shape[1] ** 0.5)
    pixels = (statistics.means[labels] + weights @ statistics.components).reshape(count, side, side)
    strength = statistics.noise * np.exp(generator.normal(scale=_STRENGTH, size=(count, 1, 1)))
    pixels = pixels + _natural_noise(generator, count, side) * strength
    middle: NDArray[np.float64] = pixels.mean(axis=(1, 2), keepdims=True)
    pixels = middle + (pixels - middle) * np.exp(generator.normal(scale=_CONTRAST, size=(count, 1, 1)))
    pixels = pixels + generator.normal(scale=_BRIGHTNESS, size=(count, 1, 1))
    pixels = np.stack([_moved(generator, picture) for picture in pixels])
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8), labels


def _natural_noise(generator: np.random.Generator, count: int, side: int) -> NDArray[np.float64]:
    """Noise of standard deviation 1 whose amplitudes fall with frequency, [count, side, side]."""
    frequencies = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    frequencies[0, 0] = frequencies[0, 1]
    spectrum = np.fft.fft2(generator.normal(size=(count, side, side))) * frequencies**-_NOISE_EXPONENT
    noise = np.fft.ifft2(spectrum).real
    return np.asarray(noise / noise.std(axis=(1, 2), keepdims=True))


def _moved(generator: np.random.Generator, picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turned, zoomed and shifted; what was outside is black now and then, as at the edge of a frame."""
    side = len(picture)
    turn, zoom = generator.normal(scale=_TURN_DEGREES), float(np.exp(generator.normal(scale=_ZOOM)))
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), turn, zoom)
    matrix[:, 2] = matrix[:, 2] + generator.normal(scale=_SHIFT_PX, size=2)
    border = cv2.BORDER_CONSTANT if generator.random() < 0.3 else cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(picture, matrix, (side, side), borderMode=border, borderValue=0.0), np.float64)


def synthetic_calibration(count: int = PICTURES, seed: int = 0) -> CalibrationSet:
    """The calibration pictures used where none are given."""
    images, labels = synthetic_faces(load_statistics(), count, seed)
    return calibration_set(images, labels, SYNTHETIC_SOURCE, pictures=count, seed=seed)
