"""The loop against the plain one: turns, clocks, and that both do what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from edge_fer_bench.scenes import ONE_FACE, THREE_FACES, scene

from edge_fer.inference.open_model import open_classifier
from edge_fer.types import Box, Frame
from tests.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_fer.protocols import Classifier


@pytest.fixture
def classifier(tiny_model: Path) -> Iterator[Classifier]:
    made = open_classifier(tiny_model, "auto", 1)
    yield made
    made.close()


def test_both_loops_find_the_faces_of_the_demo(script: Any, classifier: Classifier) -> None:
    loops = script("loops")
    for name, count in ((ONE_FACE, 1), (THREE_FACES, 3)):
        rivals = loops.following(classifier, "balanced"), loops.plain_loop(classifier)
        found = loops.rivalry(*rivals, scene(name).frames(13), 6)
        assert [len(one) for one in found.shown[1:]] == [count] * 12
        assert list(found.plain_shown) == [0, 6, 12]
        assert {len(one) for one in found.plain_shown.values()} == {count}
        assert {label for one in found.plain_shown.values() for _, label, _ in one} <= set(classifier.labels)
        # Ids are what the plain loop does not know.
        assert {face[2] for one in found.plain_shown.values() for face in one} == {None}
        assert {face[2] for one in found.shown for face in one} == set(range(1, count + 1))


def test_turns_are_frame_by_frame_and_only_the_looks_are_timed(script: Any) -> None:
    loops = script("loops")
    clock, order = FakeClock(), []

    def loop(name: str, seconds: float, faces: int):  # type: ignore[no-untyped-def]
        def look(frame: Frame) -> list[Any]:
            order.append(f"{name}{frame.seq}")
            clock.now += seconds
            return [(Box(0, 0, 9, 9), "happy", None)] * faces

        return look

    found = loops.rivalry(
        loop("f", 0.25, 2), loop("p", 2.0, 1), scene(ONE_FACE).frames(4), 2, clock.monotonic, clock.monotonic
    )
    assert order == ["f0", "p0", "f1", "f2", "p2", "f3"]
    assert (found.following.frames, found.following.faces, found.following.wall_seconds) == (4, 8, 1.0)
    assert (found.plain.frames, found.plain.faces, found.plain.cpu_seconds) == (2, 2, 4.0)


def test_the_loops_own_cost_is_a_part_of_a_frame(script: Any, classifier: Classifier) -> None:
    loops = script("loops")
    overhead = script("overhead")
    frames = list(scene(ONE_FACE).frames(8))
    middle, most = overhead.own_cost_ms(frames, classifier, 5)
    assert 0.0 < middle <= most
    found = loops.rivalry(loops.following(classifier, "balanced"), loops.plain_loop(classifier), frames, 100)
    assert middle < found.following.cpu_seconds / 8 * 1e3


def test_time_in_opencv_is_told_from_pythons_own(script: Any) -> None:
    overhead = script("overhead")
    import sys

    import cv2
    import numpy as np

    def seconds_of(work: object) -> float:
        native = overhead.NativeTime()
        sys.setprofile(native)
        try:
            work()  # type: ignore[operator]
        finally:
            sys.setprofile(None)
        return native.seconds

    picture = np.zeros((600, 800), np.uint8)
    blurring = seconds_of(lambda: cv2.GaussianBlur(picture, (0, 0), 15))
    assert blurring > 0
    assert seconds_of(lambda: sum(range(10_000))) == 0.0
    assert seconds_of(lambda: np.sort(picture, axis=0)) == 0.0


def test_lateness_is_told_of_a_short_run(script: Any, classifier: Classifier) -> None:
    endurance = script("endurance")
    middle, most = endurance.lateness_ms(classifier, 0.5)
    assert 0.0 < middle <= most


def test_memory_is_looked_at_ten_times_and_frames_go_on(script: Any) -> None:
    endurance = script("endurance")
    seen: list[Frame] = []

    def look(frame: Frame) -> list[Any]:
        seen.append(frame)
        return []

    points = endurance.growth(list(scene(ONE_FACE).frames(3)), look, 40)
    assert [frame.seq for frame in seen] == list(range(40))
    assert seen[5].image is seen[0].image  # to and fro
    times = [frame.captured_at for frame in seen]
    assert times == sorted(set(times))
    if points:  # where the system reports it
        assert [number for number, _ in points] == [4 * number for number in range(1, endurance.POINTS + 1)]
        assert all(held > 10_000_000 for _, held in points)
