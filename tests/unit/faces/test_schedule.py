"""Which steps of a search are done in which frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge_fer.faces.schedule import SearchPlan, SearchSchedule
from edge_fer.faces.tracking_settings import TrackingSettings

PLAN = SearchPlan(2, (2, 3, 2, 4), frozenset({4}), coarse_per_other=2, with_first=(2,))
NOISE = np.random.default_rng(0)


def run(settings: TrackingSettings, visible: int, frames: int, fps: float = 30.0) -> list[tuple[int, ...]]:
    """The steps done in each frame of a scene that moves, with so many faces in sight after the first frame."""
    schedule, done = SearchSchedule(settings), []
    for number in range(frames):
        image = NOISE.integers(0, 256, (48, 64), np.uint8)
        in_sight = visible if number else 0
        due = schedule.due(image, number, number / fps, bool(in_sight))
        if due or schedule.is_spread:
            done.append(schedule.take(PLAN, number, number / fps, in_sight, just_lost=False))
        else:
            done.append(())
    return done


def test_the_first_frame_is_searched_for_most_faces_and_the_next_ones_for_the_rest() -> None:
    done = run(TrackingSettings(), 0, 40)
    assert done[0] == (0, 1, 2)
    assert set(done[1] + done[2]) <= set(PLAN.others)


def test_with_nobody_in_sight_all_steps_come_by_turns_and_the_coarse_ones_most_often() -> None:
    done = run(TrackingSettings(search_every=3), 0, 90)
    assert {step for steps in done for step in steps} == set(PLAN.all)
    assert sum(steps[:2] == (0, 1) for steps in done) >= 12


def test_with_a_face_in_sight_a_frame_takes_one_step_at_most() -> None:
    done = run(TrackingSettings(detect_every=12), 1, 120)
    assert all(len(steps) <= 1 for steps in done[1:])
    steps = [one for taken in done[1:] for one in taken]
    assert steps.count(0) == steps.count(1)
    assert 8 <= steps.count(0) <= 10
    assert set(PLAN.others) <= set(steps)


def test_slow_frames_are_searched_by_time() -> None:
    done = run(replace(TrackingSettings(), detect_every=12), 1, 20, fps=2.0)
    assert all(done[1:])


def test_where_several_people_appear_the_other_steps_follow_at_once() -> None:
    done = run(TrackingSettings(detect_every=12), 3, 40)
    steps = [one for taken in done[1:] for one in taken]
    assert steps.count(2) + steps.count(3) + steps.count(4) >= 4
    assert all(len(taken) <= 1 for taken in done[1:])


def first_search(found: int) -> tuple[SearchSchedule, tuple[int, ...]]:
    schedule = SearchSchedule(TrackingSettings())
    assert schedule.take(PLAN, 0, 0.0, 0, just_lost=False) == PLAN.first
    return schedule, schedule.rest(found)


def test_a_crowd_or_nobody_in_the_first_frame_asks_for_all_other_steps_at_once() -> None:
    for found in (0, 2, 9):
        schedule, rest = first_search(found)
        assert rest == (3, 4)
        assert schedule.rest(found) == ()


def test_one_face_in_the_first_frame_does_not() -> None:
    _, rest = first_search(1)
    assert rest == ()


def test_more_people_than_before_are_owed_each_step_once() -> None:
    schedule, _ = first_search(1)
    done: list[tuple[int, ...]] = []
    for number in range(1, 14):
        if schedule.due(NOISE.integers(0, 256, (48, 64), np.uint8), number, number / 30, in_sight=True):
            done.append(schedule.take(PLAN, number, number / 30, 1 if number < 2 else 3, just_lost=False))
        elif schedule.is_spread:
            done.append(schedule.take(PLAN, number, number / 30, 3, just_lost=False))
    others = [step for taken in done for step in taken if step >= PLAN.coarse]
    assert sorted(others) == sorted(set(PLAN.others))


def test_right_after_all_steps_more_people_do_not_ask_for_them_again() -> None:
    schedule, rest = first_search(5)
    assert rest
    schedule.take(PLAN, 1, 1 / 30, 7, just_lost=False)
    assert not any(schedule.due(np.zeros((48, 64), np.uint8), number, number / 30, in_sight=True) for number in (2, 3))
