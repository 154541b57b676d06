"""`--save` as H.264: the frames' own times, the film's own sound, and files that others play."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_fer.camera.videos import open_video
from edge_fer.errors import EndOfStream, SinkError
from edge_fer.sinks.film import FilmWriter
from edge_fer.sinks.video import FilmSettings, VideoSink
from edge_fer.types import SourceInfo, View
from tests.fakes import observation, picture
from tests.logs import logged

if TYPE_CHECKING:
    from pathlib import Path

av = pytest.importorskip("av", reason="needs the extra video")

CAMERA = SourceInfo("camera", live=True, width=64, height=48, fps=30.0)
UNEVEN = (0.0, 0.04, 0.08, 0.5, 0.54, 1.2, 1.21)


def times_of(path: Path) -> list[float]:
    with av.open(str(path)) as film:
        return [float(frame.pts * frame.time_base) for frame in film.decode(video=0)]


def sound_of(path: Path) -> tuple[str, float, str]:
    """Kind, beginning and a hash of the sound of a film."""
    with av.open(str(path)) as film:
        [stream] = film.streams.audio
        packets = [packet for packet in film.demux(stream) if packet.pts is not None]
        data = hashlib.sha256(b"".join(bytes(packet) for packet in packets)).hexdigest()
        return stream.codec_context.name, float(packets[0].pts * packets[0].time_base), data


def make_film(
    path: Path,
    *,
    times: tuple[float, ...] = UNEVEN,
    late_seconds: float = 0.0,
    sound: str | None = "aac",
    sound_late_seconds: float = 0.0,
) -> Path:
    """A film whose frames come at these times, with a tone of two seconds."""
    with av.open(str(path), "w") as film:
        video = film.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = video.time_base = Fraction(1, 1000)
        tone = film.add_stream(sound, rate=48_000, layout="mono") if sound else None
        for number, seconds in enumerate(times):
            frame = av.VideoFrame.from_ndarray(picture(64, 48, number), format="bgr24")
            frame.pts, frame.time_base = round((seconds + late_seconds) * 1000), Fraction(1, 1000)
            film.mux(video.encode(frame))
        film.mux(video.encode(None))
        if tone is not None:
            wave = (np.sin(np.arange(96_000) / 20) * 8000).astype(np.int16)
            for start in range(0, len(wave), 1024):
                samples = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="s16", layout="mono")
                samples.sample_rate, samples.time_base = 48_000, Fraction(1, 48_000)
                samples.pts = start + round(sound_late_seconds * 48_000)
                film.mux(tone.encode(samples))
            film.mux(tone.encode(None))
    return path


def save(source: Path, saved: Path, *, most: int = 1000) -> Path:
    """Annotate a film as `run --save` does."""
    film = open_video(source)
    settings = FilmSettings(sound=source)
    sink = VideoSink(saved, film.info, film=settings)
    for _ in range(most):
        try:
            frame = film.read(1.0)
        except EndOfStream:
            break
        sink.write_view(View(observation(seq=frame.seq, captured_at=frame.captured_at), frame.image))
    sink.close()
    film.close()
    return saved


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".m4v"])
@pytest.mark.parametrize(("late", "sound_late"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5)])
def test_times_and_sound_stay_as_they_were(tmp_path, suffix, late, sound_late):
    source = make_film(tmp_path / "film.mkv", late_seconds=late, sound_late_seconds=sound_late)
    saved = save(source, tmp_path / f"out{suffix}")
    assert times_of(saved) == pytest.approx(times_of(source), abs=0.002)
    kind, begins, data = sound_of(saved)
    assert (kind, data) == (sound_of(source)[0], sound_of(source)[2])
    assert begins == pytest.approx(sound_of(source)[1], abs=0.03)
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([source.name, saved.name])


def test_it_is_what_browsers_play(tmp_path):
    with av.open(str(save(make_film(tmp_path / "film.mkv"), tmp_path / "out.mp4"))) as film:
        [video] = film.streams.video
        assert video.codec_context.name == "h264"
        assert video.codec_context.pix_fmt == "yuv420p"
        assert video.frames == len(UNEVEN)
        assert (video.width, video.height) == (64, 48)


@pytest.mark.parametrize("size", [(65, 49), (1, 1), (3, 200), (640, 2)])
def test_odd_sizes_become_even(tmp_path, size):
    sink = VideoSink(tmp_path / "out.mp4", CAMERA, film=FilmSettings())
    for number in range(3):
        sink.write_view(View(observation(seq=number, captured_at=number / 10), picture(*size, number)))
    sink.close()
    with av.open(str(tmp_path / "out.mp4")) as film:
        width, height = film.streams.video[0].width, film.streams.video[0].height
    assert (width % 2, height % 2) == (0, 0)
    assert len(times_of(tmp_path / "out.mp4")) == 3


def test_a_run_that_is_stopped_has_sound_up_to_there(tmp_path):
    source = make_film(tmp_path / "film.mkv", times=tuple(number / 10 for number in range(20)))
    saved = save(source, tmp_path / "out.mp4", most=5)
    assert len(times_of(saved)) == 5
    with av.open(str(saved)) as film:
        assert film.duration / av.time_base < 0.7


def test_sound_that_does_not_fit_is_left_out_with_a_word(tmp_path):
    source = make_film(tmp_path / "film.mkv", sound="pcm_s16le")
    with logged("edge_fer.sinks") as lines, av.open(str(save(source, tmp_path / "out.mp4"))) as film:
        assert not film.streams.audio
    [line] = lines
    assert "pcm_s16le does not fit" in line
    assert sound_of(save(source, tmp_path / "out.mkv"))[2] == sound_of(source)[2]


def test_a_film_without_sound(tmp_path):
    source = make_film(tmp_path / "film.mkv", sound=None)
    with logged("edge_fer.sinks") as lines:
        saved = save(source, tmp_path / "out.mp4")
    assert times_of(saved) == pytest.approx(UNEVEN, abs=0.002)
    assert lines == []


def test_the_sound_of_what_is_no_film_is_not_looked_for(tmp_path):
    script = tmp_path / "film.mkv"
    script.write_bytes(b"\x1aE\xdf\xa3\n#EXTM3U\n#EXTINF:1,\n/etc/passwd\n")
    writer = FilmWriter(tmp_path / "out.mp4", (64, 48), 25.0, script)
    assert "cannot be read" in writer.lost_sound
    writer.add(picture(64, 48, 0), 0.0)
    writer.finish()
    assert len(times_of(tmp_path / "out.mp4")) == 1


def test_a_camera_plays_at_the_speed_of_life_and_its_absence_is_left_out(tmp_path):
    sink = VideoSink(tmp_path / "out.mp4", CAMERA, film=FilmSettings())
    for number, seconds in enumerate((50.0, 50.1, 50.4, 3650.4, 3650.5)):
        sink.write_view(View(observation(seq=number, captured_at=seconds), picture(64, 48, number)))
    sink.close()
    assert times_of(tmp_path / "out.mp4") == pytest.approx([0.0, 0.1, 0.4, 0.433, 0.533], abs=0.002)


def test_times_that_stand_still_or_go_back_go_on(tmp_path):
    sink = VideoSink(tmp_path / "out.mp4", CAMERA, film=FilmSettings())
    for number, seconds in enumerate((5.0, 5.0, 5.1, 1.0, 1.1)):
        sink.write_view(View(observation(seq=number, captured_at=seconds), picture(64, 48, number)))
    sink.close()
    times = times_of(tmp_path / "out.mp4")
    assert len(times) == 5
    assert times == sorted(set(times))


def test_a_folder_that_goes_away_is_one_line_and_leaves_nothing(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    sink = VideoSink(folder / "out.mp4", CAMERA, film=FilmSettings())
    folder.rmdir()
    with pytest.raises(SinkError, match=r"cannot write .*out"):
        sink.write_view(View(observation(captured_at=0.0), picture(64, 48, 0)))
    assert list(tmp_path.iterdir()) == []
