from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_fer.inference.smoothing import KEEP_SECONDS, ScoreSmoother
from edge_fer.types import FER_LABELS, Scores
from tests.fakes import scores_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

TWO = ("a", "b")


def two(first: float) -> Scores:
    return Scores(TWO, (first, 1.0 - first))


@settings(deadline=None)
@given(
    st.floats(0.05, 5.0),
    st.lists(st.tuples(st.floats(0.001, 2.0), st.floats(0.0, 1.0)), min_size=1, max_size=30),
)
def test_the_mean_follows_its_closed_form_with_irregular_frames(
    constant: float, steps: list[tuple[float, float]]
) -> None:
    smoother, times, values = ScoreSmoother(constant), [10.0], [0.25]
    shown = smoother.steady(1, two(0.25), 10.0)
    for gap, value in steps:
        times.append(times[-1] + gap)
        values.append(value)
        shown = smoother.steady(1, two(value), times[-1])
    decay = [math.exp(-(times[-1] - at) / constant) for at in times]
    # Each value holds from the frame before it to its own; the first one since for ever.
    weights = [decay[0]] + [now - before for before, now in pairwise(decay)]
    assert sum(weights) == pytest.approx(1.0)
    assert shown.scores.values[0] == pytest.approx(sum(w * v for w, v in zip(weights, values, strict=True)))
    assert sum(shown.scores.values) == pytest.approx(1.0)


@pytest.mark.parametrize("fps", [5.0, 12.5, 30.0, 120.0])
@pytest.mark.parametrize("strength", [0.65, 0.8, 0.95])
def test_a_change_of_expression_is_shown_within_half_a_second(fps: float, strength: float) -> None:
    smoother, before, after = ScoreSmoother(0.3), scores_for("neutral", strength), scores_for("happy", strength)
    for frame in range(int(3 * fps)):
        smoother.steady(1, before, frame / fps)
    changed_at = 3.0
    for frame in range(int(3 * fps), int(4 * fps)):
        if smoother.steady(1, after, frame / fps).emotion == "happy":
            assert frame / fps - changed_at <= 0.5
            return
    pytest.fail("the change was never shown")


def test_a_face_that_turns_into_what_is_read_as_three_things_is_shown_within_half_a_second() -> None:
    labels, turning = ("angry", "fear", "sad", "surprise"), 8
    smoother, before, after = ScoreSmoother(0.3), (0.8, 0.1, 0.1, 0.0), (0.1, 0.47, 0.25, 0.18)
    shown = []
    for frame in range(-90, 60):
        share = min(max((frame + turning) / turning, 0.0), 1.0)
        values = tuple((1 - share) * old + share * new for old, new in zip(before, after, strict=True))
        shown.append(smoother.steady(1, Scores(labels, values), 5.0 + frame / 30.0).emotion)
    assert set(shown[: 90 - turning]) == {"angry"}
    assert shown[90:].index("fear") / 30.0 <= 0.5
    assert set(shown[90 + 15 :]) == {"fear"}


STEADY_LOGITS = np.array([0.0, -2.0, 0.0, 1.0, 1.0, -1.0, 1.0])


def changes_of_label(disturbances: Iterable[NDArray[np.float64]]) -> tuple[int, int]:
    """How often the label of one steady face changes as it is read and as it is shown, at 30 frames per second."""
    smoother, raw_changes, shown_changes = ScoreSmoother(0.3), 0, 0
    shown = raw_before = ""
    for frame, disturbance in enumerate(disturbances):
        values = np.exp(STEADY_LOGITS + disturbance)
        raw = Scores(FER_LABELS, tuple(map(float, values / values.sum())))
        steadied = smoother.steady(1, raw, frame / 30.0)
        raw_changes += frame > 0 and raw.top != raw_before
        shown_changes += frame > 0 and steadied.emotion != shown
        shown, raw_before = steadied.emotion, raw.top
    return raw_changes, shown_changes


