"""What the tests of pictures share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_fer.analyzer import EdgeFer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_fer.types import Box, Image


@pytest.fixture(scope="module")
def portrait(astronaut: Image) -> Image:
    """A photograph with one face off its centre, 300 pixels wide and 220 high."""
    return np.ascontiguousarray(astronaut[30:250, 90:390])


@pytest.fixture(scope="module")
def fer(tiny_model: Path) -> Iterator[EdgeFer]:
    with EdgeFer(tiny_model) as opened:
        yield opened


@pytest.fixture(scope="module")
def box(fer: EdgeFer, portrait: Image) -> Box:
    """Where the one face of the portrait is."""
    [face] = fer.analyze(portrait).faces
    return face.face.box
