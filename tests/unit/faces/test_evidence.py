"""What keeps a track alive, and what makes a finding a face: scenes with known truth, and detectors that are fakes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edge_fer.faces.crop_looking import CropLooker
from edge_fer.faces.geometry import Place
from edge_fer.faces.looking import Manner, Sighting
from edge_fer.faces.schedule import SearchPlan, StepReach
from edge_fer.faces.template import match, remember
from edge_fer.faces.track import LEAST_STEPS, MOVING_PROOF_SECONDS, STILL_PROOF_SECONDS
from edge_fer.faces.tracking import FaceTracker
from edge_fer.faces.tracking_settings import TrackingSettings
from edge_fer.picture import Picture
from edge_fer.types import Box, Face, Frame, Image, Landmarks

FPS = 30.0
SCENE = np.random.default_rng(3).integers(0, 256, (240, 320), np.uint8)
MARKS = ((-0.2, -0.15), (0.2, -0.15), (0.0, 0.05), (-0.15, 0.25), (0.15, 0.25))
"""Landmarks about the middle of a face, in sides."""


def landmarks(x: float, y: float, side: float) -> Landmarks:
    return Landmarks(*((x + right * side, y + down * side) for right, down in MARKS))


class WhereItIs:
    """A search in two steps, the second of which cannot see the face, and a look: both find it for a while only."""

    def __init__(self, search_until: int, *, strong_looks: bool, score: float | None, reaches: bool = True) -> None:
        self.until, self.strong, self.score, self.reaches = search_until, strong_looks, score, reaches
        self.frame, self.place = 0, Place(160, 120, 40)

    usual, fallbacks = Manner("second"), ()

    def plan(self, width: int, height: int) -> SearchPlan:
        whole = Box(0, 0, width, height)
        reaches = (StepReach(whole, 20, 100), StepReach(whole, 150, 300)) if self.reaches else None
        return SearchPlan(1, (1,), reaches=reaches)

    def detect(self, picture: Picture) -> list[Face]:
        return self.detect_step(picture, 0)

    def detect_step(self, picture: Picture, step: int) -> list[Face]:
        if step or self.frame > self.until:
            return []
        marks = None if self.score is None else landmarks(self.place.x, self.place.y, self.place.side)
        return [Face(self.place.box(), None, self.score, marks)]

    def look(self, picture: Picture, expected: Place, manner: Manner = usual, *, reach: float = 0.3) -> list[Sighting]:
        near = expected.distance(self.place) < 1
        return [Sighting(self.place, 5, manner, self.strong, None, self.score)] if near else []


def frames_in_sight(fake: WhereItIs, seconds: float, pixels_a_frame: float = 0.0) -> int:
    tracker = FaceTracker(fake, fake, TrackingSettings(detect_every=6))
    seen = 0
    for number in range(round(seconds * FPS)):
        fake.frame = number
        fake.place = Place(60 + pixels_a_frame * number, 120, 40)
        image = np.roll(SCENE, round(pixels_a_frame * number), axis=1)
        seen += len(tracker.follow(Frame(image, number, number / FPS, 0.0, "test")).faces) > 0
    return seen


@pytest.mark.parametrize("score", [None, 0.8], ids=["cascade", "network"])
def test_a_still_face_that_searches_no_longer_find_is_dropped_within_seconds(score: float | None) -> None:
    seen = frames_in_sight(WhereItIs(30, strong_looks=False, score=score), 6.0)
    # The last search that found it was in one of the six frames before.
    assert 24 + STILL_PROOF_SECONDS * FPS <= seen <= 30 + (STILL_PROOF_SECONDS + 1.5) * FPS


@pytest.mark.parametrize("score", [None, 0.8], ids=["cascade", "network"])
def test_one_that_moves_is_kept_for_longer(score: float | None) -> None:
    still = frames_in_sight(WhereItIs(30, strong_looks=False, score=score), 6.0)
    moving = frames_in_sight(WhereItIs(30, strong_looks=False, score=score), 6.0, pixels_a_frame=1.0)
    assert moving > still
    assert MOVING_PROOF_SECONDS > STILL_PROOF_SECONDS


@pytest.mark.parametrize("score", [None, 0.8], ids=["cascade", "network"])
def test_looks_beyond_doubt_keep_it(score: float | None) -> None:
    assert frames_in_sight(WhereItIs(30, strong_looks=True, score=score), 6.0) == round(6 * FPS)


@pytest.mark.parametrize("score", [None, 0.8], ids=["cascade", "network"])
def test_searches_that_find_it_keep_it(score: float | None) -> None:
    assert frames_in_sight(WhereItIs(1000, strong_looks=False, score=score), 6.0) == round(6 * FPS)


def test_only_steps_that_should_have_found_a_face_speak_against_it() -> None:
    whole = Box(0, 0, 640, 480)
    plan = SearchPlan(
        1, (1, 2, 3), reaches=(StepReach(whole, 48, 200), StepReach(Box(0, 0, 300, 480), 24), StepReach())
    )
    face = Place(100, 100, 60)
    assert plan.chances((0, 1, 2), face) == 2
    assert plan.chances((0,), Place(100, 100, 30)) == 0, "too small for the first step"
    assert plan.chances((1,), Place(290, 100, 60)) == 0, "cut by the edge of the part"
    assert plan.chances((2, 2, 2), face) == 0, "nothing is known of what that step finds"
    assert SearchPlan(1, (1,)).chances((0, 1), face) == 2, "a detector that says nothing finds all"
    assert LEAST_STEPS > 1


class Jumping:
    """A detector for crops that gives a face in the middle, with landmarks that jump from call to call."""

    def __init__(self, score: float | None, jump: float, *, every: int = 1, with_marks: bool = True) -> None:
        self.score, self.jump, self.every, self.with_marks, self.calls = score, jump, every, with_marks, 0

    def detect(self, picture: Picture) -> list[Face]:
        self.calls += 1
        if self.calls % self.every:
            return []
        side = {96: 48, 128: 64}[picture.width]
        off = self.jump * side * (1 if self.calls % 2 else -1)
        mirrored = self.calls % 2 == 0
        half = picture.width / 2
        marks = landmarks(half - off if mirrored else half + off, half, side)
        box = Box(round(half - side / 2), round(half - side / 2), side, side)
        return [Face(box, None, self.score, marks if self.with_marks else None)]


def examined(detector: Jumping, degrees: float = 0.0) -> float:
    return CropLooker(detector).examine(Picture(SCENE), Place(160, 120, 40), degrees)


@pytest.mark.parametrize("degrees", [0.0, 30.0])
def test_a_face_that_looks_alike_in_all_crops_keeps_its_score(degrees: float) -> None:
    steady = Jumping(0.8, 0.0)
    assert examined(steady, degrees) == pytest.approx(0.8, abs=0.02)
    assert steady.calls == 4


def test_landmarks_that_jump_between_crops_take_from_it() -> None:
    assert examined(Jumping(0.8, 0.1)) == pytest.approx(0.8 - 4 * 0.1, abs=0.05)
    assert examined(Jumping(0.8, 0.2)) < examined(Jumping(0.8, 0.1)) < examined(Jumping(0.8, 0.02))


def test_what_few_crops_show_is_none() -> None:
    assert examined(Jumping(0.9, 0.0, every=2)) == -1.0


def test_a_detector_without_scores_or_landmarks_is_taken_at_its_word() -> None:
    assert examined(Jumping(None, 0.0, with_marks=False)) == pytest.approx(0.75)


@pytest.mark.parametrize("side", [19.3, 20.5, 21.0, 23.5, 25.5, 31.0, 40.0])
def test_small_faces_anywhere_in_the_frame_have_a_template_that_finds_them_again(side: float) -> None:
    scene: Image = np.kron(SCENE[:60, :80], np.ones((4, 4), np.uint8))
    for step in range(8):
        place = Place(100 + 0.31 * step, 90 + 0.17 * step, side)
        template = remember(Picture(scene), place)
        assert template is not None
        found, fit = match(Picture(scene), place, template)
        assert fit > 0.8
        assert math.hypot(found.x - place.x, found.y - place.y) < 1.5


def test_a_face_that_the_edge_cuts_has_no_template() -> None:
    assert remember(Picture(SCENE), Place(2, 100, 40)) is None
