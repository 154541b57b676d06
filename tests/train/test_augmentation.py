"""Changes to training pictures, on pictures whose changed form is known."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from edge_fer_train import augmentation
from edge_fer_train.augmentation import AUGMENTATIONS, Augmentation, augment_picture, mix, mix_weighted
from edge_fer_train.settings import AUGMENTATION_NAMES

RAMP = np.tile(np.arange(48, dtype=np.uint8) * 4, (48, 1))
"""Gets brighter to the right by 4 levels a pixel."""
NOISE = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)


def changed(picture: np.ndarray, how: Augmentation, times: int = 40, side_px: int = 48) -> list[np.ndarray]:
    """Several changed copies."""
    generator = np.random.default_rng(0)
    return [augment_picture(picture, how, generator, side_px) for _ in range(times)]


def test_the_names_are_those_of_the_settings() -> None:
    assert tuple(AUGMENTATIONS) == AUGMENTATION_NAMES


def test_no_change_leaves_the_picture_as_it_is() -> None:
    assert all(np.array_equal(one, NOISE) for one in changed(NOISE, AUGMENTATIONS["none"], 3))


def test_a_flip_mirrors_about_half_of_the_pictures_exactly() -> None:
    results = changed(NOISE, Augmentation(flip=True), 200)
    mirrored = sum(np.array_equal(one, NOISE[:, ::-1]) for one in results)
    assert sum(np.array_equal(one, NOISE) for one in results) == 200 - mirrored
    assert 70 < mirrored < 130


def test_a_shift_moves_every_pixel_alike_and_no_further_than_it_says() -> None:
    shifts = []
    for one in changed(RAMP, Augmentation(shift_share=0.1), 100):
        levels = RAMP[10:38, 10:38].astype(float) - one[10:38, 10:38]
        assert np.ptp(levels) <= 1.01  # the ramp stays a ramp; it is only rounded
        shifts.append(levels.mean() / 4)
    assert max(np.abs(shifts)) <= 4.8 + 0.2
    assert min(shifts) < -3 < 3 < max(shifts)


def test_rotation_turns_about_the_middle() -> None:
    line = np.zeros((48, 48), np.uint8)
    line[23:25] = 255
    angles = []
    for one in changed(line, Augmentation(rotation_degrees=20.0)):
        rows, columns = np.nonzero(one > 128)
        inside = np.abs(columns - 23.5) < 15  # reflections at the edge are no part of the line
        slope, middle = np.polyfit(columns[inside] - 23.5, rows[inside] - 23.5, 1)
        angles.append(np.rad2deg(np.arctan(slope)))
        assert abs(middle) < 0.6
    assert max(np.abs(angles)) <= 21
    assert min(angles) < -12 < 12 < max(angles)


def test_scale_enlarges_and_reduces_about_the_middle() -> None:
    square = np.zeros((48, 48), np.uint8)
    square[16:32, 16:32] = 255
    sides = [np.sqrt((one > 128).sum()) for one in changed(square, Augmentation(scale_share=0.2))]
    assert min(sides) == pytest.approx(16 * 0.8, abs=1)
    assert max(sides) == pytest.approx(16 * 1.2, abs=1)


def test_contrast_turns_about_the_middle_grey_and_brightness_adds() -> None:
    grey = np.full((48, 48), 128, np.uint8)
    assert {int(one[0, 0]) for one in changed(grey, Augmentation(gain_share=0.5))} <= {127, 128}
    levels = [int(one[0, 0]) for one in changed(grey, Augmentation(offset_levels=30.0), 200)]
    assert min(levels) == pytest.approx(98, abs=3)
    assert max(levels) == pytest.approx(158, abs=3)


def test_a_smaller_picture_is_made_where_asked() -> None:
    (small,) = changed(RAMP, AUGMENTATIONS["none"], 1, side_px=32)
    assert small.shape == (32, 32)
    assert small[:, 2:-2] == pytest.approx(np.tile(np.linspace(4 * 2.75, 4 * 44.25, 28), (32, 1)), abs=4)


@pytest.mark.parametrize("name", AUGMENTATION_NAMES)
def test_the_same_seed_gives_the_same_pictures(name: str) -> None:
    first, second = changed(NOISE, AUGMENTATIONS[name]), changed(NOISE, AUGMENTATIONS[name])
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    assert all(one.dtype == np.uint8 and one.shape == (48, 48) for one in first)


def test_erasing_replaces_one_rectangle_by_noise() -> None:
    grey = np.full((48, 48), 128, np.uint8)
    for one in changed(grey, Augmentation(erase_probability=1.0)):
        rows, columns = np.nonzero(one != 128)
        box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        assert 0.01 * 48 * 48 < box < 0.17 * 48 * 48
        assert len(rows) > 0.9 * box
    untouched = sum(np.array_equal(one, grey) for one in changed(grey, Augmentation(erase_probability=0.25), 400))
    assert 260 < untouched < 340


def test_blur_keeps_the_brightness_and_loses_detail() -> None:
    blurred = augmentation.blur(NOISE, 1.0)
    assert blurred.mean() == pytest.approx(NOISE.mean(), abs=1)
    assert blurred.std() < 0.5 * NOISE.std()


def test_noise_has_the_strength_that_it_says() -> None:
    grey = np.full((480, 480), 128, np.uint8)
    noisy = augmentation.add_noise(grey, 10.0, np.random.default_rng(0))
    assert noisy.std() == pytest.approx(10.0, abs=0.2)
    assert noisy.mean() == pytest.approx(128, abs=1)


def test_gamma_darkens_above_one_and_keeps_black_and_white() -> None:
    ends = np.array([[0, 128, 255]], np.uint8)
    assert augmentation.change_gamma(ends, 2.0).tolist() == [[0, 64, 255]]
    assert augmentation.change_gamma(ends, 1.0).tolist() == ends.tolist()
    assert augmentation.change_gamma(ends, 0.5)[0, 1] > 128


def test_jpeg_changes_a_smooth_picture_little_and_noise_much() -> None:
    smooth = augmentation.blur(NOISE, 4.0)
    assert cv2.PSNR(smooth, augmentation.compress(smooth, 60)) > 30
    assert cv2.PSNR(NOISE, augmentation.compress(NOISE, 10)) < 20


def test_a_face_from_afar_keeps_what_its_size_can_show() -> None:
    halves = np.zeros((48, 48), np.uint8)
    halves[:, 24:] = 200
    seen = augmentation.see_from_afar(halves, 24)
    assert seen.shape == (48, 48)
    assert (seen[:, :20].max(), seen[:, 28:].min()) == (0, 200)
    assert augmentation.see_from_afar(NOISE, 12).std() < 0.4 * NOISE.std()


def test_mixup_blends_inputs_and_targets_in_one_proportion() -> None:
    inputs = np.eye(8, dtype=np.float32)[:, :, None, None].repeat(4, 2).repeat(1, 3)
    targets = np.eye(8, dtype=np.float32)
    shares = []
    for seed in range(200):
        mixed, (blended,) = mix(inputs, [targets], Augmentation(mixup_alpha=0.4), np.random.default_rng(seed))
        np.testing.assert_allclose(mixed[:, :, 0, 0], blended, atol=1e-6)
        np.testing.assert_allclose(blended.sum(axis=1), 1, atol=1e-6)
        shares.append(blended.max(axis=1).min())
    # Beta(0.4, 0.4) is most often near its ends.
    assert np.mean(np.array(shares) > 0.9) == pytest.approx(0.46, abs=0.12)


def test_cutmix_targets_tell_the_area_that_each_picture_fills() -> None:
    inputs = np.stack([np.full((20, 20, 1), number, np.float32) for number in range(4)])
    targets = np.eye(4, dtype=np.float32)
    pasted = 0
    for seed in range(50):
        mixed, (blended,) = mix(inputs, [targets], Augmentation(cutmix_alpha=1.0), np.random.default_rng(seed))
        for picture, target in zip(mixed, blended, strict=True):
            areas = np.bincount(picture.astype(int).ravel(), minlength=4) / 400
            np.testing.assert_allclose(areas, target, atol=1e-6)
            pasted += int(target.max() < 1)
    assert pasted > 50


def test_both_mixes_take_turns_and_none_is_none() -> None:
    inputs = np.stack([np.full((20, 20, 1), number, np.float32) for number in range(4)])
    both = Augmentation(mixup_alpha=1.0, cutmix_alpha=1.0)
    whole = [
        np.array_equal(np.round(mixed), mixed)
        for mixed in (mix(inputs, [], both, np.random.default_rng(seed))[0] for seed in range(100))
    ]
    assert 25 < sum(whole) < 75  # patches keep the levels, blends do not
    same, _ = mix(inputs, [], Augmentation(), np.random.default_rng(0))
    assert same is inputs


def test_a_picture_that_nobody_voted_on_adds_nothing_to_a_mixed_target() -> None:
    inputs = np.zeros((2, 4, 4, 1), np.float32)
    rows, weights = np.array([[1, 0], [0.5, 0.5]], np.float32), np.array([1, 0], np.float32)
    for seed in range(20):
        _, ((shares, left),) = mix_weighted(
            inputs, [(rows, weights)], Augmentation(mixup_alpha=1.0), np.random.default_rng(seed)
        )
        assert left.sum() in (pytest.approx(1.0), pytest.approx(2.0), pytest.approx(0.0))
        assert all(row == pytest.approx([1, 0]) for row, weight in zip(shares, left, strict=True) if weight > 1e-6)


def test_weights_pass_through_where_nothing_is_mixed() -> None:
    targets = [(np.eye(2, dtype=np.float32), np.array([2.0, 0.5], np.float32))]
    inputs, same = mix_weighted(np.zeros((2, 4, 4, 1), np.float32), targets, Augmentation(), np.random.default_rng(0))
    assert same is targets
    assert inputs.shape == (2, 4, 4, 1)


def test_camera_and_strong_hold_all_that_light_does() -> None:
    light, camera, strong = (dataclasses.asdict(AUGMENTATIONS[name]) for name in ("light", "camera", "strong"))
    assert all(camera[key] >= value for key, value in light.items())
    assert all(strong[key] >= value for key, value in light.items())


def test_strength_lets_degradations_go_further() -> None:
    """How far degraded pictures are from the original, by the mean over many."""
    ramp = np.tile(np.linspace(20, 235, 48).astype(np.uint8), (48, 1))
    ramp[::6] = 128

    def distance(strength: float) -> float:
        how = Augmentation(degrade_probability=1.0, degrade_strength=strength)
        generator = np.random.default_rng(0)
        changed = [augment_picture(ramp, how, generator, 48).astype(float) for _ in range(300)]
        return float(np.mean([np.abs(one - ramp).mean() for one in changed]))

    assert distance(1.5) > 1.2 * distance(1.0) > 1.2
