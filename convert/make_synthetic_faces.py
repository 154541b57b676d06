"""Make edge_fer_convert/synthetic_faces.npz from the training split of FER-2013.

    python convert/make_synthetic_faces.py DATA

DATA is the original csv, a folder of class folders, or an npz. Only means over whole classes and principal components
over all pictures are kept: no picture of a person can be found in them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from edge_fer.evaluation.datasets import load_dataset

COMPONENTS = 48


def main(data: Path, target: Path) -> None:
    """Measure the statistics and write them, components as int8."""
    faces = load_dataset(data, "train")
    pixels = faces.images.reshape(len(faces), -1).astype(np.float64)
    means = np.stack([pixels[faces.labels == label].mean(axis=0) for label in range(len(faces.label_names))])
    rest = pixels - means[faces.labels]
    values, vectors = np.linalg.eigh(rest.T @ rest / len(rest))
    components = vectors[:, ::-1][:, :COMPONENTS].T
    weights = rest @ components.T
    spreads = np.stack([weights[faces.labels == label].std(axis=0) for label in range(len(means))])
    noise = float(np.sqrt(values[::-1][COMPONENTS:].sum() / pixels.shape[1]))
    steps = np.rint(components / np.abs(components).max(axis=1, keepdims=True) * 127).astype(np.int8)
    np.savez_compressed(
        target,
        means=np.rint(means).astype(np.uint8),
        components=steps,
        spreads=spreads.astype(np.float32),
        noise=np.float32(noise),
    )
    explained = values[::-1][:COMPONENTS].sum() / values.sum()
    print(f"{target}: {target.stat().st_size} bytes, {explained:.1%} of the variance, noise {noise:.1f} of 255")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(__file__).parent / "edge_fer_convert" / "synthetic_faces.npz")
