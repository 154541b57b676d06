"""How often is searched, and what odd frames, times and settings do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_fer.detectors import FaceSettings
from edge_fer.errors import ConfigError
from edge_fer.faces.detector_settings import DetectorSettings
from edge_fer.faces.haar import HaarFaceDetector
from edge_fer.faces.tracking import EachFrame
from edge_fer.faces.tracking_settings import PRESETS, TrackingSettings
from edge_fer.types import Box, Frame
from tests.scenes import FPS, Actor, Pose, Scene, crowd, still, walk, wall
from tests.tracking_rig import CountingDetector, ListedDetector, follow, tracker


def test_most_frames_are_not_searched() -> None:
    detector = CountingDetector()
    plan = detector.plan(640, 480)
    follow(Scene((Actor("happy", still(300, 200, 140)),), 61), tracker(detector, detect_every=10))
    # The first frame is searched as a whole; each of the later searches is spread over its coarse steps, every second
    # one with a fine step more, and the interval counts from the last step.
    assert len(plan.all) + 4 * plan.coarse <= detector.steps <= len(plan.all) + 6 * plan.coarse + 3


def test_what_a_second_cascade_denies_is_no_face() -> None:
    liar = ListedDetector(Box(40, 40, 90, 90), Box(400, 300, 120, 120))
    follower = tracker(liar)
    assert all(follower.follow(frame).faces == [] for frame in Scene((), 12).film())


def test_at_most_so_many_faces_are_followed() -> None:
    follower = tracker(max_faces=2)
    for frame in crowd(3, 640, 480, 8).film():
        assert len(follower.follow(frame).faces) <= 2


def test_the_same_film_gives_the_same_faces_twice() -> None:
    scene = Scene((Actor("happy", walk((100, 200), (6, 1), 120)), Actor("sad", walk((520, 260), (-6, 0), 110))), 60)
    runs = []
    for _ in range(2):
        follower = tracker()
        runs.append([follower.follow(frame).faces for frame in scene.film()])
    assert runs[0] == runs[1]
    assert any(runs[0])


def test_a_frame_of_another_size_begins_anew() -> None:
    follower = tracker()
    first = Scene((Actor("happy", still(300, 200, 140)),), 1)
    assert [face.track_id for face in follower.follow(first.frame(0)).faces] == [1]
    other = Scene((Actor("happy", still(200, 150, 140)),), 1, width=400, height=320, first_second=0.1)
    assert [face.track_id for face in follower.follow(other.frame(0)).faces] == [2]


def test_an_idle_scene_is_hardly_searched_and_wakes_within_300_ms() -> None:
    detector = CountingDetector()
    follower = tracker(detector, idle_fps=1.0, idle_after_seconds=1.0)
    arrives = 30 * 8
    scene = Scene((Actor("happy", lambda number: Pose(320, 240, 150) if number >= arrives else None),), arrives + 10)
    searches, first_seen = [], None
    for number, frame in enumerate(scene.film()):
        before = detector.steps
        followed = follower.follow(frame)
        searches.append(detector.steps > before)
        if 60 <= number < arrives and not searches[-1]:
            assert not followed.picture.has_grey
        if followed.faces and first_seen is None:
            first_seen = number
    assert sum(searches[60:arrives]) == pytest.approx((arrives - 60) / FPS * 1.0, abs=1)
    assert first_seen is not None
    assert (first_seen - arrives) / FPS <= 0.3


def test_idle_searches_can_be_turned_off() -> None:
    detector = CountingDetector()
    follower = tracker(detector, idle_fps=0.0, idle_after_seconds=0.5)
    for frame in Scene((), 30).film():
        follower.follow(frame)
    before = detector.steps
    for number in range(30, 120):
        follower.follow(Frame(wall(640, 480), number, number / FPS, 0.0, "scene"))
    assert detector.steps == before


@settings(max_examples=12, deadline=None)
@given(
    st.floats(-60, 700),
    st.floats(-60, 540),
    st.floats(40, 420),
    st.tuples(st.floats(-25, 25), st.floats(-25, 25)),
    st.floats(-0.05, 0.05),
)
def test_boxes_stay_inside_the_frame(x: float, y: float, side: float, step: tuple[float, float], growth: float) -> None:
    def pose(number: int) -> Pose:
        return Pose(x + number * step[0], y + number * step[1], side * (1 + growth) ** number)

    follower = tracker()
    for frame in Scene((Actor("happy", pose),), 14).film():
        for face in follower.follow(frame).faces:
            assert face.box == face.box.clipped(frame.width, frame.height)
            assert face.box.area > 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 640), (480, 1), (20, 20), (30, 3000)])
def test_odd_pictures_hold_no_face_and_raise_nothing(shape: tuple[int, int]) -> None:
    follower = tracker()
    for number in range(4):
        assert follower.follow(Frame(np.full(shape, 90, np.uint8), number, number / FPS, 0.0, "odd")).faces == []


def test_times_that_go_back_do_no_harm() -> None:
    scene, follower = Scene((Actor("happy", still(300, 200, 140)),), 12), tracker()
    faces = [
        follower.follow(replace(frame, captured_at=5.0 - number)).faces for number, frame in enumerate(scene.film())
    ]
    assert all(len(found) == 1 for found in faces)


def test_pictures_with_nothing_in_common_have_no_ids() -> None:
    follower = EachFrame(HaarFaceDetector())
    followed = follower.follow(Scene((Actor("happy", still(300, 200, 140)),), 1).frame(0))
    assert [face.track_id for face in followed.faces] == [None]
    assert followed.picture.has_grey


@pytest.mark.parametrize("bad", [{"detect_every": 0}, {"idle_fps": -1.0}, {"bridge_seconds": 61.0}, {"max_faces": 0}])
def test_settings_out_of_range_are_named(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(bad))):
        TrackingSettings(**bad)  # type: ignore[arg-type]


def test_balanced_is_the_default() -> None:
    balanced, own = PRESETS["balanced"], TrackingSettings()
    assert (balanced.detect_every, balanced.search_every, balanced.look_every, balanced.looks_a_frame) == (
        own.detect_every,
        own.search_every,
        own.look_every,
        own.looks_a_frame,
    )
    search = DetectorSettings()
    assert (balanced.scale_factor, balanced.min_face_px) == (search.scale_factor, search.min_face_px)
    assert FaceSettings.of_preset("balanced") == FaceSettings()
