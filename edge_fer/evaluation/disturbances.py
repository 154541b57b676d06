"""What cameras, light and compression do to a face, in fixed strengths: how much of its accuracy does a model keep?

The kinds are those of Hendrycks and Dietterich (arXiv 1903.12261) that meet a camera at a door or on a desk; the
strengths are chosen so that people still read nearly all of the faces. Same pictures in, same pictures out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

SEED = 0
BLUR_SHARE = 1 / 32
NOISE_LEVELS = 16.0
DARK_GAMMA, BRIGHT_GAMMA = 2.5, 0.4
JPEG_QUALITY = 15
ROTATION_DEGREES = 20.0
SMALL_PX = 24


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One way to spoil a face."""

    name: str
    strength: str
    """For people, with its unit."""
    change: Callable[[Picture, np.random.Generator], Picture]
    """From a grey picture uint8 [height, width] to one that may have another size."""


def disturbed(pictures: NDArray[np.uint8], disturbance: Disturbance) -> list[Picture]:
    """Each picture changed; what is drawn at random depends on the seed and on the picture's place alone.

    Args:
        pictures: grey, uint8 [N, height, width].
        disturbance: one of `DISTURBANCES`.
    """
    return [disturbance.change(picture, np.random.default_rng([SEED, place])) for place, picture in enumerate(pictures)]


def _blur(picture: Picture, _: np.random.Generator) -> Picture:
    return _grey(cv2.GaussianBlur(picture, (0, 0), max(picture.shape) * BLUR_SHARE))


def _noise(picture: Picture, generator: np.random.Generator) -> Picture:
    noisy = picture + generator.normal(0.0, NOISE_LEVELS, picture.shape)
    return _grey(np.clip(np.rint(noisy), 0, 255))


def _gamma(exponent: float) -> Callable[[Picture, np.random.Generator], Picture]:
    table = np.rint(255.0 * (np.arange(256) / 255.0) ** exponent).astype(np.uint8)
    return lambda picture, _: table[picture]


def _jpeg(picture: Picture, _: np.random.Generator) -> Picture:
    _done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return _grey(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))


def _rotated(degrees: float) -> Callable[[Picture, np.random.Generator], Picture]:
    def rotate(picture: Picture, _: np.random.Generator) -> Picture:
        height, width = picture.shape
        turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
        # The edge goes on outside: a face in a frame has no black corners.
        return _grey(
            cv2.warpAffine(picture, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        )

    return rotate


def _small(picture: Picture, _: np.random.Generator) -> Picture:
    return _grey(cv2.resize(picture, (SMALL_PX, SMALL_PX), interpolation=cv2.INTER_AREA))


def _grey(pixels: object) -> Picture:
    return np.asarray(pixels, np.uint8)


DISTURBANCES: tuple[Disturbance, ...] = (
    Disturbance("blur", "Gaussian, sigma 1/32 of the side (1.5 px of 48)", _blur),
    Disturbance("noise", f"Gaussian, sigma {NOISE_LEVELS:g} of 255", _noise),
    Disturbance("dark", f"gamma {DARK_GAMMA:g}", _gamma(DARK_GAMMA)),
    Disturbance("bright", f"gamma {BRIGHT_GAMMA:g}", _gamma(BRIGHT_GAMMA)),
    Disturbance("JPEG", f"quality {JPEG_QUALITY}", _jpeg),
    Disturbance("turned left", f"{ROTATION_DEGREES:g} degrees", _rotated(ROTATION_DEGREES)),
    Disturbance("turned right", f"{ROTATION_DEGREES:g} degrees", _rotated(-ROTATION_DEGREES)),
    Disturbance("small", f"{SMALL_PX} px a side", _small),
)
"""In the order in which they are shown."""
