"""The films of benchmarks/pipeline: truth and pixels belong together, and what is shown is counted rightly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_fer.types import Box, Frame


def crop() -> np.ndarray:
    """White, with a black corner at the upper left and a black dot in the middle."""
    picture = np.full((48, 48), 255, np.uint8)
    picture[22:26, 22:26] = 0
    return picture


@pytest.mark.parametrize("side", [24, 48, 100])
@pytest.mark.parametrize("degrees", [0.0, 45.0])
def test_a_laid_face_has_its_middle_where_the_truth_says(script: Any, side: int, degrees: float) -> None:
    laying = script("laying")
    scene = np.full((240, 320, 3), 128, np.uint8)
    place = laying.Laid(0, 150.0, 110.0, side, degrees)
    laying.lay(scene, crop(), place)
    dark = np.argwhere(scene[..., 0] < 100)
    middle_y, middle_x = dark.mean(axis=0) + 0.5  # from pixels' middles to the grid between pixels
    assert abs(middle_x - 150.0) < 0.6
    assert abs(middle_y - 110.0) < 0.6
    assert len(dark) == pytest.approx((4 * side / 48) ** 2, rel=0.5, abs=3)


def test_a_laid_face_fades_into_the_scene(script: Any) -> None:
    laying = script("laying")
    scene = np.full((200, 200, 3), 128, np.uint8)
    laying.lay(scene, np.full((48, 48), 255, np.uint8), laying.Laid(0, 100.0, 100.0, 50))
    row = scene[100, :, 0].astype(int)
    assert row[100] == 255
    assert row[100 + 45] == 128  # 0.9 sides away
    assert np.abs(np.diff(row)).max() <= 20  # no edge that gives it away


def test_a_turned_crop_is_turned_clockwise(script: Any) -> None:
    laying = script("laying")
    face = np.full((48, 48), 255, np.uint8)
    face[4:10, 20:28] = 0  # above the middle
    scene = np.full((200, 200, 3), 255, np.uint8)
    laying.lay(scene, face, laying.Laid(0, 100.0, 100.0, 96, 90.0))
    dark = np.argwhere(scene[..., 0] < 100)
    assert dark[:, 1].mean() > 120  # now to the right of it
    assert abs(dark[:, 0].mean() - 100) < 2


def test_a_face_over_the_edge_of_the_scene_is_cut(script: Any) -> None:
    laying = script("laying")
    for x, y in ((-10.0, 50.0), (50.0, 205.0), (400.0, 400.0), (-400.0, 50.0)):
        scene = np.zeros((200, 200, 3), np.uint8)
        laying.lay(scene, np.full((48, 48), 255, np.uint8), laying.Laid(0, x, y, 60))
        assert scene.any() == (abs(x) < 300)


def test_a_film_that_is_turned_keeps_its_truth(script: Any) -> None:
    films = script("films")
    image = np.zeros((60, 100, 3), np.uint8)
    image[10:20, 70:80] = 255
    film = films._film("clip", [Frame(image, 0, 0.0, 0.0, "x")], [[Box(70, 10, 10, 10)]])
    for degrees in (20, 45, 90):
        turned = films.turned(film, degrees, "turned")
        (box,), picture = turned.truth[0], turned.frames[0].image[..., 0]
        rows, columns = np.nonzero(picture > 128)
        assert abs(rows.mean() + 0.5 - (box.y + box.height / 2)) < 1
        assert abs(columns.mean() + 0.5 - (box.x + box.width / 2)) < 1


def test_a_smaller_film_keeps_its_truth(script: Any) -> None:
    films = script("films")
    image = np.zeros((60, 100, 3), np.uint8)
    film = films._film("clip", [Frame(image, 0, 0.0, 0.0, "x")], [[Box(70, 10, 12, 20)]])
    small = films.smaller(film, 2, "half")
    assert small.truth == [[Box(35, 5, 6, 10)]]
    assert small.frames[0].image.shape == (30, 50, 3)


def test_what_is_shown_is_held_against_the_truth(script: Any) -> None:
    crowds, tally = script("crowds"), script("tally")
    here, there = Box(10, 10, 30, 30), Box(200, 10, 60, 60)
    people = [[crowds.Person(0, here), crowds.Person(1, there)]] * 3
    shown = [
        [],
        [(here, "happy", 1), (Box(100, 100, 20, 20), "sad", 2)],
        [(there, "happy", 1), (here, "happy", 3)],
    ]
    counted = tally.tally(people, shown)
    assert (counted.due, counted.found, counted.false, counted.first) == (6, 3, 1, 2)
    assert (counted.frames_due, counted.frames_found) == (3, 1)
    assert counted.id_switches == 1  # the face at the left was 1 and is 3
    assert counted.due_by_size == {24: 3, 48: 3}
    assert counted.found_by_size == {24: 2, 48: 1}
    assert counted.as_dict()["recall_by_size"] == {"24": 0.6667, "48": 0.3333}


def test_a_face_that_need_not_be_shown_is_neither_missed_nor_false(script: Any) -> None:
    crowds, tally = script("crowds"), script("tally")
    hidden = crowds.Person(0, Box(10, 10, 30, 30), due=False)
    counted = tally.tally([[hidden], [hidden]], [[(Box(10, 10, 30, 30), "sad", None)], []])
    assert (counted.due, counted.false, counted.first) == (0, 0, None)


def test_two_boxes_on_one_face_are_one_face_and_one_false_box(script: Any) -> None:
    crowds, tally = script("crowds"), script("tally")
    face = crowds.Person(0, Box(10, 10, 30, 30))
    counted = tally.tally([[face]], [[(Box(12, 12, 30, 30), "sad", 1), (Box(10, 10, 30, 30), "sad", 2)]])
    assert (counted.found, counted.false) == (1, 1)


def test_a_face_hidden_by_another_is_not_due(script: Any) -> None:
    crowds, laying = script("crowds"), script("laying")
    behind, before = laying.Laid(0, 100.0, 100.0, 50), laying.Laid(1, 115.0, 100.0, 50)
    assert [person.due for person in crowds._people([behind, before])] == [False, True]
