from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_fer.faces.crop import crop_faces, whole_to_batch
from edge_fer.picture import in_colour
from edge_fer.types import Box, ColourOrder, Face, InputSpec, Landmarks
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


def turned(box: Box, degrees: float) -> Face:
    return Face(box, measured_roll_degrees=degrees)


def eyes_at(degrees: float, box: Box) -> Face:
    """A face whose eyes stand on a line that is turned clockwise about the middle of the box."""
    x, y = box.x + box.width / 2, box.y + box.height / 2
    right = np.array((np.cos(np.radians(degrees)), np.sin(np.radians(degrees)))) * box.width / 4
    points = [(x - right[0], y - right[1]), (x + right[0], y + right[1]), (x, y), (x, y), (x, y)]
    return Face(box, landmarks=Landmarks(*points))


@pytest.mark.parametrize(("degrees", "turns"), [(90.0, 1), (180.0, 2), (-180.0, 2), (-90.0, 3)])
def test_quarter_turns_are_turned_back_to_the_pixel(degrees: float, turns: int) -> None:
    image = picture(100, 80)[:, :, 0]
    box = Box(10, 20, 48, 48)
    upright = crop_faces(np.rot90(image[20:68, 10:58], turns).copy(), [Box(0, 0, 48, 48)], RAW)
    for face in (turned(box, degrees), eyes_at(degrees, box)):
        np.testing.assert_allclose(crop_faces(image, [face], RAW), upright, atol=1)


@pytest.mark.parametrize("degrees", [20.0, -35.0, 45.0, 120.0])
@pytest.mark.parametrize("side", [24, 48, 90, 200, 700])
@pytest.mark.parametrize("size", [(48, 48), (64, 48)])
def test_a_turned_face_is_cut_as_it_would_be_upright(degrees: float, side: int, size: tuple[int, int]) -> None:
    # Dots in the places of eyes and mouth, drawn finely and turned about the middle of the box.
    image, x, y = np.zeros((1000, 1000), np.uint8), 500.0, 480.0
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    spec = InputSpec(*size, "grey", (0.0,), (1.0,))
    for across, down in ((-0.2, -0.15), (0.2, -0.15), (0.1, 0.3)):
        at = (x + side * (cosine * across - sine * down), y + side * (sine * across + cosine * down))
        centre = (round((at[0] - 0.5) * 256), round((at[1] - 0.5) * 256))
        cv2.circle(image, centre, round(side * 0.06 * 256), 255, cv2.FILLED, cv2.LINE_AA, shift=8)
    box = Box(round(x - side / 2), round(y - side / 2), side, side)
    crop = crop_faces(image, [turned(box, degrees)], spec)[0, :, :, 0]
    found, expected = [], [(-0.2, -0.15), (0.2, -0.15), (0.1, 0.3)]
    count, labels = cv2.connectedComponents((crop > 60).astype(np.uint8))
    for label in range(1, count):
        weights = np.where(labels == label, crop, 0)
        rows, columns = np.indices(crop.shape) + 0.5
        found.append(((weights * columns).sum() / weights.sum() / size[0] - 0.5,
                      (weights * rows).sum() / weights.sum() / size[1] - 0.5))  # fmt: skip
    assert len(found) == 3
    for point in expected:
        nearest = min(found, key=lambda one: np.hypot(one[0] - point[0], one[1] - point[1]))
        assert np.hypot(nearest[0] - point[0], nearest[1] - point[1]) * 48 < 0.5 + 0.5 * 48 / side


def test_a_head_that_is_hardly_turned_is_cut_as_it_is() -> None:
    image, box = picture(100, 80)[:, :, 0], Box(10, 20, 40, 40)
    upright = crop_faces(image, [box], RAW)
    np.testing.assert_array_equal(crop_faces(image, [turned(box, 7.9)], RAW), upright)
    np.testing.assert_array_equal(crop_faces(image, [eyes_at(-5.0, box)], RAW), upright)
    np.testing.assert_array_equal(crop_faces(image, [Face(box)], RAW), upright)
    assert np.abs(crop_faces(image, [turned(box, 8.1)], RAW) - upright).mean() > 1


