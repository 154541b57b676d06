"""Who was in sight, when, and with which emotion: summed up frame by frame, in memory that does not grow with a film.

A frame lasts until the next one. Where frames are missing, as those without a face in CSV, or those of a camera that
was away, it lasts as long as frames usually do.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from edge_fer.errors import SourceError
from edge_fer.report.results import MOST_LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edge_fer.report.results import SeenEvent, SeenFace, SeenFrame

BINS = 300
"""Most stretches into which a film is divided for its timeline; they double in length as it goes on."""
FIRST_BIN_SECONDS = 0.1
LONGEST_EPISODES = 5
"""Kept of each person."""
STEP_SECONDS = 1.0
"""Two frames of a source without positions, or with frames missing, that are closer than this follow each other."""
STEPS = 2.5
"""The same, in usual distances between frames."""
SINGLE_FRAME_SECONDS = 0.04
PICTURES = "pictures"


class Episode(NamedTuple):
    """A stretch of time in which a person was in sight without a break, with one emotion."""

    seconds: float
    start: float
    emotion: str


class Happened(NamedTuple):
    """An event on the clock of its film."""

    at: float
    name: str
    person: int | None


@dataclass(slots=True)
class Person:
    """What is known of one id of a film."""

    first: float
    last: float = 0.0
    """End of the last frame, as `first` in seconds on the film's clock."""
    changes: int = 0
    faces: int = 0
    bins: dict[int, list[float]] = field(default_factory=dict)
    """By number: the seconds in sight, then for each label those seconds times its score, then those with its emotion
    shown; the labels are those of the film."""
    longest: list[Episode] = field(default_factory=list)
    emotion: str = ""
    since: float = 0.0

    def end_episode(self) -> None:
        """Keep the one that ends where the person was last seen, where it is one of the longest."""
        if self.emotion:
            episode = Episode(self.last - self.since, self.since, self.emotion)
            if len(self.longest) < LONGEST_EPISODES:
                heapq.heappush(self.longest, episode)
            else:
                heapq.heappushpop(self.longest, episode)


@dataclass(slots=True)
class Film:
    """What is known of one film, run of a camera, or set of pictures."""

    source: str
    run: int
    """1, or higher where results of the same source begin again in the same file."""
    kind: str
    """`film`, `live` or `pictures`."""
    labels: list[str] = field(default_factory=list)
    began: float = math.nan
    """Seconds since 1970 UTC, where that is known."""
    first: float = 0.0
    """Position of the first frame in seconds; 0 for live sources."""
    last: float = 0.0
    """End of the last frame."""
    frames: int = 0
    frames_with_faces: int = 0
    bin_seconds: float = FIRST_BIN_SECONDS
    people: dict[int | str | None, Person] = field(default_factory=dict)
    step: float = 0.0
    """The usual distance between two frames in seconds; 0 while it is not known."""
    label_key: tuple[str, ...] = ()
    events: list[Happened] = field(default_factory=list)
    """In the order of their times."""


class Summary:
    """Sums up frames of any number of films, in the order in which they were written."""

    def __init__(self) -> None:
        self.films: list[Film] = []
        self._open: dict[str, tuple[Film, SeenFrame, float]] = {}
        """By source: the film, its last frame, which lasts until the next one, and when that was."""
        self._pictures: Film | None = None
        self._runs: Counter[str] = Counter()

    def add_file(self, frames: Iterable[SeenFrame]) -> None:
        """Add the frames of one file of results."""
        before = ""
        for frame, following in _with_next(frames):
            # A camera gives many frames in a row, and a picture is one; neither has a position.
            alone = frame.position is None and frame.source not in (before, following)
            before = frame.source
            if alone:
                self._add_picture(frame)
            else:
                self._add_frame(frame)
        for film, last, at in self._open.values():
            _end(film, last, at)
        self._open.clear()
        self._pictures = None

    def add_events(self, events: Iterable[SeenEvent]) -> int:
        """Give each event to the film, or run of a camera, in which it happened; how many belong to none."""
        left = 0
        for event in events:
            film = next((film for film in self.films if film.source == event.source and _holds(film, event)), None)
            if film is None:
                left += 1
            else:
                at = event.time - film.began if event.position is None else event.position
                film.events.append(Happened(at, event.name, event.person))
        for film in self.films:
            film.events.sort(key=lambda event: event.at)
        return left

    def _add_picture(self, frame: SeenFrame) -> None:
        film = self._pictures
        if film is None:
            self._runs[PICTURES] += 1
            film = self._pictures = Film(PICTURES, self._runs[PICTURES], "pictures")
            self.films.append(film)
        _count(film, frame)
        for face in frame.faces:
            person = film.people.setdefault(None, Person(0.0))
            person.faces += 1
            # A picture has no length: each face counts as one.
            _add_to_bin(film, person, 0, face, 1.0)

    def _add_frame(self, frame: SeenFrame) -> None:
        opened = self._open.get(frame.source)
        if opened is not None and (opened[0].kind == "film") == (frame.position is not None):
            film, last, at = opened
            now = _seconds(film, frame)
            if frame.seq > last.seq and (math.isnan(now) or now >= at):
                now = max(at, now) if not math.isnan(now) else at + (film.step or STEP_SECONDS)
                _spend(film, last, at, _duration(film, now - at, last, frame))
                self._open[frame.source] = (film, frame, now)
                _count(film, frame)
                return
        if opened is not None:
            _end(*opened)
        self._runs[frame.source] += 1
        kind = "live" if frame.position is None else "film"
        film = Film(frame.source, self._runs[frame.source], kind, began=frame.time)
        film.first = film.last = now = frame.position or 0.0
        self.films.append(film)
        self._open[frame.source] = (film, frame, now)
        _count(film, frame)


