"""Network addresses: passwords are shown nowhere, and a video with an end is read as a file."""

from __future__ import annotations

import traceback

import cv2
import pytest

from edge_fer.camera.settings import CameraSettings
from edge_fer.camera.streams import open_stream, redacted
from edge_fer.camera.videos import VideoFile
from edge_fer.errors import EndOfStream, SourceError, SourceLost
from tests.camera_fakes import FakeCapture, picture

ADDRESS = "rtsp://anna:s3cret@camera.local:554/live?token=abc123&size=2"
QUICK = CameraSettings(open_timeout_seconds=0.05)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://camera.local/live", "rtsp://camera.local/live"),
        ("rtsp://anna:s3cret@camera.local/live", "rtsp://***@camera.local/live"),
        ("rtsp://anna@camera.local/live", "rtsp://***@camera.local/live"),
        ("rtsp://anna:s3c@ret@camera.local:554/", "rtsp://***@camera.local:554/"),
        ("rtsp://anna:s3/cret@camera.local/live", "rtsp://***@camera.local/live"),
        ("rtsp://anna:12/3cret@camera.local/live", "rtsp://***@camera.local/live"),
        ("http://camera.local:8080/a/b", "http://camera.local:8080/a/b"),
        ("http://camera.local/a@b", "http://camera.local/a@b"),
        ("http://c/v?user=anna&pwd=s3cret&fps=5", "http://c/v?user=***&pwd=***&fps=5"),
        ("http://c/v?access_token=s3cret#x", "http://c/v?access_token=***#x"),
        ("http://c/v?API_KEY=s3cret", "http://c/v?API_KEY=***"),
        ("video.mp4", "video.mp4"),
    ],
)
def test_redaction(address, shown):
    assert "cret" not in redacted(address)
    assert "anna" not in redacted(address)
    assert redacted(address) == shown


@pytest.mark.parametrize("capture", [FakeCapture(opened=False), FakeCapture(permits=0)], ids=["closed", "mute"])
def test_errors_keep_the_password_to_themselves(capture):
    with pytest.raises(SourceError) as caught:
        open_stream(ADDRESS, QUICK, lambda _: capture)
    told = "".join(traceback.format_exception(caught.value))
    assert "rtsp://***@camera.local:554/live?token=***&size=2" in str(caught.value)
    assert "s3cret" not in told
    assert "abc123" not in told
    capture.allow(10)


def test_opencv_errors_keep_the_password_to_themselves():
    def raises(address: str) -> FakeCapture:
        raise cv2.error(f"cannot open {address}")

    with pytest.raises(SourceError) as caught:
        open_stream(ADDRESS, QUICK, raises)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_a_stream_is_live_and_named_without_its_password():
    source = open_stream(ADDRESS, CameraSettings(), lambda _: FakeCapture(properties={cv2.CAP_PROP_FPS: 25.0}))
    frame = source.read(20)
    source.close()
    assert source.info.live
    assert source.info.fps == 25.0
    assert source.info.name == frame.source == redacted(ADDRESS)


def test_a_stream_that_breaks_is_lost_without_telling_the_password():
    capture = FakeCapture(lambda index: (index == 0, picture()))
    source = open_stream(ADDRESS, CameraSettings(), lambda _: capture)
    source.read(20)
    with pytest.raises(SourceLost) as caught:
        source.read(20)
    assert "s3cret" not in str(caught.value)


def test_a_video_with_an_end_is_read_frame_by_frame():
    capture = FakeCapture(
        lambda index: (index < 3, picture(index)),
        properties={cv2.CAP_PROP_FRAME_COUNT: 3, cv2.CAP_PROP_FPS: 10.0},
    )
    source = open_stream("http://host/clip.mp4", CameraSettings(), lambda _: capture)
    assert isinstance(source, VideoFile)
    assert [source.read(20).seq for _ in range(3)] == [0, 1, 2]
    with pytest.raises(EndOfStream):
        source.read(20)
