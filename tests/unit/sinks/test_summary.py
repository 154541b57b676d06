from __future__ import annotations

from dataclasses import dataclass, replace

from edge_fer.sinks.summary import Tally, TruthCheck
from edge_fer.types import Box
from tests.fakes import observation, scored_face


@dataclass(frozen=True)
class Known:
    box: Box
    emotion: str


def test_a_tally_counts_frames_faces_emotions_and_times() -> None:
    tally = Tally()
    tally.add(observation(scored_face(Box(0, 0, 9, 9)), scored_face(Box(9, 9, 9, 9), "sad")))
    tally.add(observation(scored_face(Box(0, 0, 9, 9))))
    assert tally.lines(0.5) == [
        "2 frames in 0.5 s, 4.0 FPS; 3 faces",
        "emotions: happy 2, sad 1",
        "a frame took 10.5 ms: finding faces 10.0 ms, reading them 0.50 ms (0.33 ms per face)",
    ]


def test_what_a_camera_replaced_is_dropped_and_files_that_follow_each_other_replace_nothing() -> None:
    tally = Tally()
    for seq, source in ((0, "cam"), (3, "cam"), (9, "a.png"), (0, "film"), (1, "film"), (11, "b.png"), (0, "film")):
        tally.add(replace(observation(seq=seq), source=source))
    assert tally.skipped == 2


def test_an_empty_run_says_so() -> None:
    assert Tally().lines(0.0) == ["no frame came"]


def test_truth_is_matched_by_place_and_each_box_used_once() -> None:
    check = TruthCheck()
    truth = [
        Known(Box(0, 0, 100, 100), "happy"),
        Known(Box(200, 0, 100, 100), "sad"),
        Known(Box(0, 200, 90, 90), "fear"),
    ]
    seen = observation(
        scored_face(Box(210, 5, 95, 95), "angry"),
        scored_face(Box(5, 5, 90, 90), "happy"),
        scored_face(Box(500, 5, 50, 50)),
    )
    check.add(seen, truth)
    assert (check.expected, check.found, check.right, check.extra) == (3, 2, 1, 1)
    assert (
        check.line()
        == "compared with the truth: faces found 2 of 3 (67%), emotion right 1 (50%), boxes without a face 1"
    )
    check.add(observation(scored_face(Box(0, 0, 100, 100))), [truth[0], truth[0]])
    assert (check.expected, check.found) == (5, 3)


def test_without_a_due_face_the_check_says_so() -> None:
    check = TruthCheck()
    check.add(observation(), [])
    assert check.line() == "compared with the truth: no face was due"


def test_frames_that_were_replaced_by_newer_ones_are_counted_and_told() -> None:
    tally = Tally()
    for seq in (7, 8, 12, 13):
        tally.add(observation(seq=seq))
    assert tally.skipped == 3
    assert tally.lines(1.0)[-1] == "3 frames dropped: newer ones came before they were looked at"


def test_what_was_read_and_what_is_shown_are_counted_apart() -> None:
    check = TruthCheck()
    late = replace(scored_face(Box(0, 0, 9, 9), "sad"), emotion="happy")
    check.add(observation(late), [Known(Box(0, 0, 9, 9), "sad")])
    assert (check.right, check.shown_right) == (1, 0)
    assert check.line().endswith("emotion right 1 (100%), shown 0, boxes without a face 0")
