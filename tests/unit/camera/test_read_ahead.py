from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from edge_fer.camera.read_ahead import ReadAhead
from edge_fer.errors import EndOfStream, SourceLost, SourceTimeout
from tests.fakes import EndlessSource, FakeSource, picture

if TYPE_CHECKING:
    from edge_fer.types import Frame

LONG_SECONDS = 10.0


class SlowSource(FakeSource):
    """Gives a frame for each permission."""

    def __init__(self, count: int) -> None:
        super().__init__([picture(seed=seed) for seed in range(count)])
        self.permissions = threading.Semaphore(0)

    def read(self, timeout_seconds: float) -> Frame:
        if not self.permissions.acquire(timeout=timeout_seconds):
            raise SourceTimeout("not yet")
        return super().read(timeout_seconds)


def test_every_frame_comes_once_and_in_order_and_then_the_end() -> None:
    ahead = ReadAhead(FakeSource([picture(seed=seed) for seed in range(20)]))
    assert [ahead.read(LONG_SECONDS).seq for _ in range(20)] == list(range(20))
    for _ in range(2):
        with pytest.raises(EndOfStream):
            ahead.read(LONG_SECONDS)
    ahead.close()


def test_an_error_comes_after_the_frames_before_it() -> None:
    ahead = ReadAhead(FakeSource([picture(), SourceLost("torn")]))
    assert ahead.read(LONG_SECONDS).seq == 0
    with pytest.raises(SourceLost, match="torn"):
        ahead.read(LONG_SECONDS)


def test_it_waits_for_a_slow_source_and_says_when_it_waited_in_vain() -> None:
    source = SlowSource(1)
    ahead = ReadAhead(source)
    with pytest.raises(SourceTimeout):
        ahead.read(0.01)
    source.permissions.release()
    assert ahead.read(LONG_SECONDS).seq == 0
    ahead.close()


def test_it_reads_no_further_ahead_than_asked() -> None:
    source = SlowSource(50)
    for _ in range(50):
        source.permissions.release()
    ahead = ReadAhead(source, frames_ahead=2)
    ahead.read(LONG_SECONDS)
    ahead.close()
    # One was taken, two waited, and one may have been under way.
    assert source._next <= 4


def test_closing_closes_the_source_and_reading_on_says_so() -> None:
    for reads in (0, 1):
        source = EndlessSource(picture(), live=False)
        ahead = ReadAhead(source)
        for _ in range(reads):
            ahead.read(LONG_SECONDS)
        ahead.close()
        ahead.close()
        assert source.closed >= 1
        with pytest.raises(SourceLost):
            ahead.read(LONG_SECONDS)


def test_info_is_that_of_the_source() -> None:
    source = FakeSource([])
    assert ReadAhead(source).info is source.info
