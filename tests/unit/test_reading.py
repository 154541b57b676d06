"""Which faces are read in which frame."""

from __future__ import annotations

from itertools import pairwise

import pytest

from edge_fer.reading import LONGEST_SECONDS, ReadingSchedule
from edge_fer.types import Box, Face
from tests.fakes import scores_for

STILL = Box(100, 100, 80, 80)
CLEAR = scores_for("happy")


def read(schedule: ReadingSchedule, faces: list[Face], at: float, shown: str = "happy") -> list[bool]:
    chosen = schedule.choose(faces, at)
    for face, one in zip(faces, chosen, strict=True):
        if one:
            schedule.note(face, CLEAR, shown, at)
    return chosen


def test_a_new_face_is_read_at_once_and_a_still_one_every_third_frame() -> None:
    schedule = ReadingSchedule(3)
    reads = [read(schedule, [Face(STILL, 1)], number / 30)[0] for number in range(10)]
    assert reads == [True, False, False] * 3 + [True]


def test_faces_take_turns() -> None:
    schedule = ReadingSchedule(3)
    faces = [Face(Box(100 * number, 0, 80, 80), number) for number in range(9)]
    read(schedule, faces, 0.0)
    counts = [read(schedule, faces, number / 30) for number in range(1, 31)]
    assert all(sum(chosen) <= 3 for chosen in counts[2:])
    for face in range(9):
        frames = [number for number, chosen in enumerate(counts) if chosen[face]]
        assert all(after - before <= 5 for before, after in pairwise(frames))


@pytest.mark.parametrize(
    "changed",
    [
        Face(Box(120, 100, 80, 80), 1),
        Face(Box(100, 119, 80, 80), 1),
        Face(Box(92, 92, 96, 96), 1),
        Face(STILL, 1, measured_roll_degrees=14.0),
        Face(STILL, 2),
        Face(STILL),
    ],
    ids=["moved right", "moved down", "nearer", "turned", "another", "without an id"],
)
def test_what_has_changed_is_read_at_once(changed: Face) -> None:
    schedule = ReadingSchedule(100)
    read(schedule, [Face(STILL, 1)], 0.0)
    assert read(schedule, [Face(STILL, 1)], 0.01) == [False]
    assert read(schedule, [changed], 0.02) == [True]


def test_a_face_that_is_undecided_is_read_in_every_frame() -> None:
    schedule = ReadingSchedule(100)
    for number in range(5):
        assert read(schedule, [Face(STILL, 1)], number / 100, shown="sad") == [True]


@pytest.mark.parametrize("fps", [1.0, 5.0, 30.0, 240.0])
def test_no_face_waits_longer_than_half_a_second(fps: float) -> None:
    schedule = ReadingSchedule(100)
    times = [number / fps for number in range(int(3 * fps))]
    taken = [at for at in times if read(schedule, [Face(STILL, 1)], at)[0]]
    assert all(after - before <= max(LONGEST_SECONDS, 1 / fps) + 2 / fps for before, after in pairwise(taken))


def test_times_that_go_back_are_read() -> None:
    schedule = ReadingSchedule(100)
    assert [read(schedule, [Face(STILL, 1)], at)[0] for at in (5.0, 4.0, 4.01)] == [True, True, False]


def test_one_in_every_frame_is_all() -> None:
    schedule = ReadingSchedule(1)
    assert all(read(schedule, [Face(STILL, 1)], number / 30) == [True] for number in range(5))