def _holds(film: Film, event: SeenEvent) -> bool:
    """Whether an event happened while a film lasted, give or take a frame."""
    if (film.kind == "film") != (event.position is not None) or film.kind == "pictures":
        return False
    at = event.time - film.began if event.position is None else event.position
    return film.first - STEP_SECONDS <= at <= film.last + STEP_SECONDS


def _with_next(frames: Iterable[SeenFrame]) -> Iterator[tuple[SeenFrame, str]]:
    """Each frame with the source of the next one."""
    held: SeenFrame | None = None
    for frame in frames:
        if held is not None:
            yield held, frame.source
        held = frame
    if held is not None:
        yield held, ""


def _count(film: Film, frame: SeenFrame) -> None:
    film.frames += 1
    film.frames_with_faces += bool(frame.faces)


def _seconds(film: Film, frame: SeenFrame) -> float:
    return frame.time - film.began if film.kind == "live" else math.nan if frame.position is None else frame.position


def _duration(film: Film, gap: float, last: SeenFrame, frame: SeenFrame) -> float:
    """How long the last frame lasted, of which the next one came so many seconds later."""
    if film.kind == "film" and frame.seq == last.seq + 1:
        film.step = film.step or gap
        return gap
    if film.step == 0.0:
        film.step = min(gap, STEP_SECONDS)
        return film.step
    if gap > max(STEP_SECONDS, STEPS * film.step):
        return film.step
    film.step += 0.05 * (gap - film.step)
    return gap


def _end(film: Film, last: SeenFrame, at: float) -> None:
    _spend(film, last, at, film.step or SINGLE_FRAME_SECONDS)
    for person in film.people.values():
        person.end_episode()
        person.emotion = ""


def _spend(film: Film, frame: SeenFrame, at: float, seconds: float) -> None:
    """Add a frame that lasted so long."""
    film.last = at + seconds
    while film.last - film.first >= BINS * film.bin_seconds:
        _double(film)
    number = int((at - film.first) / film.bin_seconds)
    for face in frame.faces:
        person = film.people.get(face.person)
        if person is None:
            person = film.people[face.person] = Person(at, at)
        _follow(film, person, face, at, seconds)
        _add_to_bin(film, person, number, face, seconds)


def _follow(film: Film, person: Person, face: SeenFace, at: float, seconds: float) -> None:
    person.faces += 1
    if face.person is None:
        person.last = at + seconds
        return  # nobody knows whose faces these are
    away = at - person.last > 1e-6 and at - person.last > max(STEP_SECONDS, STEPS * film.step)
    if face.emotion != person.emotion or away:
        person.end_episode()
        person.changes += bool(person.emotion) and face.emotion != person.emotion
        person.emotion, person.since = face.emotion, at
    person.last = at + seconds


def _add_to_bin(film: Film, person: Person, number: int, face: SeenFace, seconds: float) -> None:
    key = tuple(face.scores)
    if key != film.label_key:
        _learn(film, key)
    labels = film.labels
    values = person.bins.get(number)
    if values is None:
        values = person.bins[number] = [0.0] * (1 + 2 * len(labels))
    values[0] += seconds
    if key == film.label_key:
        place = 1
        for score in face.scores.values():
            values[place] += score * seconds
            place += 1
    else:
        for label, score in face.scores.items():
            values[1 + labels.index(label)] += score * seconds
    values[1 + len(labels) + labels.index(face.emotion)] += seconds


def _learn(film: Film, key: tuple[str, ...]) -> None:
    """Make room for labels that no frame of this film had before, as after a change of the model."""
    new = [label for label in key if label not in film.labels]
    if new:
        old = len(film.labels)
        if old + len(new) > MOST_LABELS:
            raise SourceError(f"{film.source}: more than {MOST_LABELS} emotions, so these are no results")
        film.labels += new
        more = [0.0] * len(new)
        for person in film.people.values():
            for number, values in person.bins.items():
                person.bins[number] = [*values[: 1 + old], *more, *values[1 + old :], *more]
    if tuple(film.labels) == key:
        film.label_key = key


def _double(film: Film) -> None:
    """Make the stretches of the timeline twice as long."""
    film.bin_seconds *= 2.0
    for person in film.people.values():
        halved: dict[int, list[float]] = {}
        for number, values in person.bins.items():
            there = halved.get(number // 2)
            halved[number // 2] = (
                values if there is None else [one + other for one, other in zip(there, values, strict=True)]
            )
        person.bins = halved


def totals(person: Person, labels: Sequence[str]) -> tuple[float, dict[str, float], dict[str, float]]:
    """Seconds in sight (or faces in pictures), and for each label its mean score and the share of time shown."""
    sums = [math.fsum(column) for column in zip(*person.bins.values(), strict=True)] or [0.0] * (1 + 2 * len(labels))
    seconds = sums[0]
    each = seconds or 1.0
    means = {label: sums[1 + index] / each for index, label in enumerate(labels)}
    shares = {label: sums[1 + len(labels) + index] / each for index, label in enumerate(labels)}
    return seconds, means, shares
