"""The page shows what was summed up, holds no script, and loads nothing from elsewhere."""

from __future__ import annotations

import csv
import io
import math
import re
from html.parser import HTMLParser
from typing import Any

from edge_fer.report.page import MOST_PEOPLE, page_of
from edge_fer.report.results import SeenFace, SeenFrame
from edge_fer.report.summing import Summary
from edge_fer.report.tables import facts_of, table_of

EVIL = '<script>alert("x")</script>'


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def tags_of(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(page)
    return parser.tags


def page_and_facts(frames: list[SeenFrame]) -> tuple[str, dict[str, Any]]:
    summary = Summary()
    summary.add_file(frames)
    facts = facts_of(summary.films, ["results"], 0)
    return page_of(summary.films, facts), facts


def frames_of(source: str, people: int = 2, emotion: str = "happy") -> list[SeenFrame]:
    return [
        SeenFrame(source, number, number / 10, math.nan, (SeenFace(1 + number % people, emotion, {emotion: 1.0}),))
        for number in range(10 * people)
    ]


def test_names_and_emotions_by_strangers_are_words() -> None:
    page, _ = page_and_facts(frames_of(EVIL, emotion=EVIL))
    assert "script" not in {tag for tag, _ in tags_of(page)}
    assert "&lt;script&gt;" in page


def test_nothing_is_loaded_from_elsewhere() -> None:
    page, _ = page_and_facts(frames_of("film.mp4"))
    tags = tags_of(page)
    assert not {"script", "link", "img", "iframe", "image"} & {tag for tag, _ in tags}
    assert not any(name in ("src", "href") or name.startswith("on") for _, attrs in tags for name in attrs)
    assert not re.search(r"https?:|url\(|@import", page)
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in tags


def test_there_is_a_timeline_for_each_person_up_to_a_number() -> None:
    page, facts = page_and_facts(frames_of("film.mp4", people=MOST_PEOPLE + 3))
    assert page.count('<svg class="area"') == MOST_PEOPLE
    assert "3 more, in sight for less" in page
    assert len(facts["films"][0]["people"]) == MOST_PEOPLE + 3


def test_the_drawing_stays_within_its_frame() -> None:
    page, _ = page_and_facts(frames_of("film.mp4"))
    numbers = [float(point.split()[0]) for path in re.findall(r' d="M([^"]*)Z"', page) for point in path.split("L")]
    assert numbers
    assert min(numbers) >= 0
    assert max(numbers) <= 1000


def test_the_table_has_a_row_per_person_and_no_formula() -> None:
    _, facts = page_and_facts(frames_of("=cmd()"))
    rows = list(csv.DictReader(io.StringIO(table_of(facts))))
    assert {row["person"] for row in rows} == {"1", "2"}
    assert rows[0]["source"] == "'=cmd()"
    assert rows[0]["share_happy"] == "1.0"


def test_a_film_without_a_face_has_its_place() -> None:
    page, facts = page_and_facts([SeenFrame("empty.mp4", number, number / 10, math.nan, ()) for number in range(2)])
    assert "No face was found." in page
    assert facts["films"][0]["people"] == []


def test_pictures_have_a_table_and_no_timeline() -> None:
    face = SeenFace(None, "happy", {"happy": 1.0})
    page, _ = page_and_facts([SeenFrame(f"{number}.jpg", number, None, math.nan, (face,)) for number in range(3)])
    assert '<svg class="area"' not in page
    assert "3 pictures" in page
