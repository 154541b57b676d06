"""When a rule makes an event: held, cooled down, with hysteresis, for each face, on the time of the frames."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_fer.events.evaluation import HOLE_SECONDS, RuleSet, bind
from edge_fer.events.rule_text import parse_rule
from edge_fer.events.shares import PARTS, ShareWindow
from edge_fer.types import FER_LABELS, Box, Observation, ScoredFace
from tests.fakes import observation, scored_face

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge_fer.events.event import Event

BOX = Box(10, 10, 50, 50)
FPS = 10


def seen_at(at: float, *faces: ScoredFace) -> Observation:
    return observation(*faces, seq=round(at * FPS), captured_at=at)


def face(emotion: str = "happy", score: float = 0.9, track_id: int | None = 1) -> ScoredFace:
    return scored_face(BOX, emotion, score, track_id)


def run(rule: str, frames: Iterable[Observation]) -> list[Event]:
    rules = RuleSet([bind(parse_rule(rule), FER_LABELS)], FER_LABELS)
    return [event for frame in frames for event in rules.see(frame)]


def times(rule: str, frames: Iterable[Observation]) -> list[float]:
    return [event.observation.captured_at for event in run(rule, frames)]


def film(*parts: tuple[float, Sequence[ScoredFace]]) -> list[Observation]:
    """Frames with the faces of each part for so many seconds."""
    shown = [faces for seconds, faces in parts for _ in range(round(seconds * FPS))]
    return [seen_at(number / FPS, *faces) for number, faces in enumerate(shown)]


def test_what_holds_for_two_seconds_fires_once_and_at_that_time() -> None:
    assert times("happy > 0.8 for 2s", film((1, [face("sad")]), (5, [face()]))) == [3.0]
    assert times("happy > 0.8 for 2s", film((1, [face("sad")]), (1.9, [face()]), (2, [face("sad")]))) == []


def test_each_face_has_its_own_time_and_event() -> None:
    two = [face(), face("sad", track_id=2)]
    both = [face(), face(track_id=2)]
    events = run("happy for 1s", film((0.5, two), (3, both)))
    assert [(event.observation.captured_at, event.face and event.face.id) for event in events] == [(1.0, 1), (1.5, 2)]


def test_all_needs_every_face_and_one_at_least() -> None:
    frames = film((1, []), (1, [face(), face("sad", track_id=2)]), (1, [face(), face(track_id=2)]))
    assert times("all happy", frames) == [2.0]
    assert times("any happy", frames) == [1.0]
    assert run("all happy", frames)[0].face is None


def test_a_dip_within_the_gap_does_not_end_what_holds_and_a_longer_one_does() -> None:
    def with_dip(seconds: float) -> list[Observation]:
        return film((1.5, [face()]), (seconds, [face("sad")]), (3, [face()]))

    assert times("happy for 2s gap 300ms", with_dip(0.2)) == [2.0]
    assert times("happy for 2s gap 300ms", with_dip(0.6)) == [4.1]
    assert times("happy for 2s gap 0s", with_dip(0.1)) == [3.6]
    # A face that is not found for two frames is still there.
    assert times("happy for 2s", film((1.5, [face()]), (0.2, []), (3, [face()]))) == [2.0]


def test_a_dip_at_the_time_of_the_event_delays_it() -> None:
    assert times("happy for 2s gap 300ms", film((1.9, [face()]), (0.2, [face("sad")]), (3, [face()]))) == [2.1]


def test_after_an_event_the_score_must_fall_back_by_the_hysteresis() -> None:
    scores = [0.9, 0.78, 0.9, 0.76, 0.9]
    frames = [frame for number, score in enumerate(scores) for frame in film((1, [face(score=score)]))]
    frames = [seen_at(number / FPS, *frame.faces) for number, frame in enumerate(frames)]
    assert times("happy > 0.8", frames) == [0.0]
    assert times("happy > 0.8 hysteresis 0", frames) == [0.0, 2.0, 4.0]
    assert times("happy > 0.8 hysteresis 0.03", frames) == [0.0, 4.0]


def test_a_hysteresis_never_makes_an_episode_endless() -> None:
    low = film((1, [face(score=0.2)]), (1, [face("sad", score=0.99)]), (1, [face(score=0.2)]))
    assert times("happy > 0.03 hysteresis 0.5", low) == [0.0, 2.0]
    high = film((1, [face(score=0.2)]), (1, [face(score=0.999)]), (1, [face(score=0.2)]))
    assert times("happy < 0.98 hysteresis 0.5", high) == [0.0, 2.0]


def test_a_cooldown_is_that_of_the_rule_and_what_still_holds_then_fires() -> None:
    blinking = film(*[(1, [face("happy" if number % 2 == 0 else "sad")]) for number in range(10)])
    assert times("happy", blinking) == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert times("happy cooldown 3s", blinking) == [0.0, 4.0, 8.0]
    staying = film((1, [face()]), (1, [face("sad")]), (5, [face()]))
    assert times("happy cooldown 3s", staying) == [0.0, 3.0]
    two = film((2, [face(), face(track_id=2)]))
    assert times("happy cooldown 1s", two) == [0.0, 1.0]
    assert times("happy cooldown 1s per face", two) == [0.0, 0.0]


def test_a_new_id_fires_once_however_often_it_comes_back() -> None:
    frames = film((1, [face()]), (2, []), (1, [face()]), (1, [face(), face(track_id=2)]))
    events = run("id changes", frames)
    assert [(event.observation.captured_at, event.face and event.face.id) for event in events] == [(0.0, 1), (4.0, 2)]


def test_faces_that_are_not_followed_count_as_one() -> None:
    frames = film((1, [face(track_id=None), face("sad", track_id=None)]), (2, [face("sad", track_id=None)]))
    events = run("happy for 500ms", frames)
    assert [event.observation.captured_at for event in events] == [0.5]
    assert events[0].face is frames[5].faces[0]
    assert run("id changes", frames) == []


def test_nobody_for_a_minute() -> None:
    assert times("nobody for 60s", film((1, [face()]), (70, []), (5, [face()]), (61, []))) == [61.0, 136.0]


def test_a_share_counts_the_time_of_all_faces_once_the_whole_time_was_seen() -> None:
    # Two faces, one of them happy: half of the faces' time.
    half = [face(), face("sad", track_id=2)]
    assert times("happy share > 0.6 over 10s", film((20, half))) == []
    assert times("happy share >= 0.5 over 10s", film((20, half))) == [10.0]
    assert times("happy share > 0.6 over 10s", film((9.9, [face()]))) == []
    assert times("happy share > 0.6 over 10s", film((20, []))) == []
    # From 10 s on all is happy: seven of ten seconds are at 17, and a part of the window is a thirtieth of a second.
    changing = film((10, [face("sad")]), (20, [face()]))
    assert times("happy share > 0.7 over 10s", changing) == pytest.approx([17.0], abs=0.2)


def test_a_share_remembers_little_however_many_frames_come() -> None:
    window = ShareWindow(3600.0)
    for number in range(20_000):
        window.add(number * 0.5, 0.5, ["happy"] if number % 4 else ["sad"])
    assert window.parts <= PARTS + 2
    assert window.share("happy", 10_000.0) == pytest.approx(0.75, abs=0.001)


def test_a_hole_in_time_ends_what_held() -> None:
    before, after = film((1.5, [face()])), film((1.5, [face()]))
    late = [seen_at(frame.captured_at + 1.5 + HOLE_SECONDS + 0.1, *frame.faces) for frame in after]
    assert times("happy for 2s", before + late) == []
    soon = [seen_at(frame.captured_at + 1.5 + HOLE_SECONDS - 0.5, *frame.faces) for frame in after]
    assert times("happy for 2s", before + soon) == [1.5 + HOLE_SECONDS - 0.5]


def test_another_film_begins_anew() -> None:
    first = film((1.5, [face()]))
    assert times("happy for 2s", first + first) == []
    assert times("happy for 1s cooldown 60s", first + first) == [1.0, 1.0]
    assert times("id changes", first + first) == [0.0, 0.0]


def test_one_frame_a_second_is_enough() -> None:
    frames = [seen_at(float(number), face() if 3 <= number < 20 else face("sad")) for number in range(30)]
    assert times("happy for 2s", frames) == [5.0]
    frames = [seen_at(float(number), face() if number != 4 else face("sad")) for number in range(8)]
    assert times("happy for 2s gap 300ms", frames) == [2.0, 7.0]


def test_an_event_says_what_happened() -> None:
    frames = [replace(frame, position=frame.captured_at) for frame in film((2, [face(track_id=7)]))]
    (event,) = run("smile: happy > 0.8 for 1s", frames)
    record = event.to_dict()
    assert record["event"] == "smile"
    assert record["rule"] == "smile: happy > 0.8 for 1s"
    assert (record["position"], record["seq"], record["held_seconds"], record["faces"]) == (1.0, 10, 1.0, 1)
    assert record["face"]["id"] == 7
    assert event.text() == "smile: face 7, happy 90%"


def test_rules_go_by_the_position_in_a_film_where_there_is_one() -> None:
    # Read at three times its speed.
    frames = [replace(frame, position=frame.captured_at * 3) for frame in film((3, [face()]))]
    assert times("happy for 3s", frames) == [1.0]


def test_a_blind_event_keeps_the_rule_and_the_scores_to_itself() -> None:
    (event,) = run("A: happy > 0.8 blind", film((2, [face(track_id=7)])))
    assert set(event.to_dict()) == {"schema", "id", "event", "time", "seq", "source"}
    assert event.text() == "A"


def test_an_event_of_a_camera_has_no_position_and_no_two_have_one_id() -> None:
    events = run("happy", film(*[(1, [face("happy" if number % 2 else "sad")]) for number in range(9)]))
    assert len({event.id for event in events}) == len(events) == 4
    assert all("position" not in event.to_dict() for event in events)


STEPS = st.lists(st.tuples(st.floats(0.001, 3.0), st.floats(0.0, 1.0)), max_size=60)


def _frames(steps: list[tuple[float, float]]) -> list[Observation]:
    at, frames = 0.0, []
    for seconds, score in steps:
        at += seconds
        frames.append(observation(face(score=score), seq=len(frames), captured_at=at))
    return frames


@given(STEPS, st.sampled_from([0.0, 0.5, 2.0, 10.0]), st.booleans())
def test_no_two_events_are_nearer_than_the_cooldown(
    steps: list[tuple[float, float]], cooldown: float, per_face: bool
) -> None:
    found = times(f"happy > 0.5 gap 0s cooldown {cooldown}s{' per face' if per_face else ''}", _frames(steps))
    assert all(later - earlier >= cooldown - 1e-5 for earlier, later in pairwise(found))


@given(STEPS, st.sampled_from([0.0, 0.05, 0.2]), st.sampled_from([0.0, 0.3, 1.0]))
def test_between_two_events_the_score_was_below_the_loosened_threshold_for_longer_than_the_gap(
    steps: list[tuple[float, float]], hysteresis: float, gap: float
) -> None:
    frames = _frames(steps)
    found = times(f"happy > 0.5 hysteresis {hysteresis} gap {gap}s", frames)
    for earlier, later in pairwise(found):
        between = [frame for frame in frames if earlier <= frame.captured_at <= later]
        holds = [frame.captured_at for frame in between if frame.faces[0].score > 0.5 - hysteresis]
        assert max(b - a for a, b in pairwise(holds)) > gap


@given(STEPS, st.sampled_from([0.0, 1.0, 2.5]), st.sampled_from([0.0, 0.5]), st.sampled_from([0.0, 4.0]))
def test_events_are_those_of_a_plain_reading_of_the_rule(
    steps: list[tuple[float, float]], for_seconds: float, gap: float, cooldown: float
) -> None:
    frames = _frames(steps)
    since = held = last = previous = None
    fired, expected = False, []
    for frame in frames:
        at, score = frame.captured_at, frame.faces[0].score
        if score > (0.5 if since is None else 0.45):
            # The condition may also have ended unseen, in the time behind a frame in which it failed.
            if since is not None and held != previous and at - held > gap + 1e-6:
                since = None
            if since is None and score > 0.5:
                since, fired = at, False
            if since is not None:
                held = at
                cool = last is None or at - last >= cooldown - 1e-6
                if not fired and cool and at - since >= for_seconds - 1e-6:
                    fired, last = True, at
                    expected.append(at)
        elif since is not None and at - held > gap + 1e-6:
            since = None
        previous = at
    assert times(f"happy > 0.5 for {for_seconds}s gap {gap}s cooldown {cooldown}s", frames) == expected
