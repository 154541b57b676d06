"""Pictures of one split that stand in another too: FER-2013's splits share faces, and figures profit from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEAR_COPY_CORRELATION = 0.92
"""Pearson correlation of the 48x48 pixels from which a pair counts as a near copy.

Read off pairs of PublicTest and Training pictures sorted by correlation and looked at: down to 0.92 a pair is one
photograph, re-scaled, shifted by a pixel, mirrored or re-compressed; at 0.905 different people begin to appear.
440 of the 3589 PublicTest pictures are such copies of Training pictures, 280 of them byte for byte.
"""


def exact_copies(pictures: NDArray[np.uint8], references: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether each picture is byte for byte among the references: bool [N] for uint8 [N, H, W] and [M, H, W]."""
    if pictures.shape[1:] != references.shape[1:]:
        return np.zeros(len(pictures), np.bool_)
    known = {reference.tobytes() for reference in references}
    return np.array([picture.tobytes() in known for picture in pictures], np.bool_)


def near_copies(
    pictures: NDArray[np.uint8],
    references: NDArray[np.uint8],
    min_correlation: float = NEAR_COPY_CORRELATION,
) -> NDArray[np.bool_]:
    """Whether each picture is an exact copy of a reference, or it or its mirror image correlates at least so much.

    Args:
        pictures: uint8 [N, height, width].
        references: uint8 [M, height, width]; pictures of another size have no copies among them.
        min_correlation: Pearson correlation of the pixels, -1 to 1.

    Returns:
        bool [N].
    """
    # A picture of one grey correlates with nothing, but it may still stand in both splits.
    exact = exact_copies(pictures, references)
    if pictures.shape[1:] != references.shape[1:]:
        return exact
    return np.asarray(exact | (best_correlation(pictures, references) >= min_correlation), np.bool_)


def best_correlation(pictures: NDArray[np.uint8], references: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Highest Pearson correlation of each picture or its mirror image with any reference: float32 [N], -1 to 1.

    Both are uint8 [N, height, width] of one size; a picture of one grey has the correlation 0 with all.
    """
    unit_references = _unit_rows(references)
    best = np.full(len(pictures), -1.0, np.float32)
    for mirrored in (pictures, pictures[:, :, ::-1]):
        rows = _unit_rows(mirrored)
        for start in range(0, len(rows), 256):
            products = rows[start : start + 256] @ unit_references.T
            best[start : start + 256] = np.maximum(best[start : start + 256], products.max(axis=1))
    return best


def _unit_rows(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    rows = pictures.reshape(len(pictures), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    # A picture of one grey has no correlation with anything; leave its row at zero.
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return rows
