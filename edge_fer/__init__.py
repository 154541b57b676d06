"""Facial expression recognition for small computers.

>>> from edge_fer import EdgeFer
>>> with EdgeFer() as fer:
...     faces = fer.analyze("group.jpg").faces
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from edge_fer._version import __version__

if TYPE_CHECKING:
    from edge_fer.analyzer import EdgeFer, Failure
    from edge_fer.types import Box, Face, Frame, Landmarks, Observation, ScoredFace, Scores

__all__ = [
    "Box",
    "EdgeFer",
    "Face",
    "Failure",
    "Frame",
    "Landmarks",
    "Observation",
    "ScoredFace",
    "Scores",
    "__version__",
]

_HOMES = {
    "EdgeFer": "edge_fer.analyzer",
    "Failure": "edge_fer.analyzer",
    "Box": "edge_fer.types",
    "Face": "edge_fer.types",
    "Frame": "edge_fer.types",
    "Landmarks": "edge_fer.types",
    "Observation": "edge_fer.types",
    "ScoredFace": "edge_fer.types",
    "Scores": "edge_fer.types",
}

# The program that uses the library decides what becomes of its messages; the commands print them.
logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    # Loaded on first use: `edge-fer --help` must not wait for NumPy and OpenCV.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
