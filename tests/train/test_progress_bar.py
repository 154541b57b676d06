"""What is shown while training."""

from __future__ import annotations

import io

import pytest

pytest.importorskip("keras", reason="training needs Keras")

from edge_fer_train.checkpoint import Progress
from edge_fer_train.progress_bar import ProgressBar

from tests.logs import logged

FIGURES = {"loss": 1.25, "validation_accuracy": 0.5, "validation_accuracy_without_copies": 0.4, "seconds": 3.0}


def test_where_no_bar_is_drawn_there_is_a_line_per_epoch() -> None:
    with logged("edge_fer.train") as lines:
        report = ProgressBar(io.StringIO(), drawn=False).begin(2)
        report(Progress(), 1, 4, {"loss": 2.0})
        report(Progress(epoch=1, best_epoch=0, best_accuracy=0.4), 4, 4, FIGURES)
        report(Progress(epoch=2, best_epoch=0, best_accuracy=0.4), 4, 4, FIGURES)
    assert lines == [
        "epoch 1/2  loss 1.2500  validation 50.00%  without copies 40.00%  3 s *",
        "epoch 2/2  loss 1.2500  validation 50.00%  without copies 40.00%  3 s",
    ]


def test_there_is_a_line_every_half_minute_within_an_epoch() -> None:
    now = [0.0]
    with logged("edge_fer.train") as lines:
        report = ProgressBar(io.StringIO(), clock=lambda: now[0], drawn=False).begin(2)
        for step, seconds in ((1, 0.0), (2, 29.0), (3, 31.0), (4, 45.0), (5, 62.0)):
            now[0] = seconds
            report(Progress(), step, 10, {"loss": 2.0})
    assert lines == [
        "epoch 1/2  step 3/10  loss 2.0000  4 min left",
        "epoch 1/2  step 5/10  loss 2.0000  3 min left",
    ]


def test_a_terminal_gets_a_bar_with_the_time_left() -> None:
    stream, now = io.StringIO(), [0.0]
    bar = ProgressBar(stream, clock=lambda: now[0], drawn=True)
    report = bar.begin(10)
    report(Progress(), 1, 10, {"loss": 2.0})
    now[0] = 0.05
    report(Progress(), 2, 10, {"loss": 2.0})  # too soon to draw again
    now[0] = 90.0
    report(Progress(), 10, 10, {"loss": 1.5})
    now[0] = 100.0
    report(Progress(epoch=1, best_epoch=0, best_accuracy=0.4), 10, 10, FIGURES)
    bar.close()
    drawn = stream.getvalue().split("\r")[1:]
    assert len(drawn) == 3
    assert drawn[0] == "[--------------------]   1 %  epoch 1/10  loss 2.000"
    # 0.9 epochs in 90 s leave 9 epochs for 900 s.
    assert drawn[1].rstrip() == "[##------------------]  10 %  epoch 2/10  loss 1.500  15 min left"
    assert "validation 50.00%, best 40.00%" in drawn[2]
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().endswith("\n")


def test_the_last_epoch_ends_the_line_of_the_bar() -> None:
    stream = io.StringIO()
    ProgressBar(stream, drawn=True).begin(2)(Progress(epoch=2, best_epoch=1, best_accuracy=0.5), 4, 4, FIGURES)
    assert stream.getvalue().endswith("\n")


def test_a_resumed_run_counts_the_time_from_where_it_went_on() -> None:
    stream, now = io.StringIO(), [0.0]
    report = ProgressBar(stream, clock=lambda: now[0], drawn=True).begin(10)
    report(Progress(epoch=8), 5, 10, {"loss": 1.0})
    now[0] = 10.0
    report(Progress(epoch=9), 10, 20, {"loss": 1.0})
    assert stream.getvalue().endswith("5 s left")
