"""Times, shares and episodes of people in films, on rows whose sums are known."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from edge_fer.errors import SourceError
from edge_fer.report.results import SeenFace, SeenFrame
from edge_fer.report.summing import BINS, Film, Summary, totals
from edge_fer.report.tables import changes_per_minute, facts_of

if TYPE_CHECKING:
    from collections.abc import Iterable

CALM = {"happy": 0.75, "sad": 0.25}
LOW = {"happy": 0.25, "sad": 0.75}


def face(person: int | str | None = 1, emotion: str = "happy", scores: dict[str, float] | None = None) -> SeenFace:
    return SeenFace(person, emotion, scores or (CALM if emotion == "happy" else LOW))


def film_of(*faces: Iterable[SeenFace], begin: float = 0.0, source: str = "a.mp4") -> list[SeenFrame]:
    """A film of ten frames per second, frame by frame."""
    return [SeenFrame(source, number, begin + number / 10, math.nan, tuple(seen)) for number, seen in enumerate(faces)]


def summed(frames: Iterable[SeenFrame]) -> list[Film]:
    summary = Summary()
    summary.add_file(frames)
    return summary.films


def test_times_shares_and_scores_of_a_person() -> None:
    [film] = summed(film_of(*[[face()]] * 30, *[[face(emotion="sad")]] * 10, *[[]] * 20, begin=2.0))
    assert (film.first, film.last, film.frames, film.frames_with_faces) == (2.0, pytest.approx(8.0), 60, 40)
    [person] = film.people.values()
    seconds, means, shares = totals(person, film.labels)
    assert (person.first, person.last, seconds) == (2.0, pytest.approx(6.0), pytest.approx(4.0))
    assert shares == pytest.approx({"happy": 0.75, "sad": 0.25})
    assert means == pytest.approx({"happy": 0.75 * 0.75 + 0.25 * 0.25, "sad": 0.75 * 0.25 + 0.25 * 0.75})
    assert changes_per_minute(person, seconds) == pytest.approx(15.0)
    episodes = [(one.emotion, one.start, one.seconds) for one in sorted(person.longest, reverse=True)]
    assert episodes[0] == ("happy", 2.0, pytest.approx(3.0))
    assert episodes[1] == ("sad", pytest.approx(5.0), pytest.approx(1.0))


def test_a_frame_lasts_until_the_next_one_at_any_rate() -> None:
    times = [0.0, 0.1, 0.2, 5.2, 5.3, 65.3]
    [film] = summed(SeenFrame("a.mp4", number, at, math.nan, (face(),)) for number, at in enumerate(times))
    assert totals(film.people[1], film.labels)[0] == pytest.approx(65.3 + film.step)


def test_frames_that_are_missing_are_no_time_in_sight() -> None:
    # CSV has no rows for frames without a face.
    frames = [frame for frame in film_of(*[[face()]] * 20, *[[]] * 600, *[[face()]] * 20) if frame.faces]
    [film] = summed(frames)
    person = film.people[1]
    assert totals(person, film.labels)[0] == pytest.approx(4.0, abs=0.3)
    assert [one.seconds for one in person.longest] == pytest.approx([2.0, 2.0], abs=0.2)
    assert person.changes == 0


def test_a_live_source_that_was_away_is_not_in_sight_meanwhile() -> None:
    times = [*(1000.0 + number / 10 for number in range(20)), *(5000.0 + number / 10 for number in range(20))]
    [film] = summed(SeenFrame("camera 0", number, None, at, (face(),)) for number, at in enumerate(times))
    assert (film.kind, film.began) == ("live", 1000.0)
    assert totals(film.people[1], film.labels)[0] == pytest.approx(4.0, abs=0.1)
    facts = facts_of([film], [], 0)["films"][0]
    assert facts["people"][0]["first_seen_time"] == "1970-01-01T00:16:40.000Z"


def test_ids_that_begin_again_are_other_people() -> None:
    films = summed([*film_of([face()], [face()]), *film_of([face()], [face()])])
    assert [(film.source, film.run, list(film.people)) for film in films] == [("a.mp4", 1, [1]), ("a.mp4", 2, [1])]


def test_films_in_one_file_are_kept_apart() -> None:
    films = summed([*film_of([face()], [face(2)]), *film_of([face(3)], [], source="b.mp4")])
    assert [(film.source, list(film.people)) for film in films] == [("a.mp4", [1, 2]), ("b.mp4", [3])]


def test_pictures_are_counted_together() -> None:
    seen = [[face(None)], [face(None), face(None, "sad")], []]
    [film] = summed(
        SeenFrame(f"{number}.jpg", number, None, math.nan, tuple(faces)) for number, faces in enumerate(seen)
    )
    assert (film.kind, film.frames, film.frames_with_faces) == ("pictures", 3, 2)
    facts = facts_of([film], [], 0)["films"][0]
    assert facts["faces"] == 3
    assert facts["shares"] == pytest.approx({"happy": 2 / 3, "sad": 1 / 3}, abs=1e-4)


def test_faces_without_an_id_have_no_changes() -> None:
    [film] = summed(film_of([face(None), face(None, "sad")], [face(None, "sad")], [face(None)]))
    [person] = facts_of([film], [], 0)["films"][0]["people"]
    assert person["person"] is None
    assert not {"changes_per_minute", "longest_episodes"} & set(person)


def test_labels_of_another_model_join_those_before() -> None:
    other = {"sad": 0.5, "bored": 0.5}
    [film] = summed(film_of([face()], [face(1, "bored", other)], [face()], [face(1, "bored", other)]))
    assert film.labels == ["happy", "sad", "bored"]
    assert totals(film.people[1], film.labels)[2] == pytest.approx({"happy": 0.5, "sad": 0.0, "bored": 0.5})


def test_memory_is_that_of_the_timeline_however_long_the_film() -> None:
    [film] = summed(
        SeenFrame("a.mp4", number, number * 1.0, math.nan, (face(1, "sad" if number % 3 else "happy"),))
        for number in range(40_000)
    )
    person = film.people[1]
    assert len(person.bins) <= BINS
    assert len(person.longest) == 5
    assert totals(person, film.labels)[0] == pytest.approx(40_000.0)


def test_labels_without_end_are_refused() -> None:
    frames = film_of(*([face(1, f"e{number}", {f"e{number}": 1.0})] for number in range(1100)))
    with pytest.raises(SourceError, match="more than 1000 emotions"):
        summed(frames)


def test_one_frame_is_a_film() -> None:
    [film] = summed(film_of([face()]))
    seconds, _, shares = totals(film.people[1], film.labels)
    assert seconds > 0
    assert shares["happy"] == pytest.approx(1.0)
