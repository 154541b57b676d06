"""One text, one source."""

from __future__ import annotations

import os

import pytest

from edge_fer.camera.demo import DemoSource
from edge_fer.camera.files import Files
from edge_fer.camera.opening import CameraSettings, open_source
from edge_fer.camera.videos import VideoFile
from edge_fer.errors import SourceError
from tests.programs import run_python
from tests.unit.camera.test_files import write_picture, write_video


def test_demo():
    source = open_source("demo", CameraSettings(demo_repeat=True))
    assert isinstance(source, DemoSource)
    assert source.info.frame_count is None


def test_what_is_inside_decides_before_the_suffix(tmp_path):
    picture = write_picture(tmp_path / "a.png").rename(tmp_path / "picture.mp4")
    video = write_video(tmp_path / "a.avi").rename(tmp_path / "video")
    assert isinstance(open_source(str(picture)), Files)
    assert isinstance(open_source(str(video)), VideoFile)


def test_a_folder(tmp_path):
    write_picture(tmp_path / "a.png")
    assert open_source(str(tmp_path)).info.frame_count == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("4242", "no camera /dev/video4242"),
        ("/dev/v4l/by-id/usb-none", "usb-none"),
        ("none.mp4", "no such file: none.mp4"),
        ("ftp://anna:s3cret@host/a.mp4", r"unknown kind of address: ftp://\*\*\*@host"),
        ("", "no source named"),
        ("a\0b", "not a file name"),
        ("x" * 5000, "cannot read"),
    ],
)
def test_what_cannot_be_opened_is_named_in_one_line(text, said):
    with pytest.raises(SourceError, match=said) as caught:
        open_source(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.jpg", "a.mp4", "a.png", "a.txt"])
def test_words_in_a_file_of_any_name(tmp_path, name):
    path = tmp_path / name
    path.write_text("words\n")
    with pytest.raises(SourceError) as caught:
        open_source(str(path))
    assert str(path) in str(caught.value)


def test_opencv_says_nothing_of_its_own(tmp_path):
    (tmp_path / "a.mp4").write_text("words\n" * 100)
    (tmp_path / "video0").touch()
    program = (
        "import sys\n"
        "from edge_fer.camera.opening import open_source, CameraSettings\n"
        "from edge_fer.camera.v4l2 import open_v4l2\n"
        "from edge_fer.errors import SourceError\n"
        "from pathlib import Path\n"
        "folder = Path(sys.argv[1])\n"
        "short = CameraSettings(open_timeout_seconds=2)\n"
        "for attempt in (\n"
        "    lambda: open_source(str(folder / 'a.mp4')),\n"
        "    lambda: open_v4l2('0', short, devices=folder),\n"
        "    lambda: open_source('http://127.0.0.1:9/live', short),\n"
        "):\n"
        "    try:\n"
        "        attempt()\n"
        "    except SourceError as error:\n"
        "        print(error)\n"
    )
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OPENCV_")}
    result = run_python(program, tmp_path, env=plain, check=True)
    assert len(result.stdout.splitlines()) == 3
    assert result.stderr == ""
