"""Silence for native libraries that write to stderr whatever they are asked."""

from __future__ import annotations

from edge_fer.native_stderr import silent as quiet_stderr

__all__ = ["quiet_stderr"]
