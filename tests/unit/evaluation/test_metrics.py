"""Figures against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edge_fer.evaluation import metrics
from edge_fer.evaluation.summary import measure

# Six pictures of three classes; predicted 0 0 1 1 1 2 for labels 0 0 0 1 2 2.
PROBABILITIES = np.array(
    [[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.0, 0.9, 0.1], [0.2, 0.2, 0.6]]
)
LABELS = np.array([0, 0, 0, 1, 2, 2])


def test_accuracy_is_the_share_of_right_answers() -> None:
    assert metrics.accuracy(PROBABILITIES, LABELS) == pytest.approx(4 / 6)


def test_confusion_matrix_has_true_classes_as_rows() -> None:
    confusion = metrics.confusion_matrix(PROBABILITIES, LABELS)
    assert confusion.tolist() == [[2, 1, 0], [0, 1, 0], [0, 1, 1]]


def test_precision_recall_and_f1_by_hand() -> None:
    first, second, third = metrics.class_figures(metrics.confusion_matrix(PROBABILITIES, LABELS), ["a", "b", "c"])
    assert (first.precision, first.recall, first.f1) == pytest.approx((1.0, 2 / 3, 0.8))
    assert (second.precision, second.recall, second.f1) == pytest.approx((1 / 3, 1.0, 0.5))
    assert (third.precision, third.recall, third.f1) == pytest.approx((1.0, 0.5, 2 / 3))
    assert [first.support, second.support, third.support] == [3, 1, 2]
    assert (first.label, third.label) == ("a", "c")


def test_macro_f1_is_the_mean_over_classes_that_occur() -> None:
    assert metrics.macro_f1(metrics.confusion_matrix(PROBABILITIES, LABELS)) == pytest.approx((0.8 + 0.5 + 2 / 3) / 3)
    without_third = np.array([[2, 1, 0], [0, 1, 0], [0, 0, 0]])
    assert metrics.macro_f1(without_third) == pytest.approx((0.8 + 2 / 3) / 2)


def test_a_class_that_is_never_seen_nor_predicted_has_figures_of_zero() -> None:
    absent = metrics.class_figures(np.array([[1, 0], [0, 0]]), ["a", "b"])[1]
    assert (absent.precision, absent.recall, absent.f1, absent.support) == (0.0, 0.0, 0.0, 0)


def test_calibration_error_by_hand() -> None:
    # Two bins of two: 0.6 and 0.8 claimed and one right; 0.9 and 0.9 claimed and both right.
    probabilities = np.array([[0.6, 0.4], [0.2, 0.8], [0.9, 0.1], [0.9, 0.1]])
    labels = np.array([0, 0, 0, 0])
    found = metrics.calibration(probabilities, labels, bins=2)
    assert found.count.tolist() == [0, 4]
    assert found.expected_error == pytest.approx(abs(0.8 - 0.75))
    assert math.isnan(found.confidence[0])
    assert math.isnan(found.accuracy[0])
    finer = metrics.calibration(probabilities, labels, bins=10)
    # Bins 6 (0.6, right), 8 (0.8, wrong), 9 (two of 0.9, right).
    assert finer.expected_error == pytest.approx((0.4 + 0.8 + 2 * 0.1) / 4)


def test_a_probability_of_one_falls_into_the_last_bin() -> None:
    assert metrics.calibration(np.array([[1.0, 0.0]]), np.array([0])).count[-1] == 1


def test_log_loss_by_hand_and_finite_for_an_impossible_label() -> None:
    assert metrics.log_loss(np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 0])) == pytest.approx(
        (math.log(2) + math.log(4)) / 2
    )
    assert math.isfinite(metrics.log_loss(np.array([[1.0, 0.0]]), np.array([1])))


def test_sharpen_divides_logits_and_keeps_the_order() -> None:
    logits = np.array([[2.0, 1.0, 0.0]])
    probabilities = np.exp(logits) / np.exp(logits).sum()
    halved = np.exp(logits / 2) / np.exp(logits / 2).sum()
    np.testing.assert_allclose(metrics.sharpen(probabilities, 2.0), halved, rtol=1e-9)
    np.testing.assert_allclose(metrics.sharpen(probabilities, 1.0), probabilities, rtol=1e-9)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_fitted_temperature_undoes_the_one_that_was_applied(temperature: float) -> None:
    generator = np.random.default_rng(0)
    honest = generator.dirichlet(np.ones(4) * 0.7, 20_000)
    labels = np.array([generator.choice(4, p=row) for row in honest])
    twisted = metrics.sharpen(honest, 1 / temperature)
    assert metrics.fit_temperature(twisted, labels) == pytest.approx(temperature, rel=0.05)
    assert metrics.crossed_calibration_error(twisted, labels) < 0.02


def test_crossed_calibration_error_sees_what_no_temperature_mends() -> None:
    # Always claims class 0 with 0.9 and is right half the time, or claims it with 0.6 and is always right.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]] * 50)
    labels = np.array([0, 1, 0, 0] * 50)
    assert metrics.crossed_calibration_error(probabilities, labels) > 0.1


def test_roc_by_hand() -> None:
    scores, positives = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False])
    false_rate, true_rate, area = metrics.roc_curve(scores, positives)
    assert false_rate.tolist() == [0, 0, 0.5, 0.5, 1]
    assert true_rate.tolist() == [0, 0.5, 0.5, 1, 1]
    assert area == pytest.approx(0.75)  # three of the four pairs are in order


def test_roc_of_equal_scores_is_a_coin() -> None:
    false_rate, true_rate, area = metrics.roc_curve(np.full(4, 0.5), np.array([True, True, False, False]))
    assert (false_rate.tolist(), true_rate.tolist(), area) == ([0, 1], [0, 1], 0.5)


@pytest.mark.parametrize("positive", [True, False])
def test_roc_of_one_class_alone_has_no_area(positive: bool) -> None:
    assert math.isnan(metrics.roc_curve(np.array([0.1, 0.9]), np.array([positive, positive]))[2])


def test_bootstrap_interval_holds_the_figure_and_is_repeatable() -> None:
    right = np.array([1.0] * 70 + [0.0] * 30)
    interval = metrics.bootstrap_interval(lambda drawn: float(right[drawn].mean()), 100, seed=3)
    # The normal approximation gives 0.7 +- 1.96 * sqrt(0.7 * 0.3 / 100).
    assert interval == pytest.approx((0.61, 0.79), abs=0.02)
    assert interval == metrics.bootstrap_interval(lambda drawn: float(right[drawn].mean()), 100, seed=3)
    narrow = metrics.bootstrap_interval(lambda drawn: float(right[drawn].mean()), 100, level=0.5, seed=3)
    assert interval[0] < narrow[0] < narrow[1] < interval[1]


def test_the_summary_holds_all_of_them() -> None:
    found = measure(PROBABILITIES, LABELS, ["a", "b", "c"])
    assert (found.pictures, found.accuracy) == (6, pytest.approx(4 / 6))
    assert found.accuracy_interval[0] < found.accuracy < found.accuracy_interval[1]
    assert found.confusion == ((2, 1, 0), (0, 1, 0), (0, 1, 1))
    assert found.macro_f1 == pytest.approx((0.8 + 0.5 + 2 / 3) / 3)
    assert [one.support for one in found.classes] == [3, 1, 2]
    # Class a against the rest: positives 0.8 0.6 0.2, negatives 0.1 0.0 0.2; one tie counts half of nine pairs.
    assert found.roc_areas[0] == pytest.approx((9 - 0.5) / 9)
