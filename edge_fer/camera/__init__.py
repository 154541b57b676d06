"""Frames in: cameras, files, streams and the built-in demo."""
