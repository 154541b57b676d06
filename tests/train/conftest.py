"""What tests of training share: Keras loaded without its noise, and faces that anyone can distinguish."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from edge_fer_train.backend import load_backend

from edge_fer.errors import EdgeFerError
from edge_fer.evaluation.labelled import LabelledFaces
from edge_fer.types import FER_LABELS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

with contextlib.suppress(EdgeFerError):  # modules that need Keras skip themselves
    load_backend()


def make_faces(count: int, *, seed: int = 0, side_px: int = 48, votes: bool = True) -> LabelledFaces:
    """Noisy pictures, each class with stripes of a width of its own; the classes take turns."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 90, (count, side_px, side_px), dtype=np.uint8)
    labels = np.arange(count) % len(FER_LABELS)
    rows = np.arange(side_px)
    for image, label in zip(images, labels, strict=True):
        image[rows * (label + 1) // 12 % 2 == 1] += 150
    shares = np.zeros((count, 10), np.uint8)
    shares[np.arange(count), labels] = 7
    shares[:, 0] += 3
    return LabelledFaces(images, labels.astype(np.int64), FER_LABELS, shares if votes else None)


@pytest.fixture(scope="session")
def faces() -> Callable[..., LabelledFaces]:
    """Makes synthetic faces."""
    return make_faces


@pytest.fixture
def tiny_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of five convolutions under the name "tiny": tracing larger ones takes most of a short run."""
    from edge_fer_train.architectures import ARCHITECTURES, Architecture
    from edge_fer_train.residual import ResidualPlan, residual

    plan = ResidualPlan(stem=4, stem_stride=2, stages=((8, 1),), head=16, dropout=0.1)
    monkeypatch.setitem(ARCHITECTURES, "tiny", Architecture(residual(plan), any_size=True))


@pytest.fixture
def faces_npz(tmp_path: Path) -> Path:
    """A data set of 63 training and 28 validation faces with votes."""
    training, validation = make_faces(63), make_faces(28, seed=1)
    path = tmp_path / "stripes.npz"
    np.savez(
        path,
        images=np.concatenate([training.images, validation.images]),
        labels=np.concatenate([training.labels, validation.labels]),
        votes=np.concatenate([training.votes, validation.votes]),
        split=np.array(["train"] * 63 + ["validation"] * 28),
    )
    return path