def test_what_was_measured_goes_before_the_line_of_the_eyes() -> None:
    box = Box(0, 0, 40, 40)
    face = Face(box, landmarks=eyes_at(30.0, box).landmarks, measured_roll_degrees=10.0)
    assert face.roll_degrees == 10.0
    assert eyes_at(30.0, box).roll_degrees == pytest.approx(30.0)
    assert Face(box).roll_degrees == 0.0


def test_a_turned_face_over_the_edge_repeats_the_pixels_of_the_edge() -> None:
    image = np.full((60, 60), 7, np.uint8)
    for box in (Box(-20, -20, 40, 40), Box(50, 30, 40, 40), Box(500, 500, 20, 20), Box(10, 10, 1, 1), Box(3, 3, 0, 0)):
        np.testing.assert_array_equal(crop_faces(image, [turned(box, 30.0)], RAW), 7)


@pytest.mark.parametrize(
    ("cut", "whole"),
    [
        (Box(0, 30, 30, 50), Box(-20, 30, 50, 50)),  # left
        (Box(70, 30, 30, 50), Box(70, 30, 50, 50)),  # right
        (Box(30, 0, 50, 35), Box(30, -15, 50, 50)),  # above
        (Box(30, 80, 50, 20), Box(30, 80, 50, 50)),  # below
        (Box(0, 30, 100, 50), Box(0, 30, 100, 50)),  # both sides: nobody knows where its middle was
    ],
)
def test_a_box_that_an_edge_has_cut_is_read_as_the_whole_face(cut: Box, whole: Box) -> None:
    image = picture(100, 100)[:, :, 0]
    for degrees in (0.0, 30.0):
        np.testing.assert_array_equal(
            crop_faces(image, [turned(cut, degrees)], RAW), crop_faces(image, [turned(whole, degrees)], RAW)
        )


def test_colours_and_margins_are_turned_too() -> None:
    image, box = picture(100, 80), Box(30, 20, 40, 40)
    spec = InputSpec(48, 48, "rgb", (0.0,), (1.0,), crop_margin=0.1)
    expected = crop_faces(np.rot90(image[16:64, 26:74]).copy(), [Box(4, 4, 40, 40)], spec)
    np.testing.assert_allclose(crop_faces(image, [turned(box, 90.0)], spec), expected, atol=1)


def test_any_roll_gives_a_finite_crop() -> None:
    for degrees in (-180.0, -179.9, -91.0, 8.0, 179.99, 360.0, 1e6):
        assert np.isfinite(crop_faces(gradient(), [turned(Box(20, 20, 30, 30), degrees)], RAW)).all()


def test_a_turned_large_face_is_averaged_and_does_not_alias() -> None:
    stripes = np.zeros((600, 600), np.uint8)
    stripes[:, ::2] = 200
    crops = crop_faces(stripes, [turned(Box(100, 100, 400, 400), 30.0)], RAW)
    np.testing.assert_allclose(crops, 100.0, atol=12)


@pytest.mark.parametrize(("colour", "mean", "std"), [("grey", 0.0, 1.0), ("grey", 127.5, 127.5), ("rgb", 0.0, 255.0)])
def test_pictures_that_are_standardised_each(colour: ColourOrder, mean: float, std: float) -> None:
    spec = InputSpec(12, 10, colour, (mean,), (std,), standardise=True)
    generator = np.random.default_rng(0)
    shape = (10, 12, 3) if colour == "rgb" else (10, 12)
    pictures = [generator.integers(low, low + 60, shape).astype(np.uint8) for low in (0, 150)]
    batch = whole_to_batch(pictures, spec)
    assert np.abs(batch.mean(axis=(1, 2, 3))).max() < 1e-5
    assert batch.std(axis=(1, 2, 3)) == pytest.approx([1.0, 1.0], abs=1e-4)
    # A flat picture has no deviation to divide by.
    flat = whole_to_batch([np.full(shape, 200, np.uint8)], spec)
    assert np.abs(flat).max() < 1e-3
    assert whole_to_batch([], spec).shape == (0, 10, 12, 3 if colour == "rgb" else 1)
