from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_fer.faces.crop import crop_faces, whole_to_batch
from edge_fer.picture import in_colour
from edge_fer.types import Box, InputSpec
from tests.fakes import GREY_48, picture

RAW = InputSpec(48, 48, "grey", (0.0,), (1.0,))


def gradient(width: int = 100, height: int = 100) -> np.ndarray:
    return np.tile(np.arange(width, dtype=np.uint8), (height, 1))


def test_a_box_of_the_models_size_is_cut_out_unchanged() -> None:
    image = picture(100, 80)[:, :, 0]
    crops = crop_faces(image, [Box(10, 20, 48, 48)], RAW)
    assert crops.dtype == np.float32
    assert crops.shape == (1, 48, 48, 1)
    np.testing.assert_array_equal(crops[0, :, :, 0], image[20:68, 10:58])


def test_mean_and_std_are_applied_to_each_channel() -> None:
    spec = InputSpec(48, 48, "rgb", (10.0, 20.0, 30.0), (2.0, 4.0, 8.0))
    image = np.zeros((48, 48, 3), np.uint8)
    image[:] = (50, 60, 70)
    crops = crop_faces(image, [Box(0, 0, 48, 48)], spec)
    np.testing.assert_allclose(crops[0, 5, 5], [(70 - 10) / 2, (60 - 20) / 4, (50 - 30) / 8])


def test_no_boxes_give_an_empty_batch() -> None:
    assert crop_faces(picture(), [], GREY_48).shape == (0, 48, 48, 1)


def test_grey_input_gives_the_same_as_colour_input() -> None:
    image, boxes = picture(200, 150), [Box(5, 5, 60, 60), Box(100, 40, 90, 90)]
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    np.testing.assert_array_equal(crop_faces(image, boxes, GREY_48), crop_faces(grey, boxes, GREY_48))


def test_one_call_for_all_boxes_gives_the_same_as_one_call_each() -> None:
    image, boxes = picture(200, 150), [Box(5, 5, 60, 60), Box(100, 40, 90, 90), Box(-10, 120, 50, 50)]
    together = crop_faces(image, boxes, GREY_48)
    for row, box in enumerate(boxes):
        np.testing.assert_array_equal(together[row], crop_faces(image, [box], GREY_48)[0])


def test_outside_the_picture_the_pixels_of_the_edge_are_repeated() -> None:
    crops = crop_faces(gradient(), [Box(76, 0, 48, 48)], RAW)
    row = crops[0, 0, :, 0]
    np.testing.assert_array_equal(row[:24], np.arange(76, 100))
    np.testing.assert_array_equal(row[24:], np.full(24, 99))


@pytest.mark.parametrize("box", [Box(500, 500, 20, 20), Box(-300, -300, 20, 20), Box(10, 10, 0, 0), Box(99, 99, 1, 1)])
def test_any_box_gives_a_finite_crop(box: Box) -> None:
    crops = crop_faces(gradient(), [box], RAW)
    assert crops.shape == (1, 48, 48, 1)
    assert np.isfinite(crops).all()


def test_the_margin_widens_the_box_about_its_centre() -> None:
    spec = InputSpec(48, 48, "grey", (0.0,), (1.0,), crop_margin=0.1)
    crops = crop_faces(gradient(), [Box(30, 30, 40, 40)], spec)
    np.testing.assert_array_equal(crops[0, 0, :, 0], np.arange(26, 74))


def test_a_box_that_is_not_square_keeps_its_proportions() -> None:
    crops = crop_faces(gradient(), [Box(40, 20, 20, 48)], RAW)
    np.testing.assert_array_equal(crops[0, 0, :, 0], np.arange(26, 74))


def test_shrinking_averages_and_does_not_alias() -> None:
    stripes = np.zeros((96, 96), np.uint8)
    stripes[:, ::2] = 200
    np.testing.assert_allclose(crop_faces(stripes, [Box(0, 0, 96, 96)], RAW), 100.0)


def test_enlarging_interpolates() -> None:
    steep = np.tile(np.arange(0, 250, 10, dtype=np.uint8), (25, 1))
    crops = crop_faces(steep, [Box(5, 5, 12, 12)], RAW)
    assert len(np.unique(crops)) > 12


def test_whole_pictures_become_one_row_each_whatever_their_shape() -> None:
    same = picture(48, 48)[:, :, 0]
    batch = whole_to_batch([same, picture(10, 300), picture(1, 1)], RAW)
    assert batch.shape == (3, 48, 48, 1)
    np.testing.assert_array_equal(batch[0, :, :, 0], same)


@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4), np.float32), np.zeros((0, 4), np.uint8), np.zeros(4, np.uint8)],
)
def test_what_is_no_picture_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected a picture as uint8"):
        in_colour(image, "grey")


def test_the_picture_given_is_left_alone() -> None:
    image = picture(100, 100)
    before = image.copy()
    crop_faces(image, [Box(-5, -5, 70, 70)], GREY_48)
    whole_to_batch([image], GREY_48)
    np.testing.assert_array_equal(image, before)
