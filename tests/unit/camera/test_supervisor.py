"""A camera that is absent, pulled out, frozen, stuck or broken: noticed, told once, opened again, and back at work."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_fer.camera._retry import FIRST_SECONDS, LONGEST_SECONDS
from edge_fer.camera.supervisor import CALM_SECONDS, SupervisedSource
from edge_fer.errors import SourceError, SourceLost, SourceTimeout
from edge_fer.types import Frame, SourceInfo
from tests.camera_fakes import picture
from tests.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge_fer.types import Image

LONG = 20.0
STALL, PATIENCE = 5.0, 10.0


class FakeCamera:
    """A camera with a plug: each opening gives a fresh source that counts from 0."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.plugged = True
        self.gives: Callable[[int], Image | Exception | None] = picture
        """The picture of a number, an error to raise, or None for no frame in time."""
        self.may_open = threading.Event()
        self.may_open.set()
        self.opened_at: list[float] = []
        self.sources: list[FakeOpened] = []
        self.given = 0

    def open(self) -> FakeOpened:
        self.opened_at.append(self.clock.now)
        assert self.may_open.wait(LONG)
        if not self.plugged:
            raise SourceError("no camera 7")
        self.sources.append(FakeOpened(self))
        return self.sources[-1]


class FakeOpened:
    """One opening of the camera."""

    def __init__(self, camera: FakeCamera) -> None:
        self.camera, self.count, self.closed = camera, 0, 0
        self.info = SourceInfo("camera 7", True, 64, 48, 15.0)
        self.released = True

    def read(self, timeout_seconds: float) -> Frame:
        if self.closed:
            raise SourceLost("camera 7 was closed")
        if not self.camera.plugged:
            raise SourceLost("camera 7 gives no more frames")
        image = self.camera.gives(self.camera.given)
        if image is None:
            raise SourceTimeout("nothing in time")
        if isinstance(image, Exception):
            raise image
        self.camera.given += 1
        self.count += 1
        return Frame(image, self.count - 1, self.camera.clock.now, 0.0, "camera 7")

    def close(self) -> None:
        self.closed += 1


class Rig:
    """A camera under supervision, and time."""

    def __init__(self, *, open_already: bool = True, device: Path | None = None) -> None:
        self.clock = FakeClock()
        self.camera = FakeCamera(self.clock)
        self.told: list[str] = []
        self.seqs: list[int] = []
        self.source = SupervisedSource(
            self.camera.open,
            SourceInfo("camera 7", True, None, None, None, 640, 480, 30.0),
            stall_seconds=STALL,
            patience_seconds=PATIENCE,
            clock=self.clock,
            report=self.told.append,
            first=self.camera.open() if open_already else None,
            device=None if device is None else lambda: device,
        )

    def read(self) -> Frame | None:
        """One read; None where there was nothing."""
        try:
            frame = self.source.read(0.001)
        except SourceTimeout:
            return None
        self.seqs.append(frame.seq)
        return frame

    def settle(self) -> None:
        """Read without time passing until no thread is at work; what can be done at this moment is done."""
        for _ in range(3):
            self.read()
            for thread in threading.enumerate():
                if thread.name in ("open camera 7", "close camera 7") and self.camera.may_open.is_set():
                    thread.join(LONG)

    def spend(self, seconds: float, step: float = 0.5) -> None:
        """Let time pass and read all the while."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.clock.now += step
            self.settle()


@pytest.fixture
def rig() -> Iterator[Rig]:
    """A camera that is there and open."""
    made = Rig()
    yield made
    made.camera.may_open.set()
    made.source.close()


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
        report=told.append,
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