def test_one_steady_face_changes_its_label_at_most_seven_times_in_ten_seconds() -> None:
    random = np.random.default_rng(5)
    raw_changes, shown_changes = changes_of_label(random.normal(0, 0.7, 7) for _ in range(3000))
    assert raw_changes / 100 > 6
    assert shown_changes / 100 <= 0.7


def test_doubts_that_last_a_third_of_a_second_change_a_steady_label_at_most_seven_times_in_ten_seconds() -> None:
    def doubts() -> Iterator[NDArray[np.float64]]:
        random, doubt, keep = np.random.default_rng(6), np.zeros(7), math.exp(-1 / 30 / 0.3)
        for _ in range(9000):
            doubt = keep * doubt + math.sqrt(1 - keep**2) * random.normal(0, 0.9, 7)
            yield doubt

    raw_changes, shown_changes = changes_of_label(doubts())
    assert raw_changes / 300 > 3
    assert shown_changes / 300 <= 0.7


def test_a_face_that_hesitates_for_a_third_of_a_second_keeps_its_label() -> None:
    smoother, shown = ScoreSmoother(0.3), []
    for frame in range(300):
        doubtful = frame % 45 >= 35
        shown.append(smoother.steady(1, scores_for("sad" if doubtful else "happy", 0.8), frame / 30.0).emotion)
    assert set(shown) == {"happy"}


@pytest.mark.parametrize("fps", [5.0, 30.0])
def test_a_weak_change_is_shown_after_a_while(fps: float) -> None:
    smoother = ScoreSmoother(0.3)
    for frame in range(int(3 * fps)):
        smoother.steady(1, two(0.9), frame / fps)
    shown = [smoother.steady(1, two(0.45), frame / fps).emotion for frame in range(int(3 * fps), int(6 * fps))]
    assert shown[0] == "a"
    assert shown[-1] == "b"
    assert shown.count("a") / fps > 0.5


def test_each_id_has_a_memory_of_its_own_and_no_id_has_none() -> None:
    smoother = ScoreSmoother(1.0)
    smoother.steady(1, two(1.0), 0.0)
    assert smoother.steady(2, two(0.0), 0.1).scores == two(0.0)
    assert smoother.steady(None, two(0.4), 0.1).scores == two(0.4)
    assert smoother.steady(1, two(0.0), 0.1).scores.values[0] == pytest.approx(math.exp(-0.1))


def test_zero_turns_it_off() -> None:
    smoother = ScoreSmoother(0.0)
    for first in (1.0, 0.0, 0.6):
        steadied = smoother.steady(1, two(first), 0.0)
        assert (steadied.scores, steadied.emotion) == (two(first), two(first).top)


def test_a_label_gives_way_only_to_one_that_is_clearly_ahead() -> None:
    smoother = ScoreSmoother(0.001, label_margin=0.2)
    readings = enumerate((0.7, 0.45, 0.41, 0.39, 0.55, 0.61))
    shown = [smoother.steady(1, two(value), number / 100).emotion for number, value in readings]
    assert shown == ["a", "a", "a", "b", "b", "a"]


def test_without_a_margin_the_most_probable_label_is_shown() -> None:
    smoother = ScoreSmoother(0.001, label_margin=0.0)
    shown = [smoother.steady(1, two(value), number).emotion for number, value in enumerate((0.7, 0.49, 0.51))]
    assert shown == ["a", "b", "a"]


def test_time_that_goes_back_changes_nothing() -> None:
    smoother = ScoreSmoother(1.0)
    smoother.steady(1, two(1.0), 5.0)
    assert smoother.steady(1, two(0.0), 4.0).scores == two(1.0)


def test_ids_that_are_gone_are_forgotten() -> None:
    smoother = ScoreSmoother(0.5)
    for number in range(1000):
        smoother.steady(number, two(0.5), number * 1.0)
    assert len(smoother._memories) <= KEEP_SECONDS + 2
