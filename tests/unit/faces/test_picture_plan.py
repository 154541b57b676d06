"""Where and how finely YuNet searches single pictures."""

from __future__ import annotations

from itertools import pairwise

import pytest

from edge_fer.faces.detector_settings import DetectorSettings
from edge_fer.faces.upright import half_as_fine
from edge_fer.faces.yunet import COARSEST, LARGEST_PICTURE, MOST_ENLARGED, PICTURE_FACE_PX, averaged, picture_plan
from edge_fer.types import Box, Face, Landmarks

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
    assert fine.width == round(1000 * PICTURE_FACE_PX / 48)
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


@pytest.mark.parametrize("size", [(640, 480), (4000, 3000), (1000, 2000)])
def test_turned_pictures_are_searched_half_as_finely_as_upright_ones(size: tuple[int, int]) -> None:
    upright, turned = (
        max(step.width for step in picture_plan(*size, settings, share))
        for settings, share in ((PICTURES, 1.0), (half_as_fine(PICTURES), 0.5))
    )
    assert turned == pytest.approx(upright / 2, abs=1)


def face(x: int, y: int, side: int, score: float) -> Face:
    eyes = Landmarks((x, y), (x + side, y), (x, y), (x, y), (x, y))
    return Face(Box(x, y, side, side), None, score, eyes)


def test_a_face_found_at_several_scales_has_their_mean_box() -> None:
    one, other, far = face(100, 100, 40, 0.8), face(104, 96, 48, 0.9), face(300, 100, 40, 0.7)
    mean = averaged([one, other, far], 640, 480)
    assert [found.box for found in mean] == [Box(102, 98, 44, 44), Box(102, 98, 44, 44), far.box]
    assert [found.detection_score for found in mean] == [0.8, 0.9, 0.7]
    assert mean[0].landmarks is not None
    assert mean[0].landmarks.points[:2] == ((102.0, 98.0), (146.0, 98.0))


def test_a_mouth_is_not_averaged_with_its_face() -> None:
    whole, mouth = face(100, 100, 80, 0.9), face(120, 140, 40, 0.7)
    assert [found.box for found in averaged([whole, mouth], 640, 480)] == [whole.box, mouth.box]


def test_a_face_at_the_edge_keeps_its_box() -> None:
    cut = Face(Box(0, 20, 30, 50), None, 0.9)
    assert averaged([cut], 640, 480) == [cut]
