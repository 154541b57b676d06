"""The demo is the same each time, its truth is true, and the cascade finds its faces."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_fer.camera.demo import FACES_FILE, FRAMES, HEIGHT, WIDTH, DemoSource, poses, read_faces
from edge_fer.errors import EndOfStream, SourceError, SourceLost, SourceTimeout
from edge_fer.types import FER_LABELS


@pytest.fixture(scope="module")
def demo() -> DemoSource:
    return DemoSource()


class FakeTime:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_every_frame_is_a_function_of_its_number(demo):
    other = DemoSource()
    for seq in (0, 33, 150, 299):
        assert np.array_equal(demo.picture(seq), other.picture(seq))
    assert not np.array_equal(demo.picture(0), demo.picture(1))


def test_it_ends_after_all_its_frames():
    source = DemoSource()
    frames = [source.read(0.0) for _ in range(FRAMES)]
    with pytest.raises(EndOfStream):
        source.read(0.0)
    assert [frame.seq for frame in frames] == list(range(FRAMES))
    assert frames[30].captured_at == pytest.approx(1.0)
    assert {frame.image.shape for frame in frames} == {(480, 640, 3)}
    assert source.info.frame_count == FRAMES
    assert not source.info.live


def test_it_goes_round_where_asked():
    source = DemoSource(repeat=True)
    frames = [source.read(0.0) for _ in range(FRAMES + 1)]
    assert frames[-1].seq == FRAMES
    assert np.array_equal(frames[0].image, frames[-1].image)
    assert source.truth(0) == source.truth(FRAMES)


def test_one_two_and_three_faces_and_all_seven_emotions(demo):
    truths = [demo.truth(seq) for seq in range(FRAMES)]
    assert {len(faces) for faces in truths} == {1, 2, 3}
    assert {face.emotion for faces in truths for face in faces if face.share == 1.0} == set(FER_LABELS)
    assert all(0.5 <= face.share <= 1.0 for faces in truths for face in faces)


def test_boxes_lie_inside_the_frame_and_apart(demo):
    for seq in range(FRAMES):
        faces = demo.truth(seq)
        for face in faces:
            assert face.box.clipped(WIDTH, HEIGHT) == face.box
            assert 85 <= face.box.width <= 205
            assert sum(face.box.overlap(other.box) > 0 for other in faces) == 1


def test_faces_are_tilted_moderately_and_move_smoothly(demo):
    tilts = [pose.tilt_degrees for seq in range(FRAMES) for pose in poses(seq)]
    assert 6 < max(tilts) <= 8
    assert -8 <= min(tilts) < -6
    for seq in range(1, 100):
        before, after = demo.truth(seq - 1)[0].box, demo.truth(seq)[0].box
        assert before.overlap(after) > 0.7


@pytest.mark.parametrize(("scale_factor", "shrink", "equalise"), [(1.1, 1.0, False), (1.2, 0.5, True)])
def test_the_cascade_finds_the_faces_and_little_else(demo, scale_factor, shrink, equalise):
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    found = shown = false_boxes = 0
    for seq in range(0, FRAMES, 10):
        grey = cv2.cvtColor(demo.picture(seq), cv2.COLOR_BGR2GRAY)
        small = cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        searched = cv2.equalizeHist(small) if equalise else small
        boxes = [
            type(demo.truth(seq)[0].box)(*(int(value / shrink) for value in box))
            for box in cascade.detectMultiScale(searched, scale_factor, 5, minSize=(24, 24))
        ]
        truth = demo.truth(seq)
        shown += len(truth)
        found += sum(any(face.box.overlap(box) >= 0.3 for box in boxes) for face in truth)
        false_boxes += sum(all(face.box.overlap(box) < 0.3 for face in truth) for box in boxes)
    assert found >= 0.95 * shown
    assert false_boxes <= 1


def test_real_time_waits_until_a_frame_is_due():
    clock = FakeTime()
    source = DemoSource(realtime=True, monotonic=clock.monotonic, sleep=clock.sleep)
    for _ in range(31):
        source.read(1.0)
    assert clock.now == pytest.approx(101.0)


def test_real_time_keeps_to_the_time_out():
    clock = FakeTime()
    source = DemoSource(realtime=True, monotonic=clock.monotonic, sleep=clock.sleep)
    source.read(0.01)
    with pytest.raises(SourceTimeout):
        source.read(0.01)
    assert clock.now == pytest.approx(100.01)
    assert source.read(1.0).seq == 1


def test_a_closed_demo_gives_nothing():
    source = DemoSource()
    source.close()
    with pytest.raises(SourceLost):
        source.read(0.0)


def test_missing_and_foreign_face_files(tmp_path):
    with pytest.raises(SourceError, match=r"none\.png"):
        read_faces(tmp_path / "none.png")
    path = tmp_path / "wide.png"
    path.write_bytes(cv2.imencode(".png", np.zeros((48, 48), np.uint8))[1].tobytes())
    with pytest.raises(SourceError, match="damaged"):
        read_faces(path)


def test_the_face_file_is_small():
    assert FACES_FILE.stat().st_size < 20_000
