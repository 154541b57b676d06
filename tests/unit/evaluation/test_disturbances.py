"""Spoilt pictures: each kind does what it says, and the same to the same picture."""

from __future__ import annotations

import numpy as np
import pytest

from edge_fer.evaluation.disturbances import DISTURBANCES, NOISE_LEVELS, disturbed

BY_NAME = {one.name: one for one in DISTURBANCES}


def faces(count: int = 4, side: int = 48) -> np.ndarray:
    """Smooth grey pictures with an upright bar that is brighter."""
    rows, columns = np.mgrid[0:side, 0:side] / side
    pictures = [90 + 40 * np.sin(4 * rows + place) + 60 * (np.abs(columns - 0.5) < 0.1) for place in range(count)]
    return np.stack(pictures).astype(np.uint8)


def test_the_kinds_and_their_order() -> None:
    assert list(BY_NAME) == ["blur", "noise", "dark", "bright", "JPEG", "turned left", "turned right", "small"]


@pytest.mark.parametrize("name", BY_NAME)
def test_the_same_picture_is_spoilt_the_same_way(name: str) -> None:
    once, again, fewer = (disturbed(faces()[:n], BY_NAME[name]) for n in (4, 4, 2))
    assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(once[:2], fewer, strict=True))
    assert all(one.dtype == np.uint8 and one.ndim == 2 for one in once)
    assert not any(one.shape == (48, 48) and np.array_equal(one, face) for one, face in zip(once, faces(), strict=True))


def test_pictures_themselves_are_left_alone() -> None:
    pictures = faces()
    for one in DISTURBANCES:
        disturbed(pictures, one)
    assert np.array_equal(pictures, faces())


def test_blur_takes_contrast_and_keeps_brightness() -> None:
    [found], [face] = disturbed(faces(1), BY_NAME["blur"]), faces(1)
    assert np.abs(np.diff(found.astype(int), axis=1)).max() < 0.6 * np.abs(np.diff(face.astype(int), axis=1)).max()
    assert found.mean() == pytest.approx(face.mean(), abs=1.0)


def test_noise_has_the_strength_that_it_says_and_differs_from_picture_to_picture() -> None:
    grey = np.full((4, 48, 48), 128, np.uint8)
    found = np.stack(disturbed(grey, BY_NAME["noise"]))
    assert found.std() == pytest.approx(NOISE_LEVELS, rel=0.05)
    assert not np.array_equal(found[0], found[1])


def test_light_moves_the_middle_and_keeps_black_and_white() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    [dark], [bright] = disturbed(ramp, BY_NAME["dark"]), disturbed(ramp, BY_NAME["bright"])
    assert dark.ravel()[[0, 128, 255]].tolist() == [0, 46, 255]
    assert bright.ravel()[[0, 128, 255]].tolist() == [0, 194, 255]


def test_turns_go_both_ways_by_twenty_degrees() -> None:
    def lean(picture: np.ndarray) -> float:
        """Degrees by which the bright bar leans to the right."""
        rows, columns = np.nonzero(picture[8:40] > 150)
        return float(np.degrees(np.arctan(-np.polyfit(rows, columns, 1)[0])))

    face = np.full((1, 48, 48), 60, np.uint8)
    face[0, :, 21:27] = 200
    [left], [right] = disturbed(face, BY_NAME["turned left"]), disturbed(face, BY_NAME["turned right"])
    assert lean(left) == pytest.approx(-20.0, abs=2.0)
    assert lean(right) == pytest.approx(20.0, abs=2.0)
    assert left.min() >= 60  # no black corners


def test_small_faces_have_24_pixels_a_side() -> None:
    assert {one.shape for one in disturbed(faces(2, side=64), BY_NAME["small"])} == {(24, 24)}
