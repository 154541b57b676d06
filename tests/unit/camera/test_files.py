"""Files are read frame by frame, to the end, in order."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge_fer.camera.files import open_files, open_picture
from edge_fer.camera.settings import CameraSettings
from edge_fer.camera.videos import NOMINAL_FPS, VideoFile, open_video
from edge_fer.errors import EndOfStream, SourceError, SourceLost
from tests.camera_fakes import FakeCapture, picture

if TYPE_CHECKING:
    from edge_fer.protocols import FrameSource
    from edge_fer.types import Frame


def write_video(path: Path, frames: int = 10, fps: float = 20.0, code: str = "MJPG") -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), fps, (64, 48))
    for index in range(frames):
        writer.write(np.full((48, 64, 3), 20 * index % 256, np.uint8))
    writer.release()
    return path


def write_picture(path: Path, value: int = 100) -> Path:
    path.write_bytes(cv2.imencode(path.suffix, np.full((8, 8, 3), value, np.uint8))[1].tobytes())
    return path


def all_frames(source: FrameSource) -> list[Frame]:
    frames = []
    while True:
        try:
            frames.append(source.read(0.0))
        except EndOfStream:
            return frames


@pytest.mark.parametrize(("name", "code"), [("a.avi", "MJPG"), ("a.mp4", "mp4v")])
def test_every_frame_of_a_video_is_seen_with_its_position(tmp_path, name, code):
    source = open_video(write_video(tmp_path / name, code=code))
    frames = all_frames(source)
    source.close()
    assert [frame.seq for frame in frames] == list(range(10))
    assert [frame.captured_at for frame in frames] == pytest.approx([index / 20 for index in range(10)])
    assert [int(frame.image.mean()) for frame in frames] == pytest.approx([20 * index for index in range(10)], abs=4)
    info = source.info
    assert (info.width, info.height, info.fps, info.frame_count, info.live) == (64, 48, 20.0, 10, False)
    assert info.name == frames[0].source == str(tmp_path / name)


def test_a_video_is_read_no_more_after_closing(tmp_path):
    source = open_video(write_video(tmp_path / "a.avi"))
    source.read(0)
    source.close()
    source.close()
    with pytest.raises(SourceLost, match="closed"):
        source.read(0)


@pytest.mark.parametrize("fps", [0.0, float("nan"), 90_000.0])
def test_a_video_without_a_rate_is_counted_at_the_nominal_one(fps):
    source = VideoFile(FakeCapture(properties={cv2.CAP_PROP_FPS: fps}), "odd")
    source.read(0)
    assert source.info.fps is None
    assert source.read(0).captured_at == pytest.approx(1 / NOMINAL_FPS)


@pytest.mark.parametrize("content", [b"these are words\n" * 50, b"\x00" * 5000], ids=["text", "zeros"])
@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "notes.txt"])
def test_files_that_are_no_videos(tmp_path, capfd, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError, match="no video"):
        open_video(path)
    assert capfd.readouterr().err == ""


def test_a_video_cut_short(tmp_path, capfd):
    data = write_video(tmp_path / "a.mp4", code="mp4v").read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError, match="cut short") as caught:
        open_video(path)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_video_that_breaks_off_ends_early_and_says_so(tmp_path):
    data = write_video(tmp_path / "a.avi", frames=100).read_bytes()
    path = tmp_path / "cut.avi"
    path.write_bytes(data[: len(data) * 2 // 3])
    source = open_video(path)
    frames = all_frames(source)
    with pytest.raises(EndOfStream, match=rf"ended after {len(frames)}\b"):
        source.read(0)
    source.close()
    assert 0 < len(frames) < 100


def test_a_video_that_opens_without_a_frame_is_released():
    capture = FakeCapture(lambda _: (False, None))
    with pytest.raises(SourceError, match="no picture in odd"):
        VideoFile(capture, "odd")
    assert capture.released.is_set()


def test_missing_and_empty_videos(tmp_path):
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(SourceError, match="no such file"):
        open_video(tmp_path / "none.mp4")
    with pytest.raises(SourceError, match="is empty"):
        open_video(tmp_path / "empty.mp4")


def test_a_folder_is_read_in_the_order_of_names_without_what_is_no_picture(tmp_path):
    for name, value in (("b.png", 20), ("a.JPG", 10), ("c.bmp", 30)):
        write_picture(tmp_path / name, value)
    (tmp_path / "notes.txt").write_text("words")
    write_picture(tmp_path / ".hidden.png")
    (tmp_path / "album.jpg").mkdir()
    source = open_files([tmp_path], CameraSettings())
    frames = all_frames(source)
    assert [Path(frame.source).name for frame in frames] == ["a.JPG", "b.png", "c.bmp"]
    assert [int(frame.image.mean()) for frame in frames] == pytest.approx([10, 20, 30], abs=1)
    assert [(frame.seq, frame.captured_at) for frame in frames] == [(0, 0.0), (1, 1.0), (2, 2.0)]
    assert source.skipped.line() == "skipped: 1 folder (use --recursive), 1 not a picture or video"
    assert not source.info.live


def test_bad_pictures_of_a_folder_are_left_out_named_and_counted(tmp_path, caplog):
    write_picture(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    write_picture(tmp_path / "c.png")
    source = open_files([tmp_path], CameraSettings())
    with caplog.at_level(logging.WARNING):
        frames = all_frames(source)
    assert [frame.seq for frame in frames] == [0, 2]
    assert source.failed == 1
    assert "b.png" in caplog.text


def test_a_folder_of_bad_pictures_alone_is_an_error(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"words")
    (tmp_path / "c.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    source = open_files([tmp_path], CameraSettings())
    said = "no picture or video in .*; 1 cannot be read; skipped: 2 not pictures or videos"
    with pytest.raises(SourceError, match=said) as caught:
        source.read(0)
    assert not isinstance(caught.value, EndOfStream)


def test_a_folder_without_pictures(tmp_path):
    with pytest.raises(SourceError, match="no pictures or videos in folder"):
        open_files([tmp_path], CameraSettings())


def test_what_a_folder_holds_is_decided_by_content(tmp_path):
    data = write_picture(tmp_path / "a.png", 10).read_bytes()
    for name in ("b.jfif", "c", "d.jpg_large", "e.mp4", "f.txt"):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "g.jpg").write_text("words")
    (tmp_path / "h.png").touch()
    (tmp_path / "i.jpg").write_bytes(b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(30))
    os.mkfifo(tmp_path / "j.png")
    source = open_files([tmp_path], CameraSettings())
    assert [Path(frame.source).name for frame in all_frames(source)] == [
        "a.png", "b.jfif", "c", "d.jpg_large", "e.mp4", "f.txt",
    ]  # fmt: skip
    for part in ("1 not a picture or video", "1 empty", "1 JPEG XL (save as JPEG)", "1 pipe or device"):
        assert part in source.skipped.line()


def test_videos_and_pictures_come_one_after_the_other_each_as_its_own_source(tmp_path):
    write_video(tmp_path / "a.avi", 4)
    write_picture(tmp_path / "b.png", 10)
    write_video(tmp_path / "c.avi", 3).rename(tmp_path / "c")
    source = open_files([tmp_path], CameraSettings())
    assert source.info.fps == pytest.approx(VideoFile(cv2.VideoCapture(str(tmp_path / "a.avi")), "a").info.fps)
    frames = all_frames(source)
    assert [(Path(frame.source).name, frame.seq) for frame in frames] == [
        ("a.avi", 0), ("a.avi", 1), ("a.avi", 2), ("a.avi", 3), ("b.png", 1), ("c", 0), ("c", 1), ("c", 2),
    ]  # fmt: skip
    assert frames[5].captured_at == 0.0
    assert [source.is_video(str(tmp_path / name)) for name in ("a.avi", "b.png", "c")] == [True, False, True]


def test_files_that_were_named_are_each_reported(tmp_path, caplog):
    write_picture(tmp_path / "a.png")
    (tmp_path / "b.txt").write_text("words")
    source = open_files([tmp_path / "a.png", tmp_path / "b.txt"], CameraSettings())
    assert len(all_frames(source)) == 1
    assert "b.txt" in caplog.text
    assert source.failed == 1


def test_folders_within_are_read_where_asked_and_links_to_folders_are_not_followed(tmp_path):
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    for name in ("z.png", "b/y.png", "b/c/x.png", ".hidden/no.png"):
        write_picture(tmp_path / name)
    (tmp_path / "b" / "round").symlink_to(tmp_path)
    source = open_files([tmp_path], CameraSettings(), recursive=True)
    names = [str(Path(frame.source).relative_to(tmp_path)) for frame in all_frames(source)]
    assert names == ["z.png", "b/y.png", "b/c/x.png"]
    plain = open_files([tmp_path], CameraSettings())
    assert len(all_frames(plain)) == 1
    assert "1 folder (use --recursive)" in plain.skipped.line()


def test_a_picture_is_one_frame(tmp_path):
    path = write_picture(tmp_path / "a.png")
    source = open_picture(path, CameraSettings())
    assert [frame.source for frame in all_frames(source)] == [str(path)]


def test_a_bad_picture_is_told_on_opening(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"words")
    with pytest.raises(SourceError, match="not a picture"):
        open_picture(path, CameraSettings())


def test_closing_ends_a_folder(tmp_path):
    write_picture(tmp_path / "a.png")
    source = open_files([tmp_path], CameraSettings())
    source.close()
    with pytest.raises(EndOfStream):
        source.read(0)


def test_positions_do_not_depend_on_the_clock():
    capture = FakeCapture(lambda index: (index < 3, picture(index)), properties={cv2.CAP_PROP_FPS: 4.0})
    assert [frame.captured_at for frame in all_frames(VideoFile(capture, "v"))] == [0.0, 0.25, 0.5]
