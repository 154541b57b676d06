from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge_fer.errors import ConfigError
from edge_fer.faces.haar import HaarFaceDetector, HaarSettings, bundled_cascade
from edge_fer.picture import Picture
from edge_fer.types import Box, Image

if TYPE_CHECKING:
    from pathlib import Path

ASTRONAUT_FACE = Box(177, 67, 93, 93)
ALONE = HaarSettings.for_pictures(bundled_cascade())
"""Settings for stills whose findings no second cascade sees."""
"""By eye: from the hair to the chin."""


@pytest.mark.parametrize("settings", [HaarSettings(), ALONE])
def test_a_real_face_is_found_once(astronaut: Image, settings: HaarSettings) -> None:
    faces = HaarFaceDetector(settings).detect(Picture(astronaut))
    assert len(faces) == 1
    assert faces[0].box.overlap(ASTRONAUT_FACE) > 0.7
    assert faces[0].detection_score is not None
    assert faces[0].detection_score > 2


def test_faces_come_largest_first_and_inside_the_picture(astronaut: Image) -> None:
    small = cv2.resize(astronaut, None, fx=0.6, fy=0.6)
    scene = np.full((512, 512 + small.shape[1], 3), 127, np.uint8)
    scene[: small.shape[0], : small.shape[1]] = small
    scene[:, small.shape[1] :] = astronaut
    faces = HaarFaceDetector(ALONE).detect(Picture(scene))
    assert len(faces) == 2
    assert faces[0].box.area > faces[1].box.area
    assert faces[0].box.x > faces[1].box.x
    for face in faces:
        assert face.box == face.box.clipped(scene.shape[1], scene.shape[0])
    only = HaarFaceDetector(replace(ALONE, max_faces=1))
    assert only.detect(Picture(scene)) == faces[:1]


def test_the_same_picture_gives_the_same_faces(astronaut: Image) -> None:
    detector = HaarFaceDetector()
    assert detector.detect(Picture(astronaut)) == detector.detect(Picture(astronaut))


def test_boxes_are_scaled_back_to_the_frame(astronaut: Image) -> None:
    large = cv2.resize(astronaut, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    twice = HaarFaceDetector(HaarSettings(detect_width=256)).detect(Picture(large))
    surest = max(twice, key=lambda face: face.detection_score or 0.0)
    expected = Box(2 * ASTRONAUT_FACE.x, 2 * ASTRONAUT_FACE.y, 2 * ASTRONAUT_FACE.width, 2 * ASTRONAUT_FACE.height)
    assert surest.box.overlap(expected) > 0.6


def test_faces_under_the_least_size_are_ignored(astronaut: Image) -> None:
    assert HaarFaceDetector(HaarSettings(min_face_px=130)).detect(Picture(astronaut)) == []


@pytest.mark.parametrize("shape", [(1, 1), (480, 1), (1, 5000), (30, 30), (480, 640)])
def test_a_picture_without_a_face_gives_none(shape: tuple[int, int]) -> None:
    assert HaarFaceDetector().detect(Picture(np.zeros(shape, np.uint8))) == []


def test_the_hard_clip_is_covered_without_false_boxes(shared_data: Path) -> None:
    capture = cv2.VideoCapture(str(shared_data / "video" / "one-woman.mp4"))
    detector, boxes, frames = HaarFaceDetector(), [], 0
    while True:
        more, frame = capture.read()
        if not more:
            break
        frames += 1
        boxes += [face.box for face in detector.detect(Picture(frame))]
    # By eye: one face, in the upper half and between a third and four fifths of the width.
    assert frames == 115
    assert len(boxes) >= 110
    assert all(190 < box.x + box.width / 2 < 480 and box.y + box.height / 2 < 168 for box in boxes)


def test_a_missing_cascade_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.xml"
    with pytest.raises(ConfigError, match=r"no face cascade at .*none\.xml"):
        HaarFaceDetector(HaarSettings(cascade=path))


@pytest.mark.parametrize("content", [b"", b"hello", b"<?xml version='1.0'?><opencv_storage/>", bytes(range(256))])
def test_a_broken_cascade_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.xml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"bad\.xml is not a face cascade"):
        HaarFaceDetector(HaarSettings(cascade=path))


def test_a_cascade_that_is_cut_short_is_named(tmp_path: Path) -> None:
    path = tmp_path / "short.xml"
    path.write_bytes(bundled_cascade().read_bytes()[:50_000])
    with pytest.raises(ConfigError, match="is not a face cascade"):
        HaarFaceDetector(HaarSettings(cascade=path))


@pytest.mark.parametrize(
    "bad",
    [
        {"detect_width": 0},
        {"scale_factor": 1.0},
        {"scale_factor": float("nan")},
        {"min_neighbors": -1},
        {"min_face_px": 0},
        {"max_faces": 0},
    ],
)
def test_a_setting_out_of_range_is_named(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(bad))):
        HaarSettings(**bad)  # type: ignore[arg-type]
