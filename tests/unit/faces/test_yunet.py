"""YuNet: what it finds, at which sizes it searches, and odd pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_fer.detectors import bundled_weights
from edge_fer.faces.detector_settings import DetectorSettings
from edge_fer.faces.yunet import TILE_SIDE, YuNetDetector, search_plan
from edge_fer.picture import Picture
from edge_fer.types import Box

if TYPE_CHECKING:
    from edge_fer.types import Image

FACE = Box(177, 67, 93, 93)
"""In the portrait, by eye: from the hair to the chin."""


def detector(**values: object) -> YuNetDetector:
    file = bundled_weights()
    if file is None:
        pytest.skip("the extra yunet is not installed")
    return YuNetDetector(file.read_bytes(), DetectorSettings(**values))  # type: ignore[arg-type]


@pytest.mark.parametrize("use", ["video", "pictures"])
def test_a_real_face_is_found_once_with_its_landmarks(astronaut: Image, use: str) -> None:
    (face,) = detector(use=use).detect(Picture(astronaut))
    assert face.box.overlap(FACE) > 0.6
    assert face.detection_score is not None
    assert 0.8 < face.detection_score <= 1.0
    assert face.landmarks is not None
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks.points
    # The person's right is on the left of the picture.
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
    assert abs(face.landmarks.roll_degrees) < 15


@pytest.mark.parametrize("degrees", [-40, -20, 20, 40])
def test_a_turned_face_is_found(astronaut: Image, degrees: int) -> None:
    turn = cv2.getRotationMatrix2D((223, 113), -degrees, 1.0)
    turned = cv2.warpAffine(astronaut, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    face = max(detector().detect(Picture(turned)), key=lambda one: one.detection_score or 0.0)
    assert face.box.overlap(FACE) > 0.5


def test_grey_pictures_hold_the_same_face(astronaut: Image) -> None:
    grey = cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)
    (face,) = detector().detect(Picture(grey))
    assert face.box.overlap(FACE) > 0.6


@pytest.mark.parametrize("shape", [(1, 1), (1, 640), (480, 1), (20, 20), (30, 3000), (5, 5, 3), (2000, 31, 3)])
def test_odd_pictures_hold_no_face_and_raise_nothing(shape: tuple[int, ...]) -> None:
    for use in ("video", "pictures"):
        searching = detector(use=use)
        picture = Picture(np.full(shape, 90, np.uint8))
        assert searching.detect(picture) == []
        for step in searching.plan(picture.width, picture.height).all:
            assert searching.detect_step(picture, step) == []


def test_faces_come_largest_first_inside_the_picture_and_no_more_than_asked(astronaut: Image) -> None:
    small = cv2.resize(astronaut, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    scene = np.full((512, 512 + small.shape[1], 3), 127, np.uint8)
    scene[: small.shape[0], : small.shape[1]] = small
    scene[:, small.shape[1] :] = astronaut
    faces = detector(use="pictures").detect(Picture(scene))
    assert len(faces) == 2
    assert faces[0].box.area > faces[1].box.area
    assert all(face.box == face.box.clipped(scene.shape[1], scene.shape[0]) for face in faces)
    assert detector(use="pictures", max_faces=1).detect(Picture(scene)) == faces[:1]


def test_faces_under_the_least_size_are_left_out(astronaut: Image) -> None:
    assert detector(min_face_px=130).detect(Picture(astronaut)) == []


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 300), st.sampled_from(["video", "pictures"]))
def test_each_scale_covers_the_whole_picture_and_no_step_of_a_video_is_large(
    width: int, height: int, min_face_px: int, use: str
) -> None:
    plan = search_plan(width, height, DetectorSettings(use, min_face_px=min_face_px))  # type: ignore[arg-type]
    assert plan[0].part == Box(0, 0, width, height)
    scales: dict[int, list[Box]] = {}
    for step in plan:
        assert step.part == step.part.clipped(width, height)
        if step.degrees:
            continue
        if use == "video" and step is not plan[0]:
            assert step.width * step.height <= max(TILE_SIDE * TILE_SIDE, 4 * plan[0].width * plan[0].height + 2000)
        scales.setdefault(round(64 * step.width / step.part.width), []).append(step.part)
    for parts in (parts for parts in scales.values() if max(width, height) <= 1500):
        seen = np.zeros((height, width), bool)
        for part in parts:
            seen[part.y : part.y + part.height, part.x : part.x + part.width] = True
        assert seen.mean() in (1.0, pytest.approx(1.0)) or len(parts) > 1


def resident_mib() -> float:
    status = Path("/proc/self/status")
    if not status.is_file():
        pytest.skip("this system has no /proc")
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def test_large_pictures_leave_no_large_networks_behind(astronaut: Image) -> None:
    searching, before = detector(use="pictures"), resident_mib()
    sizes = ((1280, 960), (1200, 900), (1100, 1000))
    for width, height in sizes:
        searching.detect(Picture(np.ascontiguousarray(cv2.resize(astronaut, (width, height)))))
    # Each of the finest networks holds about 200 MiB.
    assert resident_mib() - before < 100 * len(sizes)


@pytest.mark.parametrize("shape", [(320, 1), (1, 320), (32, 32), (20, 20), (32, 320), (320, 8)])
def test_small_and_thin_pictures_hold_nothing_that_was_left_in_memory(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    for _ in range(4):
        left = [random.normal(0, 50, size).astype(np.float32) for size in (1000, 10_000, 100_000, 3000) * 6]
        del left
        assert detector(use="crops").candidates(Picture(np.full(shape, 90, np.uint8))) == []
