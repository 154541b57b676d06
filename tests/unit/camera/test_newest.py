"""The newest frame wins, drops are counted, and nothing waits for ever."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from edge_fer.camera._newest import FAILURES_UNTIL_LOST, NewestFrameReader
from edge_fer.errors import SourceError, SourceLost, SourceTimeout
from edge_fer.types import SourceInfo
from tests.camera_fakes import FakeCapture, picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONG = 20.0


@pytest.fixture
def open_reader() -> Iterator[Callable[..., NewestFrameReader]]:
    """Open readers that are closed when the test is over."""
    opened: list[tuple[FakeCapture, NewestFrameReader]] = []

    def open_one(
        capture: FakeCapture, open_timeout_seconds: float | None = LONG, interrupt: Callable[[], None] = lambda: None
    ) -> NewestFrameReader:
        def describe(_: object) -> SourceInfo:
            return SourceInfo("camera 7", live=True, width=None, height=None, fps=15.0)

        reader = NewestFrameReader(lambda: capture, describe, "plug it in", "camera 7", open_timeout_seconds, interrupt)
        opened.append((capture, reader))
        return reader

    yield open_one
    for capture, reader in opened:
        capture.allow(1000)
        reader.close()


def let_through(capture: FakeCapture, count: int) -> None:
    """Let the thread take so many frames, and wait until it asks for the one after them."""
    capture.allow(count)
    for _ in range(count):
        assert capture.waiting.acquire(timeout=LONG)


def opened_with_one_frame(
    open_reader: Callable[..., NewestFrameReader], **options: float
) -> tuple[FakeCapture, NewestFrameReader]:
    capture = FakeCapture(permits=1)
    reader = open_reader(capture, **options)
    assert capture.waiting.acquire(timeout=LONG)
    assert capture.waiting.acquire(timeout=LONG)
    return capture, reader


def test_only_the_newest_frame_is_kept_and_the_others_are_counted(open_reader):
    capture, reader = opened_with_one_frame(open_reader)
    let_through(capture, 4)
    frame = reader.read(LONG)
    assert (frame.seq, int(frame.image[0, 0, 0])) == (4, 4)
    assert reader.dropped == 4


def test_a_frame_that_was_read_is_no_drop(open_reader):
    capture, reader = opened_with_one_frame(open_reader)
    assert reader.read(LONG).seq == 0
    let_through(capture, 1)
    assert reader.read(LONG).seq == 1
    assert reader.dropped == 0


def test_no_frame_is_given_twice(open_reader):
    _, reader = opened_with_one_frame(open_reader)
    reader.read(LONG)
    with pytest.raises(SourceTimeout, match="camera 7"):
        reader.read(0.01)


def test_what_was_obtained_is_told(open_reader):
    _, reader = opened_with_one_frame(open_reader)
    assert (reader.info.width, reader.info.height, reader.info.fps) == (64, 48, 15.0)


def test_capture_times_never_go_back(open_reader):
    capture, reader = opened_with_one_frame(open_reader)
    first = reader.read(LONG)
    let_through(capture, 1)
    assert reader.read(LONG).captured_at >= first.captured_at


def test_a_frame_in_hand_is_given_before_the_loss_is_told(open_reader):
    capture = FakeCapture(lambda index: (True, picture(index)) if index < 3 else (False, None))
    reader = open_reader(capture)
    assert capture.released.wait(LONG)
    assert reader.read(LONG).seq == 2
    with pytest.raises(SourceLost, match="camera 7"):
        reader.read(LONG)


def test_a_few_failed_reads_are_forgiven(open_reader):
    failing = range(1, FAILURES_UNTIL_LOST)
    capture = FakeCapture(
        lambda index: (False, None) if index in failing else (True, picture(index)), permits=1 + FAILURES_UNTIL_LOST
    )
    reader = open_reader(capture)
    for _ in range(2 + FAILURES_UNTIL_LOST):
        assert capture.waiting.acquire(timeout=LONG)
    assert reader.read(LONG).seq == 1


def test_without_waiting_it_is_there_at_once_and_reading_tells_what_came_of_it(open_reader):
    capture = FakeCapture(permits=0)
    reader = open_reader(capture, open_timeout_seconds=None)
    assert (reader.info.name, reader.info.width) == ("camera 7", None)
    with pytest.raises(SourceTimeout):
        reader.read(0.01)
    capture.allow()
    assert reader.read(LONG).seq == 0
    assert reader.info.width == 64


def test_without_waiting_a_refusal_comes_with_the_first_read():
    def refuses() -> FakeCapture:
        raise SourceError("camera 7 is busy")

    reader = NewestFrameReader(refuses, lambda _: SourceInfo("x", True, None, None, None), "", "camera 7", None)
    with pytest.raises(SourceError, match="busy"):
        reader.read(LONG)


def test_it_tells_when_its_thread_has_let_go_of_the_device(open_reader):
    capture, reader = opened_with_one_frame(open_reader)
    reader.close()
    assert not reader.released
    capture.allow()
    assert capture.released.wait(LONG)
    reader._thread.join(LONG)
    assert reader.released


def test_closing_interrupts_a_read_where_that_is_possible(open_reader):
    capture = FakeCapture(permits=1)
    reader = open_reader(capture, interrupt=lambda: capture.allow(1))
    reader.close()
    assert reader.released


def test_the_capture_is_released_on_close(open_reader):
    capture = FakeCapture()
    reader = open_reader(capture)
    reader.close()
    assert capture.released.is_set()


def test_close_may_be_called_again_and_reading_then_fails(open_reader):
    reader = open_reader(FakeCapture())
    reader.close()
    reader.close()
    with pytest.raises(SourceLost, match="closed"):
        reader.read(LONG)


def test_close_wakes_a_reader_that_waits(open_reader):
    _, reader = opened_with_one_frame(open_reader)
    reader.read(LONG)
    seen: list[Exception] = []

    def wait_for_frame() -> None:
        try:
            reader.read(LONG)
        except SourceError as error:
            seen.append(error)

    waiting = threading.Thread(target=wait_for_frame)
    waiting.start()
    reader.close()
    waiting.join(LONG)
    assert isinstance(seen[0], SourceLost)
