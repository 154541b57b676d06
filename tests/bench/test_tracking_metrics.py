"""Faces found and missed, and how long a label takes: against results written by hand."""

from __future__ import annotations

import pytest

from edge_fer.camera.demo import FPS, TruthFace
from edge_fer.types import Box
from tests.bench.conftest import load_script

metrics = load_script("tracking_metrics")
LEAST_MS, Judged, judged, label_delays_ms = (
    metrics.LEAST_MS,
    metrics.Judged,
    metrics.judged,
    metrics.label_delays_ms,
)

HERE, THERE = Box(10, 10, 50, 50), Box(200, 10, 50, 50)


def test_nothing_is_wrong_with_what_is_as_it_should_be() -> None:
    seen = [[(HERE, "happy", 1), (THERE, "sad", 2)]] * 5
    assert judged([[THERE, HERE]] * 5, seen) == Judged(10, 10, 0, 0, 0)


def test_faces_that_are_missed_false_changed_and_taken_for_others() -> None:
    seen = [[(HERE, "happy", 1)], [(HERE, "sad", 1), (THERE, "sad", 2)], [(HERE, "sad", 3)], []]
    assert judged([[HERE]] * 4, seen) == Judged(due=4, found=3, false=1, id_switches=1, label_changes=1)


def turning(frames: int, at: int) -> list[list[TruthFace]]:
    return [[TruthFace(HERE, "sad" if number < at else "happy", 1.0)] for number in range(frames)]


def showing(frames: int, at: int) -> list[list[tuple[Box, str, int | None]]]:
    return [[(HERE, "sad" if number < at else "happy", 1)] for number in range(frames)]


@pytest.mark.parametrize("late", [0, 1, 12])
def test_the_delay_of_a_label(late: int) -> None:
    assert label_delays_ms(turning(40, 20), showing(40, 20 + late)) == pytest.approx([late / FPS * 1e3])


def test_a_change_that_is_never_shown_counts_as_long_as_it_lasts() -> None:
    assert label_delays_ms(turning(60, 20), showing(60, 60)) == pytest.approx([40 / FPS * 1e3])
    enough = round(LEAST_MS * FPS / 1e3)
    assert label_delays_ms(turning(20 + enough, 20), showing(90, 90)[: 20 + enough]) == pytest.approx([LEAST_MS])
    # Too short to see whether it would have been shown.
    assert label_delays_ms(turning(19 + enough, 20), showing(90, 90)[: 19 + enough]) == []


def test_a_change_that_another_follows_unseen_is_not_lost() -> None:
    truth = turning(40, 10) + [[TruthFace(HERE, "fear", 1.0)]] * 30
    shown = showing(40, 70) + [[(HERE, "fear", 1)]] * 30
    assert label_delays_ms(truth, shown) == pytest.approx([1000.0, 0.0])


@pytest.mark.parametrize(("shown_at", "delay"), [(15, 0.0), (24, 0.0), (30, 200.0)])
def test_time_counts_from_when_the_face_has_turned(shown_at: int, delay: float) -> None:
    truth = [
        [TruthFace(HERE, "sad" if number < 15 else "happy", 0.9 if 10 < number < 24 else 1.0)] for number in range(60)
    ]
    assert label_delays_ms(truth, showing(60, shown_at)) == pytest.approx([delay])
    # One that turns on before it has turned in full says nothing.
    assert label_delays_ms(truth[:24] + truth[:5], showing(24, 99) + showing(5, 99)) == pytest.approx([0.0])


def test_an_expression_from_the_first_frame_on_is_no_change() -> None:
    assert label_delays_ms(turning(20, 99), showing(20, 5)) == []
