"""Pictures on which the activation ranges of an int8 model are measured."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edge_fer.errors import ConfigError, ModelError, SourceError
from edge_fer.inference.manifest import Calibration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_fer.types import Batch, Image, InputSpec

FEWEST_PICTURES, MOST_PICTURES = 100, 500


@dataclass(frozen=True, slots=True)
class CalibrationSet:
    """Cropped faces chosen for calibration."""

    images: Sequence[Image]
    """uint8 [height, width] grey or [height, width, 3] BGR, each."""
    facts: Calibration

    def batch(self, spec: InputSpec) -> Batch:
        """The pictures as model inputs, float32 [N, height, width, channels]."""
        from edge_fer.faces.crop import whole_to_batch

        return whole_to_batch(self.images, spec)

    def without(self, places: Sequence[int]) -> CalibrationSet:
        """The set without the pictures in these places."""
        kept = [image for place, image in enumerate(self.images) if place not in set(places)]
        return CalibrationSet(kept, replace(self.facts, sha256=pixels_sha256(kept), pictures=len(kept)))


def calibration_set(
    images: NDArray[np.uint8], labels: NDArray[np.int64], source: str, *, pictures: int = MOST_PICTURES, seed: int = 0
) -> CalibrationSet:
    """Draw a class-balanced sample.

    Args:
        images: cropped faces, uint8 [N, height, width].
        labels: class of each, int64 [N].
        source: name of the data set, kept in the manifest.
        pictures: how many to draw, at most; 100 to 500 is what both converters' makers advise.
        seed: of the draw.

    Raises:
        ConfigError: fewer than 2 pictures, or labels that do not belong to them.
    """
    if len(images) < 2 or len(images) != len(labels):
        raise ConfigError(f"{source}: {len(images)} pictures with {len(labels)} labels cannot calibrate a model")
    chosen = balanced_sample(labels, pictures, seed)
    sample = list(np.ascontiguousarray(images[chosen]))
    return CalibrationSet(sample, Calibration(source, pixels_sha256(sample), len(sample), seed))


def pixels_sha256(images: Sequence[Image]) -> str:
    """Hash over pictures of one size, in their order."""
    sample = np.stack(images)
    return hashlib.sha256(repr(sample.shape).encode() + sample.tobytes()).hexdigest()


def load_calibration(data: Path, split: str = "train") -> CalibrationSet:
    """Draw from FER-2013's csv or sheets, class folders or an npz.

    Raises:
        SourceError: there is no such file or folder.
        ModelError: it is empty or no such data; a wrong model would come of it.
    """
    from edge_fer.evaluation.datasets import load_dataset

    try:
        faces = load_dataset(data, split)
        return calibration_set(faces.images, faces.labels, data.name)
    except (SourceError, ConfigError) as error:
        if not data.exists():
            raise
        raise ModelError(f"cannot calibrate: {error}") from None


def balanced_sample(labels: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Positions of at most `count` pictures, each class as often as the others as far as it has pictures; sorted."""
    generator = np.random.default_rng(seed)
    queues = [generator.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    rounds = [queue[turn] for turn in range(max(map(len, queues))) for queue in queues if turn < len(queue)]
    return np.sort(np.asarray(rounds[:count], np.int64))
