"""Labelled faces and the figures that tell how good a model is; NumPy only."""
