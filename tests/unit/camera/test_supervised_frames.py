"""A camera that is open and mute, frozen, or gives frames that are no use: given up after the stall time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.camera_fakes import picture
from tests.camera_rig import STALL

if TYPE_CHECKING:
    from edge_fer.types import Image


def test_a_mute_one_is_given_up_after_the_stall_time_and_not_before(rig):
    rig.spend(1)
    rig.camera.gives = lambda index: None
    rig.spend(STALL - 0.5)
    assert rig.source.state.up
    rig.spend(1)
    assert not rig.source.state.up
    assert rig.told == ["camera 7 has given no frame for 5 s; waiting for it"]


def test_one_that_opens_and_stays_mute_is_listened_to_and_back_at_once(rig):
    rig.spend(1)
    rig.camera.gives = lambda index: None
    rig.spend(120)
    # An attempt lasts as long as the pause to the next, so that it is nearly always open and listening.
    rig.camera.gives = picture
    rig.spend(1)
    assert rig.source.state.up
    assert len(rig.told) == 2


def test_the_same_picture_for_ever_is_a_frozen_camera(rig):
    rig.spend(1)
    rig.camera.gives = lambda index: picture(7)
    rig.spend(STALL + 1)
    assert not rig.source.state.up
    assert rig.told == ["camera 7 has given the same picture for 5 s; waiting for it"]
    given = len(rig.seqs)
    rig.spend(100)
    assert len(rig.seqs) == given
    assert len(rig.told) == 1
    assert len(rig.camera.sources) < 12
    rig.camera.gives = picture
    rig.spend(1)
    assert rig.source.state.up
    assert len(rig.told) == 2


def test_a_still_scene_with_noise_is_no_frozen_camera(rig):
    def nearly_the_same(index: int) -> Image:
        image = picture(7)
        image[11, 13, 0] = index % 2
        return image

    rig.camera.gives = nearly_the_same
    rig.spend(60)
    assert rig.source.state.up
    assert rig.told == []


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (np.empty((0, 0, 3), np.uint8), "empty or broken frames"),
        (None, "no frame for 5 s"),
        (picture(1, 32, 24), "frames of 32x24 instead of 64x48"),
        (picture(1)[:, :, 0], "frames of another kind than before"),
        (np.zeros((48, 64, 3), np.uint16), "empty or broken frames"),
    ],
    ids=["empty", "none", "size", "grey", "16 bits"],
)
def test_frames_that_are_no_use_are_a_loss_after_the_stall_time(rig, bad, said):
    rig.spend(1)
    rig.camera.gives = lambda index: bad
    rig.spend(STALL + 0.5)
    assert not rig.source.state.up
    assert len(rig.told) == 1
    assert said in rig.told[0]


def test_a_few_wrong_frames_are_thrown_away_and_counted(rig):
    rig.camera.gives = lambda index: picture(index, 32, 24) if index in (2, 3) else picture(index)
    for _ in range(6):
        rig.read()
    assert rig.seqs == [0, 1, 4, 5]
    assert (rig.source.state.up, rig.source.state.bad_frames, rig.told) == (True, 2, [])


def test_another_size_is_taken_once_it_was_opened_anew(rig):
    rig.spend(1)
    rig.camera.gives = lambda index: picture(index, 32, 24)
    rig.spend(STALL + 10)
    assert rig.source.state.up
    frame = rig.read()
    assert frame is not None
    assert (frame.width, frame.height) == (32, 24)


def test_a_source_whose_frames_come_in_lumps_is_given_the_time_between_them(rig):
    rig.spend(1)
    rig.camera.sources[-1].silence_seconds = 18.0
    rig.camera.gives = lambda index: None
    rig.spend(STALL + 10)
    assert rig.source.state.up
    rig.spend(5)
    assert not rig.source.state.up
