"""Faces that move, cross, hide, come and go: who keeps an id."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge_fer.types import Box, Frame
from tests.conftest import REPOSITORY
from tests.scenes import Actor, Pose, Scene, crowd, still, walk
from tests.tracking_rig import CountingDetector, follow, tracker

if TYPE_CHECKING:
    from pathlib import Path


def test_a_still_face_is_found_in_the_first_frame_and_kept() -> None:
    outcome = follow(Scene((Actor("happy", still(300, 200, 140)),), 40))
    assert (outcome.found, outcome.false, outcome.ids) == (40, 0, {0: [1]})


@pytest.mark.parametrize("speed", [3.0, 8.0, 14.0])
def test_a_moving_face_keeps_its_id(speed: float) -> None:
    frames = int(380 / speed)
    outcome = follow(Scene((Actor("neutral", walk((120, 200), (speed, 0), 130)),), frames))
    assert outcome.found >= 0.97 * outcome.due
    assert (outcome.false, outcome.ids) == (0, {0: [1]})


def test_a_face_that_comes_nearer_and_goes_away_keeps_its_id() -> None:
    def pose(number: int) -> Pose:
        return Pose(320, 240, 150 + 90 * math.sin(2 * math.pi * number / 90))

    outcome = follow(Scene((Actor("surprise", pose),), 90))
    assert outcome.found >= 0.97 * outcome.due
    assert outcome.ids == {0: [1]}


def test_a_face_that_tilts_by_thirty_degrees_is_not_lost() -> None:
    def pose(number: int) -> Pose:
        return Pose(320, 240, 150, tilt_degrees=30 * math.sin(2 * math.pi * number / 90))

    outcome = follow(Scene((Actor("happy", pose),), 120))
    assert outcome.found >= 0.95 * outcome.due
    assert (outcome.false, outcome.ids) == (0, {0: [1]})


def test_faces_that_cross_keep_their_ids() -> None:
    behind = Actor("surprise", walk((110, 235), (5, 0), 120))
    front = Actor("happy", walk((530, 245), (-5, 0), 130))
    outcome = follow(Scene((behind, front), 84))
    assert outcome.found >= 0.9 * outcome.due
    assert outcome.switches == 0
    # While it is mostly hidden the one behind may still be found, though it is not asked for.
    assert outcome.false <= 16


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ids_are_kept_where_a_camera_drops_frames_now_and_then(seed: int) -> None:
    random = np.random.default_rng(seed)
    passer, stays = Actor("happy", walk((110, 170), (4, 0), 120)), Actor("sad", still(430, 350, 130))
    scene, follower, ids = Scene((passer, stays), 90), tracker(), set[int | None]()
    numbers, missed = np.cumsum(random.integers(1, 5, 30)), 0
    for number in numbers[numbers < 90]:
        faces = follower.follow(scene.frame(int(number))).faces
        missed += 2 - len(faces)
        ids |= {face.track_id for face in faces}
    assert ids == {1, 2}
    assert missed <= 2


@pytest.mark.parametrize(("hidden_frames", "same"), [(20, True), (90, False)])
def test_a_face_that_was_hidden_keeps_its_id_for_a_while(hidden_frames: int, same: bool) -> None:
    def pose(number: int) -> Pose:
        return Pose(300, 220, 140, hidden=30 <= number < 30 + hidden_frames)

    scene = Scene((Actor("neutral", pose),), 60 + hidden_frames)
    outcome = follow(scene, tracker(forget_seconds=1.5))
    assert outcome.ids == {0: [1] if same else [1, 2]}
    assert outcome.found >= outcome.due - 8
    assert outcome.false == 0


def test_who_enters_gets_a_new_id_and_who_leaves_is_gone_at_once() -> None:
    stays = Actor("happy", still(160, 240, 130))
    visits = Actor("surprise", lambda number: Pose(470, 240, 140) if 20 <= number < 70 else None)
    follower, scene, seen = tracker(), Scene((stays, visits), 90), []
    for frame in scene.film():
        seen.append({face.track_id for face in follower.follow(frame).faces})
    assert seen[19] == {1}
    # A search is begun every twelve frames and spread over three.
    assert seen[36] == {1, 2}
    assert seen[69] == {1, 2}
    assert seen[72] == {1}


@pytest.mark.parametrize(("count", "width", "height"), [(1, 640, 480), (3, 640, 480), (8, 960, 720), (20, 1280, 960)])
def test_crowds_keep_their_ids(count: int, width: int, height: int) -> None:
    search = CountingDetector(detect_width=width // 2)
    outcome = follow(crowd(count, width, height, 18), tracker(search))
    assert outcome.found >= 0.9 * outcome.due
    assert len(outcome.ids) >= 0.95 * count
    assert outcome.switches == 0
    assert outcome.false <= 0.02 * outcome.due


@pytest.mark.parametrize("count", [2, 6])
def test_walkers_who_pass_each_other_keep_nearly_all_of_their_ids(count: int) -> None:
    def walker(index: int) -> Actor:
        left, lane = index % 2 == 0, 90 + 300 * index / count
        start, step = (80.0 if left else 560.0, lane), (4.0 if left else -4.0, 0.3)
        return Actor(("happy", "surprise", "neutral", "sad", "angry", "fear")[index], walk(start, step, 84))

    outcome = follow(Scene(tuple(walker(index) for index in range(count)), 110))
    assert outcome.found >= 0.85 * outcome.due
    # Of all meetings none but a few may end with ids exchanged or a face begun again.
    assert outcome.switches <= count // 3
    assert sum(map(len, outcome.ids.values())) <= count + count // 3


def test_the_hard_clip_is_followed_as_one_face_without_a_false_box(shared_data: Path) -> None:
    about = json.loads((REPOSITORY / "benchmarks" / "pipeline" / "one-woman.truth.json").read_text())
    capture, follower, number, missed, ids = (
        cv2.VideoCapture(str(shared_data / "video" / about["film"])),
        tracker(),
        0,
        0,
        set(),
    )
    while (read := capture.read())[0]:
        faces = follower.follow(Frame(read[1], number, number / 24.7, 0.0, "clip")).faces
        (true,) = about["faces"][number]
        near = [face for face in faces if face.box.overlap(Box(*true)) > 0.35]
        assert len(faces) == len(near) <= 1
        missed += not near
        ids |= {face.track_id for face in near}
        number += 1
    assert number == about["frames"]
    assert missed <= 3
    assert ids == {1}
