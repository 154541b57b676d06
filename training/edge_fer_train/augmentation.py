"""Changes to training pictures: what a looser crop, a tilted head, bad light or a cheap camera would have made.

All pictures are uint8 [side, side]; every random choice comes from the generator that is passed in, so that an
epoch can be repeated bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

Picture: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far pictures are changed; 0 turns a change off."""

    flip: bool = False
    rotation_degrees: float = 0.0
    shift_share: float = 0.0
    """Largest shift, as a share of the side."""
    scale_share: float = 0.0
    """Largest enlargement or reduction: 0.15 draws factors from 0.85 to 1.15."""
    shear_share: float = 0.0
    gain_share: float = 0.0
    """Largest change of contrast: 0.2 draws factors from 0.8 to 1.2."""
    offset_levels: float = 0.0
    """Largest change of brightness in grey levels, 0 to 255."""
    degrade_probability: float = 0.0
    """Share of pictures that are blurred, noised, darkened, compressed or seen from far away."""
    degrade_strength: float = 1.0
    """How far those go; 1.5 reaches beyond the conditions that `edge-fer evaluate --robustness` measures."""
    erase_probability: float = 0.0
    mixup_alpha: float = 0.0
    """Beta parameter of mixup (Zhang et al., arXiv 1710.09412)."""
    cutmix_alpha: float = 0.0
    """Beta parameter of cutmix (Yun et al., arXiv 1905.04899)."""


AUGMENTATIONS: dict[str, Augmentation] = {
    "none": Augmentation(),
    "light": Augmentation(flip=True, rotation_degrees=8.0, shift_share=0.05, scale_share=0.08),
    "camera": Augmentation(
        flip=True,
        rotation_degrees=8.0,
        shift_share=0.05,
        scale_share=0.08,
        degrade_probability=0.5,
        degrade_strength=1.5,
    ),
    "strong": Augmentation(
        flip=True,
        rotation_degrees=15.0,
        shift_share=0.08,
        scale_share=0.15,
        shear_share=0.05,
        gain_share=0.2,
        offset_levels=25.0,
        degrade_probability=0.25,
        erase_probability=0.25,
    ),
}


def augment_picture(picture: Picture, how: Augmentation, generator: np.random.Generator, side_px: int) -> Picture:
    """One changed copy of a picture, at `side_px`."""
    result = _warp(picture, how, generator, side_px)
    if how.gain_share or how.offset_levels:
        result = _relight(result, how, generator)
    if how.degrade_probability and generator.random() < how.degrade_probability:
        degrade = _DEGRADATIONS[generator.integers(len(_DEGRADATIONS))]
        result = degrade(result, generator, how.degrade_strength)
    if how.erase_probability and generator.random() < how.erase_probability:
        result = _erase(result, generator)
    return result


