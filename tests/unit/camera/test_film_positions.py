"""Frames of films carry their position, and a part of a film is what straight reading gives of it."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge_fer.camera.files import open_files
from edge_fer.camera.film_part import FilmPart
from edge_fer.camera.settings import CameraSettings
from edge_fer.camera.videos import VideoFile, open_video
from edge_fer.errors import ConfigError, EndOfStream, SourceError
from tests.camera_fakes import FakeCapture, picture
from tests.logs import logged
from tests.stream_servers import frames_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge_fer.protocols import FrameSource
    from edge_fer.types import Frame

pytest.importorskip("av", reason="needs the extra video to make films")

from tests.unit.sinks.test_film import make_film

UNEVEN = (*(number / 25 for number in range(250)), *(10.0 + number / 2 for number in range(60)))
"""Quick for ten seconds and slow for thirty: where a search by number of frames goes wrong."""
SUFFIXES = (".mkv", ".mp4", ".mov", ".ts")


def frames_of(source: FrameSource) -> list[Frame]:
    frames, _ = frames_until(source, EndOfStream)
    source.close()
    return frames


def positions(frames: Sequence[Frame]) -> list[float]:
    assert all(frame.position is not None for frame in frames)
    return [frame.position or 0.0 for frame in frames]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_positions_are_the_films_own_timestamps(tmp_path: Path, suffix: str) -> None:
    frames = frames_of(open_video(make_film(tmp_path / f"film{suffix}", times=UNEVEN, sound=None)))
    assert positions(frames) == pytest.approx(UNEVEN, abs=0.002)
    assert [frame.captured_at for frame in frames] == positions(frames)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_pictures_that_begin_after_the_sound_keep_their_positions(tmp_path: Path, suffix: str) -> None:
    times = tuple(number / 10 for number in range(12))
    film = make_film(tmp_path / f"late{suffix}", times=times, late_seconds=0.73)
    # The sound begins with what its encoder needs to get under way: up to 1024 samples before.
    assert positions(frames_of(open_video(film))) == pytest.approx([0.73 + time for time in times], abs=0.03)


@pytest.mark.parametrize(("suffix", "begin"), [(".mkv", 0.73), (".mp4", 0.73), (".ts", 0.0)])
def test_without_the_extra_a_late_start_is_known_to_the_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, begin: float
) -> None:
    times = tuple(number / 10 for number in range(12))
    film = make_film(tmp_path / f"late{suffix}", times=times, late_seconds=0.73)
    monkeypatch.setitem(sys.modules, "av", None)
    found = positions(frames_of(open_video(film)))
    assert found[0] == pytest.approx(begin, abs=0.05)
    assert [later - earlier for earlier, later in pairwise(found)] == pytest.approx([0.1] * 11, abs=0.002)


def test_a_recording_with_a_running_clock_begins_at_zero(tmp_path: Path) -> None:
    times = tuple(number / 10 for number in range(12))
    film = make_film(tmp_path / "recording.ts", times=times, late_seconds=3600.0, sound_late_seconds=3600.0)
    assert positions(frames_of(open_video(film))) == pytest.approx(times, abs=0.03)


def test_pictures_have_no_position_and_films_among_them_do(tmp_path: Path) -> None:
    make_film(tmp_path / "a.mp4", times=(0.0, 0.5), sound=None)
    (tmp_path / "b.png").write_bytes(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    found = [frame.position for frame in frames_of(open_files([tmp_path], CameraSettings()))]
    assert found == [pytest.approx(0.0), pytest.approx(0.5), None]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "part",
    [
        FilmPart(start_seconds=0.02),
        FilmPart(start_seconds=7.0, end_seconds=7.2),
        FilmPart(start_seconds=36.2),
        FilmPart(end_seconds=0.2),
        FilmPart(every_seconds=1.0),
        FilmPart(every_seconds=0.3, end_seconds=20.0),
        FilmPart(start_seconds=25.0, end_seconds=33.0, every_seconds=2.5),
    ],
    ids=str,
)
def test_a_part_is_what_straight_reading_gives_of_it(tmp_path: Path, suffix: str, part: FilmPart) -> None:
    film = make_film(tmp_path / f"film{suffix}", times=UNEVEN, sound=None)
    expected, due = [], part.start_seconds
    for frame in frames_of(open_video(film)):
        assert frame.position is not None
        if part.end_seconds is not None and frame.position >= part.end_seconds - 0.0005:
            break
        if frame.position >= due - 0.0005:
            expected.append(frame)
            while part.every_seconds is not None and due <= frame.position + 0.0005:
                due += part.every_seconds
    frames = frames_of(open_video(film, part=part))
    assert positions(frames) == pytest.approx(positions(expected), abs=0.002)
    assert [frame.seq for frame in frames] == list(range(len(expected)))
    for one, other in zip(frames, expected, strict=True):
        assert np.array_equal(one.image, other.image)


def test_a_part_of_a_capture_that_cannot_leave_out_pictures_is_read_all_the_same() -> None:
    capture = FakeCapture(
        lambda index: (index < 100, picture(index) if index < 100 else None), properties={cv2.CAP_PROP_FPS: 10.0}
    )
    film = VideoFile(capture, "a film", part=FilmPart(start_seconds=2.0, end_seconds=5.0, every_seconds=1.0))
    assert [int(frame.image[0, 0, 0]) for frame in frames_of(film)] == [20, 30, 40]


def test_the_rate_and_number_of_frames_are_those_of_the_part(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", times=tuple(number / 10 for number in range(200)), sound=None)
    info = open_video(film, part=FilmPart(start_seconds=5.0, end_seconds=15.0, every_seconds=2.0)).info
    assert (info.fps, info.frame_count) == (pytest.approx(0.5), 5)


def test_a_part_that_ends_early_is_not_called_a_film_that_breaks_off(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", times=UNEVEN, sound=None)
    with logged("edge_fer.camera") as lines:
        frames_of(open_video(film, part=FilmPart(end_seconds=3.0)))
        frames_of(open_video(film, part=FilmPart(every_seconds=15.0)))
        frames_of(open_video(film, part=FilmPart(start_seconds=36.0)))
    assert lines == []


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (FilmPart(start_seconds=100.0), "from 100 s on"),
        (FilmPart(start_seconds=10.1, end_seconds=10.2), "in the part that is asked for"),
    ],
)
def test_a_part_without_a_picture_is_one_line(tmp_path: Path, part: FilmPart, said: str) -> None:
    film = make_film(tmp_path / "film.mp4", times=UNEVEN, sound=None)
    with pytest.raises(SourceError, match=said):
        open_video(film, part=part)


def test_of_several_films_a_shorter_one_is_left_out_with_a_warning(tmp_path: Path) -> None:
    make_film(tmp_path / "a.mp4", times=(0.0, 0.5), sound=None)
    make_film(tmp_path / "b.mp4", times=UNEVEN, sound=None)
    with logged("edge_fer.camera") as lines:
        frames = frames_of(open_files([tmp_path], CameraSettings(part=FilmPart(start_seconds=38.0))))
    assert positions(frames) == pytest.approx([38.0, 38.5, 39.0, 39.5], abs=0.002)
    assert any("a.mp4 has no picture from 38 s on" in line and "left out" in line for line in lines)


@pytest.mark.parametrize(
    "values",
    [
        {"start_seconds": -1.0},
        {"start_seconds": float("nan")},
        {"end_seconds": 0.0},
        {"start_seconds": 5.0, "end_seconds": 5.0},
        {"every_seconds": 0.0},
        {"every_seconds": float("inf")},
    ],
    ids=str,
)
def test_what_is_no_part_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        FilmPart(**values)
