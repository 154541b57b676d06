"""Find groups of different training faces that share emotion, pose and light, for averages that show nobody."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_fer.types import FER_LABELS

if TYPE_CHECKING:
    from collections.abc import Iterator

Faces: TypeAlias = NDArray[np.uint8]
"""Grey faces, uint8 [N, 48, 48]."""

SIDE = 48
VOTE_COLUMNS = {"neutral": 0, "happy": 1, "surprise": 2, "sad": 3, "angry": 4, "disgust": 5, "fear": 6}
"""Column of the FER+ votes for each emotion."""
SMALLEST_GROUP, LARGEST_GROUP = 60, 290
DUPLICATE_CORRELATION = 0.98
"""Two pictures of 24x24 that correlate higher are taken for the same photograph."""
WANTED_POOL, LARGEST_POOL = 400, 800
"""Faces that are enough to group, the voters agreeing the more the more faces there are; and faces that are plenty."""


def normalised(faces: Faces, side: int) -> NDArray[np.float32]:
    """Shrink faces to float32 [N, side * side] with mean 0 and length 1; products of rows are correlations."""
    if len(faces) == 0:
        return np.empty((0, side * side), np.float32)
    small = np.stack([cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA) for face in faces])
    flat = small.reshape(len(faces), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return flat


def different_pictures(faces: Faces) -> NDArray[np.intp]:
    """Return the indices of the first picture of every set of duplicates, mirror images counted as duplicates."""
    flat, mirrored = normalised(faces, 24), normalised(faces[:, :, ::-1], 24)
    kept: list[int] = []
    for index in range(len(faces)):
        likeness = np.maximum(flat[kept] @ flat[index], flat[kept] @ mirrored[index])
        if likeness.size == 0 or likeness.max() < DUPLICATE_CORRELATION:
            kept.append(index)
    return np.array(kept, dtype=np.intp)


def agreed_faces(labels: NDArray[np.int64], votes: NDArray[np.int64], emotion: str) -> NDArray[np.intp]:
    """Return the indices of faces with that label that FER+ voters agree with, those with the most votes first.

    At least 3 of 10 voters agree, and more where that leaves `WANTED_POOL` faces; at most `LARGEST_POOL` are returned.
    """
    agreeing = votes[:, VOTE_COLUMNS[emotion]] * (labels == FER_LABELS.index(emotion))
    for at_least in range(10, 2, -1):
        found = np.flatnonzero(agreeing >= at_least)
        if len(found) >= WANTED_POOL:
            break
    return found[np.argsort(-agreeing[found], kind="stable")][:LARGEST_POOL]


def groups(faces: Faces, seed: int) -> Iterator[NDArray[np.intp]]:
    """Yield the indices of groups of 60 to 290 similar faces, from k-means with several group sizes.

    Index `len(faces) + i` stands for the mirror image of face i: a group may hold it, but it is not a further picture.
    """
    flat = normalised(np.concatenate([faces, faces[:, :, ::-1]]), 12)
    if len(faces) < SMALLEST_GROUP:
        return
    seen: set[bytes] = set()
    for mean_size, seeds in itertools.product((90, 130, 180, 240), range(seed, seed + 3)):
        count = max(1, round(len(flat) / mean_size))
        cv2.setRNGSeed(seeds)
        stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 60, 1e-4)
        _, nearest, _ = cv2.kmeans(flat, count, np.empty((0,), np.int32), stop, 4, cv2.KMEANS_PP_CENTERS)
        for group in range(count):
            members = np.flatnonzero(nearest.ravel() == group)
            different = len(np.unique(members % len(faces)))
            if different >= SMALLEST_GROUP and len(members) <= LARGEST_GROUP and members.tobytes() not in seen:
                seen.add(members.tobytes())
                yield members


def aligned(faces: Faces) -> Faces:
    """Shift, turn and scale each face to fit the average of all, so that eyes and mouths fall together.

    Uses the enhanced correlation coefficient (Evangelidis and Psarakis, 2008); a face that does not fit stays as it is.
    """
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 20, 1e-3)
    mask = cv2.ellipse(np.zeros((SIDE, SIDE), np.uint8), (24, 25), (18, 21), 0, 0, 360, 255, -1)
    result = faces
    for _ in range(2):
        average = normalised(result, SIDE).mean(axis=0).reshape(SIDE, SIDE)
        fitted = []
        for face in faces:
            motion = np.eye(2, 3, dtype=np.float32)
            try:
                cv2.findTransformECC(average, face.astype(np.float32), motion, cv2.MOTION_AFFINE, stop, mask, 5)
            except cv2.error:
                motion = np.eye(2, 3, dtype=np.float32)
            if np.abs(motion - np.eye(2, 3)).max(axis=0)[:2].max() > 0.2 or np.abs(motion[:, 2]).max() > 8:
                motion = np.eye(2, 3, dtype=np.float32)
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            fitted.append(cv2.warpAffine(face, motion, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE))
        result = np.stack(fitted)
    return result