def _warp(picture: Picture, how: Augmentation, generator: np.random.Generator, side_px: int) -> Picture:
    height, width = picture.shape
    angle = np.deg2rad(generator.uniform(-1, 1) * how.rotation_degrees)
    scale = 1 + generator.uniform(-1, 1) * how.scale_share
    shear = generator.uniform(-1, 1) * how.shear_share
    shift_x, shift_y = generator.uniform(-1, 1, 2) * how.shift_share
    mirror = -1.0 if how.flip and generator.random() < 0.5 else 1.0
    cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
    linear = np.array([[cosine, -sine + shear], [sine, cosine]]) @ np.diag([mirror, 1.0])
    linear = linear @ np.diag([side_px / width, side_px / height])
    centre = np.array([(side_px - 1) / 2 + shift_x * side_px, (side_px - 1) / 2 + shift_y * side_px])
    offset = centre - linear @ np.array([(width - 1) / 2, (height - 1) / 2])
    matrix = np.column_stack([linear, offset])
    # A smaller copy is first averaged, or the warp would skip pixels and alias.
    source = cv2.blur(picture, (2, 2)) if side_px < 0.75 * width else picture
    warped = cv2.warpAffine(
        source, matrix, (side_px, side_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(warped, np.uint8)


def _relight(picture: Picture, how: Augmentation, generator: np.random.Generator) -> Picture:
    gain = 1 + generator.uniform(-1, 1) * how.gain_share
    offset = generator.uniform(-1, 1) * how.offset_levels
    # Contrast turns about the middle grey, so that it does not act as brightness too.
    return np.asarray(np.clip((picture - 128.0) * gain + 128.0 + offset, 0, 255), np.uint8)


def blur(picture: Picture, sigma_px: float) -> Picture:
    """Gaussian blur."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma_px), np.uint8)


def add_noise(picture: Picture, sigma_levels: float, generator: np.random.Generator) -> Picture:
    """Gaussian sensor noise, in grey levels."""
    noise = generator.standard_normal(picture.shape, np.float32) * sigma_levels
    return np.asarray(np.clip(picture + noise, 0, 255), np.uint8)


def change_gamma(picture: Picture, gamma: float) -> Picture:
    """Darker above 1, lighter below."""
    return np.asarray(np.round(255 * (picture / 255.0) ** gamma), np.uint8)


def compress(picture: Picture, quality: int) -> Picture:
    """Through JPEG and back, quality 1 to 100."""
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)


def see_from_afar(picture: Picture, side_px: int) -> Picture:
    """Shrunk to `side_px` and enlarged again, as a small face in a frame is."""
    height, width = picture.shape
    small = cv2.resize(picture, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


_DEGRADATIONS: tuple[Callable[[Picture, np.random.Generator, float], Picture], ...] = (
    lambda picture, generator, strength: blur(picture, generator.uniform(0.4, 1.2 * strength)),
    lambda picture, generator, strength: add_noise(picture, generator.uniform(4, 16 * strength), generator),
    lambda picture, generator, strength: change_gamma(picture, float(np.exp(generator.uniform(-0.7, 0.7) * strength))),
    lambda picture, generator, strength: compress(picture, int(generator.integers(round(20 / strength), 70))),
    lambda picture, generator, strength: see_from_afar(picture, int(generator.integers(round(20 / strength), 36))),
)


def _erase(picture: Picture, generator: np.random.Generator) -> Picture:
    """A rectangle of 2 to 15 percent of the picture becomes noise (Zhong et al., arXiv 1708.04896)."""
    height, width = picture.shape
    area = generator.uniform(0.02, 0.15) * height * width
    ratio = np.exp(generator.uniform(-0.9, 0.9))
    tall = int(np.clip(np.sqrt(area * ratio), 2, height - 1))
    wide = int(np.clip(np.sqrt(area / ratio), 2, width - 1))
    top, left = int(generator.integers(0, height - tall)), int(generator.integers(0, width - wide))
    erased = picture.copy()
    erased[top : top + tall, left : left + wide] = generator.integers(0, 256, (tall, wide), dtype=np.uint8)
    return erased


def mix(
    inputs: NDArray[np.float32],
    targets: list[NDArray[np.float32]],
    how: Augmentation,
    generator: np.random.Generator,
) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """Mixup or cutmix of a batch with itself, whichever is on, half the batches each where both are.

    Args:
        inputs: float32 [N, side, side, channels].
        targets: arrays float32 [N, classes] that are mixed in the same proportion.
        how: its `mixup_alpha` and `cutmix_alpha` count; with both 0 all comes back as it is.
        generator: of the proportion and the partners.
    """
    choices = [(name, alpha) for name, alpha in (("mixup", how.mixup_alpha), ("cutmix", how.cutmix_alpha)) if alpha]
    if not choices:
        return inputs, targets
    name, alpha = choices[int(generator.integers(len(choices)))]
    share = float(generator.beta(alpha, alpha))
    other = generator.permutation(len(inputs))
    if name == "mixup":
        mixed = share * inputs + (1 - share) * inputs[other]
    else:
        side = inputs.shape[1]
        hole = round(side * (1 - share) ** 0.5)
        top, left = generator.integers(0, side - hole + 1, 2)
        mixed = inputs.copy()
        mixed[:, top : top + hole, left : left + hole] = inputs[other, top : top + hole, left : left + hole]
        share = 1 - (hole / side) ** 2
    blended = [np.asarray(share * one + (1 - share) * one[other], np.float32) for one in targets]
    return np.asarray(mixed, np.float32), blended


def mix_weighted(
    inputs: NDArray[np.float32],
    targets: list[tuple[NDArray[np.float32], NDArray[np.float32]]],
    how: Augmentation,
    generator: np.random.Generator,
) -> tuple[NDArray[np.float32], list[tuple[NDArray[np.float32], NDArray[np.float32]]]]:
    """`mix` for targets that come with a weight for each picture: (float32 [N, classes] with rows of sum 1, [N]).

    A mixed row is the mean of both pictures' targets by weight, so that one of no weight, such as a picture that
    nobody voted on, adds nothing to it.
    """
    if not (how.mixup_alpha or how.cutmix_alpha):
        return inputs, targets
    mixed, blended = mix(inputs, [rows * weights[:, None] for rows, weights in targets], how, generator)
    results = []
    for (rows, _), products in zip(targets, blended, strict=True):
        weights = products.sum(axis=1)
        even = np.full_like(rows, 1 / rows.shape[1])
        shares = np.divide(products, weights[:, None], out=even, where=weights[:, None] > 0)
        results.append((shares, weights))
    return mixed, results
