"""Copies of pictures across splits."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_fer.evaluation.copies import best_correlation, exact_copies, near_copies


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Twenty different smooth pictures, uint8 [20, 48, 48]."""
    noise = np.random.default_rng(0).random((20, 48, 48))
    blurred = np.stack([cv2.GaussianBlur(one, (0, 0), 3) for one in noise])
    return cv2.normalize(blurred, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def test_exact_copies_are_byte_for_byte(pictures: np.ndarray) -> None:
    changed = pictures[3:5].copy()
    changed[0, 0, 0] ^= 1
    assert exact_copies(changed, pictures).tolist() == [False, True]


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: picture,
        lambda picture: picture[:, ::-1],
        lambda picture: np.clip(picture * 0.7 + 20, 0, 255).astype(np.uint8),
        lambda picture: np.roll(picture, 1, axis=1),
        lambda picture: cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 0),
    ],
    ids=["exact", "mirrored", "brightness", "shifted", "jpeg"],
)
def test_near_copies_are_the_same_photograph(pictures: np.ndarray, change: object) -> None:
    copy = np.ascontiguousarray(change(pictures[7]))[None]  # type: ignore[operator]
    assert near_copies(copy, pictures).tolist() == [True]
    others = np.delete(pictures, 7, axis=0)
    assert near_copies(copy, others).tolist() == [False]


def test_the_threshold_is_the_callers(pictures: np.ndarray) -> None:
    correlation = float(best_correlation(pictures[:1], pictures[1:])[0])
    assert near_copies(pictures[:1], pictures[1:], correlation - 0.01).tolist() == [True]
    assert near_copies(pictures[:1], pictures[1:], correlation + 0.01).tolist() == [False]


def test_the_correlation_is_pearsons(pictures: np.ndarray) -> None:
    one, other = pictures[:1], pictures[1:2]
    direct = np.corrcoef(one.ravel(), other.ravel())[0, 1]
    mirrored = np.corrcoef(one[:, :, ::-1].ravel(), other.ravel())[0, 1]
    assert best_correlation(one, other)[0] == pytest.approx(max(direct, mirrored), abs=1e-5)


def test_a_blank_picture_is_a_copy_of_its_like_only(pictures: np.ndarray) -> None:
    blank = np.zeros((1, 48, 48), np.uint8)
    assert best_correlation(blank, pictures)[0] == pytest.approx(0.0, abs=1e-6)
    assert near_copies(blank, pictures).tolist() == [False]
    assert near_copies(blank, np.concatenate([pictures, blank])).tolist() == [True]


def test_pictures_of_another_size_are_no_copies(pictures: np.ndarray) -> None:
    smaller = pictures[:2, :24, :24]
    assert near_copies(smaller, pictures).tolist() == [False, False]
    assert exact_copies(smaller, pictures).tolist() == [False, False]


def test_fer2013_has_the_copies_that_the_documentation_says(shared_data: object) -> None:
    from edge_fer.evaluation.datasets import load_dataset

    folder = shared_data / "fer2013"  # type: ignore[operator]
    training, validation = load_dataset(folder, "train"), load_dataset(folder, "validation")
    assert int(exact_copies(validation.images, training.images).sum()) == 280
    assert len(validation) == 3589
