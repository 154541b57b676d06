"""A camera that is absent, pulled out or stuck: noticed, reported once, opened again, and back at work."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from edge_fer.camera._retry import FIRST_SECONDS, LONGEST_SECONDS
from edge_fer.camera.supervisor import CALM_SECONDS, SupervisedSource
from edge_fer.errors import SourceLost, SourceTimeout
from edge_fer.types import SourceInfo
from tests.camera_fakes import picture
from tests.camera_rig import LONG, PATIENCE, STALL, Rig
from tests.fakes import FakeClock
from tests.logs import kept_in

if TYPE_CHECKING:
    from tests.camera_rig import FakeOpened


def test_a_healthy_camera_is_only_handed_on(rig):
    for _ in range(5):
        rig.read()
    assert rig.seqs == [0, 1, 2, 3, 4]
    assert (rig.source.state.up, rig.source.state.reopened, rig.told) == (True, 0, [])


def test_one_that_is_absent_at_the_start_is_waited_for():
    rig = Rig(open_already=False)
    rig.camera.plugged = False
    rig.spend(30)
    assert (rig.source.state.up, rig.source.state.last_error) == (False, "no camera 7")
    assert rig.source.info.requested_width == 640
    rig.camera.plugged = True
    rig.spend(30)
    assert rig.seqs[0] == 0
    assert (rig.source.state.up, rig.source.state.reopened) == (True, 0)
    assert rig.source.info.width == 64
    assert len(rig.told) == 2
    assert rig.told[0] == "no camera 7; waiting for it"
    assert "is there after" in rig.told[1]
    rig.source.close()


def test_one_that_is_pulled_out_is_told_once_and_comes_back(rig):
    rig.spend(2)
    rig.camera.plugged = False
    rig.spend(60)
    assert not rig.source.state.up
    assert rig.told == ["camera 7 gives no more frames; waiting for it"]
    assert rig.camera.sources[0].closed
    rig.camera.plugged = True
    rig.spend(31)
    assert (rig.source.state.up, rig.source.state.reopened) == (True, 1)
    assert len(rig.told) == 2
    assert rig.told[1].startswith("camera 7 is back after ")
    assert rig.told[1].endswith("s: 64x48 at 15 FPS")


def test_numbers_go_on_over_an_outage(rig):
    rig.spend(2)
    rig.camera.plugged = False
    rig.spend(5)
    before = len(rig.seqs)
    rig.camera.plugged = True
    rig.spend(10)
    assert len(rig.seqs) > before
    assert all(later == earlier + 1 for earlier, later in pairwise(rig.seqs))


def test_pauses_double_from_1_to_30_seconds_and_attempts_never_pile_up(rig):
    rig.read()
    rig.camera.plugged = False
    rig.spend(200, step=0.25)
    lost_at, attempts = 100.0, rig.camera.opened_at[1:]
    pauses = [round(later - earlier) for earlier, later in pairwise([lost_at, *attempts])]
    assert pauses[:6] == [1, 2, 4, 8, 16, 30]
    assert set(pauses[6:]) == {30}
    assert (FIRST_SECONDS, LONGEST_SECONDS) == (1.0, 30.0)


def test_waiting_does_not_spin(rig):
    rig.camera.plugged = False
    rig.settle()
    start = time.monotonic()
    for _ in range(3):
        with pytest.raises(SourceTimeout):
            rig.source.read(0.05)
    assert time.monotonic() - start >= 0.1


def test_the_return_of_the_device_file_is_noticed_at_once(tmp_path):
    device = tmp_path / "video7"
    device.touch()
    rig = Rig(device=device)
    rig.read()
    rig.camera.plugged = False
    device.unlink()
    rig.spend(90)
    attempts = len(rig.camera.opened_at)
    rig.camera.plugged = True
    device.touch()
    rig.settle()
    assert len(rig.camera.opened_at) == attempts + 1
    assert rig.source.state.up
    rig.source.close()


def test_a_change_of_permissions_is_worth_an_attempt_too(tmp_path):
    device = tmp_path / "video7"
    device.touch(0o600)
    rig = Rig(open_already=False, device=device)
    rig.camera.plugged = False
    rig.spend(90)
    rig.camera.plugged = True
    device.chmod(0o660)
    rig.settle()
    assert rig.source.state.up
    rig.source.close()


def test_one_that_flaps_keeps_its_long_pauses(rig):
    for _ in range(6):
        rig.camera.plugged = False
        rig.settle()
        rig.camera.plugged = True
        while not rig.source.state.up:
            rig.spend(0.5)
    pauses = [later - earlier for earlier, later in pairwise(rig.camera.opened_at)]
    assert pauses[-1] > 10
    assert len(rig.told) == 12


def test_after_a_calm_time_the_pauses_are_short_again(rig):
    rig.camera.plugged = False
    rig.spend(100)
    rig.camera.plugged = True
    rig.spend(31 + CALM_SECONDS)
    assert rig.source.state.up
    lost_at = rig.clock.now
    rig.camera.plugged = False
    rig.settle()
    rig.camera.plugged = True
    rig.spend(2, step=0.25)
    assert rig.source.state.up
    assert rig.camera.opened_at[-1] - lost_at <= FIRST_SECONDS + 0.5


def test_an_opening_that_fails_for_any_reason_is_an_absent_camera():
    def breaks() -> FakeOpened:
        raise OSError(19, "No such device")

    told: list[str] = []
    source = SupervisedSource(
        breaks,
        SourceInfo("camera 7", True, None, None, None),
        stall_seconds=STALL,
        patience_seconds=PATIENCE,
        clock=FakeClock(),
        log=kept_in(told),
    )
    deadline = time.monotonic() + LONG
    while not told and time.monotonic() < deadline:
        with pytest.raises(SourceTimeout):
            source.read(0.01)
    assert told == ["OSError: [Errno 19] No such device; waiting for it"]


def test_one_stuck_in_the_driver_is_opened_again_when_the_driver_lets_go(rig):
    rig.spend(1)
    stuck = rig.camera.sources[0]
    stuck.released = False
    rig.camera.gives = lambda index: None
    rig.spend(60)
    assert len(rig.camera.sources) == 1
    rig.camera.gives = picture
    stuck.released = True
    rig.spend(1)
    assert len(rig.camera.sources) == 2
    assert rig.source.state.up


def test_one_stuck_in_the_driver_does_not_hold_up_the_device_plugged_in_after_it(tmp_path):
    device = tmp_path / "video7"
    device.touch()
    rig = Rig(device=device)
    rig.read()
    rig.camera.sources[0].released = False
    rig.camera.gives = lambda index: None
    rig.spend(60)
    device.rename(tmp_path / "video8")
    rig.spend(5)
    rig.camera.gives = picture
    device.touch()
    rig.spend(1)
    assert rig.source.state.up
    rig.source.close()


def test_reading_goes_on_while_an_opening_hangs(rig):
    rig.spend(1)
    rig.camera.plugged = False
    rig.camera.may_open.clear()
    rig.spend(100)
    assert len(rig.camera.opened_at) == 2
    rig.camera.plugged = True
    rig.camera.may_open.set()
    rig.spend(1)
    assert rig.source.state.up


def test_what_is_being_opened_when_it_is_closed_is_closed_as_soon_as_it_is_there(rig):
    rig.spend(1)
    rig.camera.plugged = False
    rig.camera.may_open.clear()
    rig.spend(3)
    assert len(rig.camera.opened_at) == 2
    rig.source.close()
    assert not rig.source.released
    rig.camera.plugged = True
    rig.camera.may_open.set()
    for thread in threading.enumerate():
        if thread.name == "open camera 7":
            thread.join(LONG)
    assert rig.camera.sources[-1].closed
    assert rig.source.released


def test_closed_is_closed(rig):
    rig.read()
    rig.source.close()
    rig.source.close()
    assert rig.camera.sources[0].closed
    with pytest.raises(SourceLost, match="closed"):
        rig.source.read(0.01)
    assert rig.told == []


def test_close_wakes_a_read_that_waits_for_the_camera():
    rig = Rig(open_already=False)
    rig.camera.plugged = False
    rig.settle()
    ended = threading.Event()

    def read_until_closed() -> None:
        while True:
            try:
                rig.source.read(0.05)
            except SourceTimeout:
                continue
            except SourceLost:
                ended.set()
                return

    threading.Thread(target=read_until_closed, daemon=True).start()
    rig.source.close()
    assert ended.wait(LONG)
