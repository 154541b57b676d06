"""The old home of `EdgeFer`, for one version: import it from `edge_fer`."""

from __future__ import annotations

from edge_fer.analyzer import EdgeFer

__all__ = ["EdgeFer"]
