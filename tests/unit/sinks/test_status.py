from __future__ import annotations

import io

import pytest

from edge_fer.sinks.progress import progress_bar
from edge_fer.sinks.rate import RateMeter
from edge_fer.sinks.runner import SinkFinished
from edge_fer.sinks.status import StatusLine, status_text
from edge_fer.types import Box
from tests.fakes import FakeClock, observation, scored_face

TWO = observation(scored_face(Box(0, 0, 9, 9), "sad"), scored_face(Box(9, 9, 9, 9)), seq=29)


def test_the_line_names_rate_time_and_faces() -> None:
    assert status_text(TWO, 30.0, None) == "frame 29  30.0 FPS  10.5 ms (find 10.0, read 0.5)  sad 70%; happy 70%"
    assert status_text(observation(), None, None) == "frame 0  - FPS  10.5 ms (find 10.0, read 0.5)  no face"


def test_the_line_tells_frames_that_came_too_fast() -> None:
    clock, stream = FakeClock(1.0), io.StringIO()
    line = StatusLine(stream, clock)
    for seq in (3, 4, 9):
        line.write(observation(seq=seq))
    assert "dropped 4, too slow" in stream.getvalue().rsplit("frame 9", 1)[1]


def test_with_a_known_end_the_line_begins_with_a_bar() -> None:
    assert status_text(TWO, 30.0, 120).startswith("[#####---------------]  25 % 30/120  30.0 FPS")


def test_a_live_line_is_written_once_a_second() -> None:
    clock, stream = FakeClock(0.125), io.StringIO()
    line = StatusLine(stream, clock)
    for seq in range(25):
        line.write(observation(seq=seq))
    assert stream.getvalue().count("\r") == 4


def test_the_last_frame_of_a_file_is_always_shown_and_the_line_cleared() -> None:
    clock, stream = FakeClock(0.001), io.StringIO()
    line = StatusLine(stream, clock, frame_count=5)
    for seq in range(5):
        line.write(observation(seq=seq))
    assert "100 % 5/5" in stream.getvalue()
    line.close()
    assert stream.getvalue().rsplit("5/5", 1)[1].endswith(" \r")


def test_a_terminal_that_has_gone_does_not_end_the_run() -> None:
    stream = io.StringIO()
    stream.close()
    with pytest.raises(SinkFinished) as caught:
        StatusLine(stream, FakeClock()).write(observation())
    assert not caught.value.ends_run


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [(0, 4, "[----]   0 % 0/4"), (3, 4, "[###-]  75 % 3/4"), (9, 4, "[####] 100 % 9/4"), (0, 0, "[####] 100 % 0/0")],
)
def test_progress_bar(done: int, total: int, text: str) -> None:
    assert progress_bar(done, total, characters=4) == text


def test_rate_is_measured_over_the_last_seconds() -> None:
    meter = RateMeter(window_seconds=1.0)
    assert meter.tick(0.0) is None
    slow = [meter.tick(at) for at in (0.5, 1.0, 1.5)]
    assert slow[-1] == pytest.approx(2.0)
    fast = [meter.tick(1.5 + 0.1 * number) for number in range(1, 15)]
    assert fast[-1] == pytest.approx(10.0)
