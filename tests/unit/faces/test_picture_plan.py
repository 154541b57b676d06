"""Where and how finely YuNet searches single pictures."""

from __future__ import annotations

from itertools import pairwise

import pytest

from edge_fer.faces.detector_settings import DetectorSettings
from edge_fer.faces.yunet import COARSEST, LARGEST_PICTURE, MOST_ENLARGED, PICTURE_FACE_PX, picture_plan

PICTURES = DetectorSettings.for_pictures()


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (1280, 720), (4000, 3000), (300, 200)])
def test_there_are_two_scales_or_more_in_the_pictures_aspect(size: tuple[int, int]) -> None:
    steps = picture_plan(*size, PICTURES)
    assert len(steps) >= 2
    for step in steps:
        assert (step.part.x, step.part.y, step.part.width, step.part.height) == (0, 0, *size)
        assert step.width / step.height == pytest.approx(size[0] / size[1], rel=0.02)
    longest = [max(step.width, step.height) for step in steps]
    assert all(finer == pytest.approx(2 * coarser, abs=2) for finer, coarser in pairwise(longest))
    assert longest[-1] < 1.5 * COARSEST


def test_the_finest_scale_follows_from_the_least_face() -> None:
    fine = picture_plan(1000, 750, DetectorSettings.for_pictures(min_face_px=48))[0]
    assert fine.width == 1000 * PICTURE_FACE_PX / 48
    coarse = picture_plan(1000, 750, DetectorSettings.for_pictures(min_face_px=100))[0]
    assert coarse.width == 1000 * PICTURE_FACE_PX / 100


@pytest.mark.parametrize(("width", "most"), [(10_000, LARGEST_PICTURE), (400, 400 * MOST_ENLARGED)])
def test_the_finest_scale_is_bounded(width: int, most: float) -> None:
    settings = DetectorSettings.for_pictures(min_face_px=1)
    assert max(step.width for step in picture_plan(width, width // 2, settings)) == most


@pytest.mark.parametrize("size", [(48, 48), (1, 1), (30, 100)])
def test_small_pictures_are_enlarged_so_that_a_face_has_room(size: tuple[int, int]) -> None:
    steps = picture_plan(*size, PICTURES)
    assert max(steps[-1].width, steps[-1].height) >= COARSEST
    assert all(step.width >= 1 and step.height >= 1 for step in steps)


def test_a_width_that_is_asked_for_is_the_finest() -> None:
    settings = DetectorSettings("pictures", detect_width=400)
    assert max(step.width for step in picture_plan(640, 480, settings)) == 400
