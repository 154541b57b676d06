"""Labelled faces and the figures of how good a model is; NumPy only."""
