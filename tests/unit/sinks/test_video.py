from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge_fer.errors import SinkError
from edge_fer.sinks.video import VideoSink
from edge_fer.types import Box, SourceInfo, View
from tests.fakes import observation, picture, scored_face

if TYPE_CHECKING:
    from pathlib import Path

FILE = SourceInfo("clip", live=False, width=64, height=48, fps=12.5, frame_count=10)
CAMERA = replace(FILE, live=True, fps=30.0, frame_count=None)


def view(seq: int, width: int = 64, height: int = 48, captured_at: float | None = None) -> View:
    seen = observation(scored_face(Box(5, 5, 30, 30)), seq=seq, captured_at=captured_at)
    return View(seen, picture(width, height, seq))


def frames(path: Path) -> tuple[int, float, tuple[int, ...]]:
    capture = cv2.VideoCapture(str(path))
    count, shape = 0, (0,)
    while True:
        more, frame = capture.read()
        if not more:
            return count, capture.get(cv2.CAP_PROP_FPS), shape
        count, shape = count + 1, frame.shape


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_the_video_plays_with_the_rate_and_size_of_the_source(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    sink = VideoSink(path, FILE)
    for seq in range(10):
        sink.write_view(view(seq))
    assert not path.exists()
    sink.close()
    sink.close()
    count, fps, shape = frames(path)
    assert (count, fps, shape) == (10, pytest.approx(12.5), (48, 64, 3))
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_the_video_is_for_its_owner_alone_from_the_first_frame_on(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "out.mp4", FILE)
    sink.write_view(view(0))
    [part] = tmp_path.iterdir()
    assert part.stat().st_mode & 0o777 == 0o600
    sink.close()
    assert (tmp_path / "out.mp4").stat().st_mode & 0o777 == 0o600


def test_odd_sizes_and_changing_sizes_fit(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    sink = VideoSink(path, FILE)
    for seq, size in enumerate([(65, 49), (30, 200), (300, 20), (1, 1)]):
        sink.write_view(view(seq, *size))
    sink.close()
    assert frames(path)[0] == 4
    assert frames(path)[2] == (48, 64, 3)


def test_without_a_frame_nothing_is_left_behind(tmp_path: Path) -> None:
    VideoSink(tmp_path / "out.mp4", FILE).close()
    assert list(tmp_path.iterdir()) == []


def test_an_older_file_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    sink = VideoSink(path, FILE)
    sink.write_view(view(0))
    assert path.read_bytes() == b"old"
    sink.close()
    assert frames(path)[0] == 1


def test_a_live_source_plays_at_the_speed_of_life(tmp_path: Path) -> None:
    path = tmp_path / "out.avi"
    sink = VideoSink(path, CAMERA)
    for seq, captured_at in enumerate([50.0, 50.1, 50.2, 50.201, 50.5]):
        sink.write_view(view(seq, captured_at=captured_at))
    sink.close()
    assert frames(path)[0] == 16


def test_a_camera_that_was_away_is_not_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "out.avi"
    sink = VideoSink(path, CAMERA)
    for seq, captured_at in enumerate([0.0, 3600.0, 3600.1]):
        sink.write_view(view(seq, captured_at=captured_at))
    sink.close()
    assert frames(path)[0] == 5


@pytest.mark.parametrize(
    ("name", "message"),
    [("out.txt", "end it in"), ("none/out.mp4", "no folder that can be written to"), ("is.mp4", "it is a folder")],
)
def test_a_file_that_cannot_be_written_is_refused_at_once(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "is.mp4").mkdir()
    with pytest.raises(SinkError, match=message):
        VideoSink(tmp_path / name, FILE)


def test_the_face_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "out.avi"
    sink = VideoSink(path, replace(FILE, width=320, height=240))
    plain = np.full((240, 320, 3), 90, np.uint8)
    sink.write_view(View(observation(scored_face(Box(100, 100, 80, 80), "angry")), plain))
    sink.close()
    _, frame = cv2.VideoCapture(str(path)).read()
    assert frame[140, 100, 2] > 150
