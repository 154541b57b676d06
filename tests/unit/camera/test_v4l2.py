"""Which device a name means, what is requested of it and what is reported about it."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from edge_fer.camera.settings import CameraSettings
from edge_fer.camera.v4l2 import StableName, open_v4l2
from edge_fer.errors import ConfigError
from tests.camera_fakes import FakeCapture


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    """Device files of two cameras, the second with a stable name."""
    (tmp_path / "video0").touch()
    (tmp_path / "video3").touch()
    by_id = tmp_path / "v4l" / "by-id"
    by_id.mkdir(parents=True)
    (by_id / "usb-camera-index0").symlink_to("../../video3")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "device"), [("0", "video0"), ("{}/video3", "video3"), ("{}/v4l/by-id/usb-camera-index0", "video3")]
)
def test_names_lead_to_devices(devices, text, device):
    opened: list[str] = []

    def make(path: str) -> FakeCapture:
        opened.append(path)
        return FakeCapture()

    open_v4l2(text.format(devices), CameraSettings(), make, devices).close()
    assert opened == [str((devices / device).resolve())]


def test_the_stable_name_is_the_one_that_is_shown(devices):
    name = str(devices / "v4l/by-id/usb-camera-index0")
    source = open_v4l2(name, CameraSettings(), lambda _: FakeCapture(), devices)
    assert source.info.name == name
    assert source.read(20).source == name
    source.close()


def test_requested_and_obtained_stand_side_by_side(devices):
    capture = FakeCapture(properties={cv2.CAP_PROP_FPS: 15.0})
    source = open_v4l2("0", CameraSettings(width=1280, height=720, fps=30), lambda _: capture, devices)
    info = source.info
    source.close()
    assert (info.requested_width, info.requested_height, info.requested_fps) == (1280, 720, 30)
    assert (info.width, info.height, info.fps) == (64, 48, 15.0)
    assert info.live


def test_motion_jpeg_one_buffer_and_the_size_are_asked_for(devices):
    capture = FakeCapture()
    open_v4l2("0", CameraSettings(width=800, height=600, fps=20), lambda _: capture, devices).close()
    assert capture.asked == {
        cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*"MJPG"),
        cv2.CAP_PROP_FRAME_WIDTH: 800,
        cv2.CAP_PROP_FRAME_HEIGHT: 600,
        cv2.CAP_PROP_FPS: 20,
        cv2.CAP_PROP_BUFFERSIZE: 1,
    }
    # The format comes first: setting it later puts size and rate back to the driver's choice.
    assert next(iter(capture.asked)) == cv2.CAP_PROP_FOURCC


def test_a_rate_that_the_driver_does_not_know_is_not_made_up(devices):
    source = open_v4l2("0", CameraSettings(), lambda _: FakeCapture(), devices)
    assert source.info.fps is None
    source.close()


@pytest.mark.parametrize(
    "values",
    [{"width": 0}, {"height": -1}, {"fps": float("nan")}, {"open_timeout_seconds": 0}, {"max_picture_px": 0}],
)
def test_settings_out_of_range_are_refused_by_name(values):
    with pytest.raises(ConfigError, match=next(iter(values))):
        CameraSettings(**values)


class TestStableName:
    """A camera given by its number is found again under another number."""

    @pytest.fixture
    def links(self, tmp_path: Path) -> Path:
        (tmp_path / "video0").touch()
        (tmp_path / "video1").touch()
        folder = tmp_path / "v4l" / "by-id"
        folder.mkdir(parents=True)
        (folder / "usb-Cam_1-video-index0").symlink_to("../../video0")
        (folder / "usb-Cam_1-video-index1").symlink_to("../../video1")
        return folder

    def test_the_link_to_the_device_is_its_name(self, tmp_path, links):
        name = StableName("0", tmp_path)
        assert (name.path, name.current()) == (tmp_path / "video0", links / "usb-Cam_1-video-index0")

    def test_it_is_kept_when_the_camera_is_gone_and_another_has_its_number(self, tmp_path, links):
        name = StableName("0", tmp_path)
        name.current()
        (links / "usb-Cam_1-video-index0").unlink()
        assert name.current() == links / "usb-Cam_1-video-index0"

    def test_a_camera_without_one_keeps_its_number(self, tmp_path):
        (tmp_path / "video0").touch()
        assert StableName("0", tmp_path).current() == tmp_path / "video0"

    def test_it_is_learnt_as_soon_as_the_camera_is_there(self, tmp_path, links):
        (tmp_path / "video0").rename(tmp_path / "away")
        name = StableName("0", tmp_path)
        assert name.current() == tmp_path / "video0"
        (tmp_path / "away").rename(tmp_path / "video0")
        assert name.current() == links / "usb-Cam_1-video-index0"

    def test_a_name_that_is_stable_stays_as_it_is(self, tmp_path, links):
        text = str(links / "usb-Cam_1-video-index1")
        assert StableName(text, tmp_path).current() == Path(text)

    def test_the_camera_is_opened_again_by_it_and_called_as_before(self, tmp_path, links):
        opened: list[str] = []

        def make(device: str) -> FakeCapture:
            opened.append(device)
            return FakeCapture()

        name = StableName("0", tmp_path)
        open_v4l2("0", CameraSettings(), make, tmp_path, name=name).close()
        (links / "usb-Cam_1-video-index0").unlink()
        (links / "usb-Cam_1-video-index0").symlink_to("../../video1")
        source = open_v4l2("0", CameraSettings(), make, tmp_path, name=name)
        source.close()
        assert opened == [str(tmp_path / "video0"), str(tmp_path / "video1")]
        assert source.info.name == str(tmp_path / "video0")
