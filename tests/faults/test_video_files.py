"""Videos that are cut, uneven, empty, gigantic or no videos at all: every frame that is there, or one line."""

from __future__ import annotations

import logging
import os
import re
import shutil
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge_fer.camera.opening import CameraSettings, open_source
from edge_fer.errors import EndOfStream, SourceError
from tests.programs import peak_bytes, run_python

if TYPE_CHECKING:
    from edge_fer.types import Frame

FILES = Path(__file__).parent / "files"


def frames_of(path: Path | str, settings: CameraSettings | None = None) -> list[Frame]:
    """All frames of a source, and no more than 200."""
    source = open_source(str(path), settings)
    frames: list[Frame] = []
    try:
        while len(frames) < 200:
            frames.append(source.read(0.0))
    except EndOfStream:
        pass
    finally:
        source.close()
    return frames


def refusal(path: Path | str, settings: CameraSettings | None = None) -> str:
    """The one line that a source is refused with."""
    with pytest.raises(SourceError) as caught:
        frames_of(path, settings)
    assert not isinstance(caught.value, EndOfStream)
    message = str(caught.value)
    assert "\n" not in message
    return message


def motion_jpeg(path: Path, frames: int = 60) -> Path:
    """An AVI with an index at its end."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for index in range(frames):
        writer.write(np.full((48, 64, 3), 4 * index % 256, np.uint8))
    writer.release()
    return path


def shape_and_peak(path: Path) -> tuple[str, int]:
    """Shape of the first frame, or `refused`, and the bytes that opening and reading it took at most."""
    prepare = (
        "from edge_fer.camera.opening import open_source\n"
        "from edge_fer.camera import videos\n"
        "from edge_fer.errors import SourceError"
    )
    work = "try: print(open_source(sys.argv[1]).read(0.0).image.shape)\nexcept SourceError: print('refused')"
    return peak_bytes(prepare, work, path)


@pytest.mark.parametrize("name", ["plain", "ten_bits", "odd_sides", "uneven", "rotated"])
def test_every_frame_comes_as_a_picture_of_8_bits(name: str) -> None:
    frames = frames_of(FILES / f"{name}.mp4")
    assert [frame.seq for frame in frames] == list(range(20))
    assert {frame.image.dtype for frame in frames} == {np.dtype(np.uint8)}
    sides = {"odd_sides": (49, 65, 3), "rotated": (64, 48, 3)}
    assert {frame.image.shape for frame in frames} == {sides.get(name, (48, 64, 3))}


def test_a_rotation_tag_turns_the_picture() -> None:
    plain, turned = (frames_of(FILES / f"{name}.mp4")[0].image.astype(int) for name in ("plain", "rotated"))
    differences = [np.abs(np.rot90(plain, quarter) - turned).mean() for quarter in (1, 3)]
    assert min(differences) < 3 < max(differences)


def test_frames_that_come_unevenly_keep_their_times() -> None:
    times = [frame.captured_at for frame in frames_of(FILES / "uneven.mp4")]
    assert times == pytest.approx([index / 10 for index in range(10)] + [1.0 + index / 2 for index in range(10)])


def test_one_frame() -> None:
    assert len(frames_of(FILES / "one_frame.mp4")) == 1


def test_sound_alone_is_no_video() -> None:
    assert "no video" in refusal(FILES / "audio_only.mp4")


def test_a_size_that_changes_on_the_way() -> None:
    frames = frames_of(FILES / "changing_size.ts")
    assert [frame.image.shape for frame in frames] == [(48, 64, 3)] * 20
    times = [frame.captured_at for frame in frames]
    assert times == sorted(times)
    assert len(set(times)) == len(times)


def test_a_broken_tail_gives_what_is_there_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "cut.mp4"
    data = (FILES / "plain.mp4").read_bytes()
    path.write_bytes(data[: len(data) * 9 // 10])
    with caplog.at_level(logging.WARNING):
        frames = frames_of(path)
    assert 0 < len(frames) < 18
    assert f"breaks off: it gave {len(frames)} of 20 frames" in caplog.text


def test_no_index_at_the_end_of_an_avi(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = motion_jpeg(tmp_path / "whole.avi").read_bytes()
    path = tmp_path / "cut.avi"
    path.write_bytes(whole[: whole.index(b"idx1") * 2 // 3])
    with caplog.at_level(logging.WARNING):
        frames = frames_of(path)
    assert 30 < len(frames) < 50
    assert "breaks off" in caplog.text


def test_no_index_at_all_in_an_mp4(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = (FILES / "plain.mp4").read_bytes()
    path = tmp_path / "no_index.mp4"
    path.write_bytes(data.replace(b"moov", b"junk"))
    assert "damaged, cut short or no video" in refusal(path)
    assert capfd.readouterr().err == ""


def test_damage_in_the_middle_does_no_harm(tmp_path: Path) -> None:
    data = bytearray((FILES / "plain.mp4").read_bytes())
    start = data.index(b"mdat") + 8
    random = np.random.default_rng(7)
    for trial in range(20):
        damaged = bytearray(data)
        for position in random.integers(start, len(data), 20):
            damaged[position] = int(random.integers(256))
        path = tmp_path / f"damaged{trial}.mp4"
        path.write_bytes(damaged)
        try:
            frames = frames_of(path)
        except SourceError:
            continue
        assert all(frame.image.shape == (48, 64, 3) for frame in frames)


@pytest.mark.parametrize("size", [(60_000, 60_000), (16_384, 16_384), (8_192, 6_200)], ids=str)
@pytest.mark.parametrize("place", ["container", "frames", "both"])
def test_a_false_claim_of_gigantic_frames_costs_nothing(tmp_path: Path, size: tuple[int, int], place: str) -> None:
    data = motion_jpeg(tmp_path / "small.avi", frames=3).read_bytes()
    if place != "frames":
        data = data.replace(struct.pack("<II", 64, 48), struct.pack("<II", *size))
    if place != "container":
        data = data.replace(struct.pack(">HH", 48, 64), struct.pack(">HH", *reversed(size)))
    path = tmp_path / "claim.avi"
    path.write_bytes(data)
    shape, peak = shape_and_peak(path)
    assert shape in ("(48, 64, 3)", "(96, 64, 3)", "refused")
    assert peak < 30_000_000


def test_gigantic_frames_are_refused_before_one_is_decoded() -> None:
    assert re.search("8192x6400 pixels.*--max-megapixels", refusal(FILES / "gigantic.mp4"))
    # One frame takes 157 MB in colour. FFmpeg decodes a first one to its own 79 MB to see what the video is.
    assert shape_and_peak(FILES / "gigantic.mp4")[1] < 150_000_000


def test_a_gif_that_claims_gigantic_frames_is_refused_from_its_header(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gif"
    path.write_bytes(b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0, 0, 0) + b"\x2c" + bytes(20))
    assert "65535x65535" in refusal(path)


def test_the_limit_of_pixels_counts_for_videos() -> None:
    assert len(frames_of(FILES / "plain.mp4", CameraSettings(max_picture_px=64 * 48))) == 20
    assert "64x48 pixels" in refusal(FILES / "plain.mp4", CameraSettings(max_picture_px=64 * 48 - 1))


@pytest.mark.parametrize(
    "script",
    [
        b"ffconcat version 1.0\n#\0\nfile secret.mp4\n",
        b"#EXTM3U\n#\0\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nsecret.mp4\n#EXT-X-ENDLIST\n",
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n\0c=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 5004 RTP/AVP 96\r\n",
        b"<?xml version='1.0'?><MPD>\0</MPD>",
        b"\x0b" + b"ffconcat version 1.0\nfile secret.mp4\n",
    ],
    ids=["concat", "playlist", "session description", "dash", "padded"],
)
@pytest.mark.parametrize("suffix", [".mp4", ".m3u8", ".sdp", ""])
def test_scripts_that_name_other_files_are_no_videos(tmp_path: Path, script: bytes, suffix: str) -> None:
    shutil.copy(FILES / "plain.mp4", tmp_path / "secret.mp4")
    path = tmp_path / f"script{suffix}"
    path.write_bytes(script)
    assert "no video" in refusal(path)


@pytest.mark.parametrize(
    "name", ["concat:plain.mp4", "%d.mp4", "-i.mp4", "file name.mp4", "a\nb.mp4", "plain.txt", "x"]
)
def test_names_are_names_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(FILES / "plain.mp4", tmp_path / name)
    assert len(frames_of(name)) == 20


def test_a_name_that_is_not_utf_8_does_not_crash(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.mp4"))
    shutil.copy(FILES / "plain.mp4", path)
    code = (
        "import sys; from edge_fer.camera.opening import open_source; source = open_source(sys.argv[1]);"
        "print(source.read(0.0).image.shape)"
    )
    done = run_python(code, path)
    assert (done.returncode, done.stdout) == (0, "(48, 64, 3)\n"), done.stderr


def test_jpegs_in_a_row_are_a_video_by_their_suffix(tmp_path: Path) -> None:
    pictures = [cv2.imencode(".jpg", np.full((48, 64, 3), 10 * index, np.uint8))[1].tobytes() for index in range(6)]
    path = tmp_path / "camera.mjpeg"
    path.write_bytes(b"".join(pictures))
    assert len(frames_of(path)) == 6


def test_a_video_in_shared_memory_is_no_camera() -> None:
    folder = Path("/dev/shm")
    if not os.access(folder, os.W_OK):
        pytest.skip("needs /dev/shm")
    path = folder / f"edge-fer-test-{os.getpid()}.mp4"
    try:
        shutil.copy(FILES / "plain.mp4", path)
        assert len(frames_of(path)) == 20
    finally:
        path.unlink(missing_ok=True)
