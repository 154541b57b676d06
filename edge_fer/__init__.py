"""Facial expression recognition for small computers.

>>> from edge_fer import EdgeFer
>>> with EdgeFer() as fer:
...     faces = fer.predict("group.jpg")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_fer._version import __version__

if TYPE_CHECKING:
    from edge_fer.api import EdgeFer
    from edge_fer.types import Box, Face, Frame, Observation, ScoredFace, Scores

__all__ = ["Box", "EdgeFer", "Face", "Frame", "Observation", "ScoredFace", "Scores", "__version__"]

_HOMES = {
    "EdgeFer": "edge_fer.api",
    "Box": "edge_fer.types",
    "Face": "edge_fer.types",
    "Frame": "edge_fer.types",
    "Observation": "edge_fer.types",
    "ScoredFace": "edge_fer.types",
    "Scores": "edge_fer.types",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: `edge-fer --help` must not wait for NumPy and OpenCV.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
