"""Films whose frames come unevenly."""

from __future__ import annotations

import pytest

from edge_fer.camera.videos import open_video
from edge_fer.errors import EndOfStream
from tests.logs import logged
from tests.stream_servers import frames_until

pytest.importorskip("av", reason="needs the extra video to make one")

from tests.unit.sinks.test_film import make_film

QUICK_THEN_SLOW = (*(number / 25 for number in range(50)), *(2.0 + number / 5 for number in range(40)))


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_a_variable_rate_is_not_called_a_film_that_breaks_off(tmp_path, suffix):
    film = open_video(make_film(tmp_path / f"film{suffix}", times=QUICK_THEN_SLOW, sound=None))
    with logged("edge_fer.camera") as lines:
        frames, _ = frames_until(film, EndOfStream)
    assert len(frames) == len(QUICK_THEN_SLOW)
    assert lines == []
