"""A summary as plain data, and as a table with a row per person."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from edge_fer.report.summing import Episode, Film, Happened, Person, totals
from edge_fer.sinks.csv import csv_line
from edge_fer.types import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA = "edge-fer-summary/1"
FIXED = (
    "source", "run", "kind", "person", "first_seen", "last_seen", "seconds_in_sight", "faces", "changes_per_minute",
)  # fmt: skip


def facts_of(films: Sequence[Film], files: Sequence[str], left_out: int) -> dict[str, Any]:
    """The content of summary.json.

    Args:
        films: as summed up.
        files: names of the files of results.
        left_out: lines in them that were no results.

    Returns:
        Times in seconds on the film's clock (of a live source: since its first frame), shares and scores 0 to 1.
    """
    return {"schema": SCHEMA, "files": list(files), "left_out": left_out, "films": [_film(film) for film in films]}


def _film(film: Film) -> dict[str, Any]:
    everybody = Person(film.first)
    everybody.bins = dict(enumerate(values for person in film.people.values() for values in person.bins.values()))
    seconds, means, shares = totals(everybody, film.labels)
    times = {} if film.kind == "pictures" else {"first": _short(film.first), "last": _short(film.last)}
    began = {} if math.isnan(film.began) else {"began": rfc3339(film.began)}
    return {
        "source": film.source,
        "run": film.run,
        "kind": film.kind,
        **began,
        **times,
        "frames": film.frames,
        "frames_with_faces": film.frames_with_faces,
        **_sums(film, seconds),
        "shares": _rounded(shares),
        "mean_scores": _rounded(means),
        "people": [_person(film, key, person) for key, person in by_time(film)],
        **({"events": [_happened(film, event) for event in film.events]} if film.events else {}),
    }


def by_time(film: Film) -> list[tuple[int | str | None, Person]]:
    """The people of a film, the longest in sight first; faces without an id last."""
    return sorted(
        film.people.items(), key=lambda item: (item[0] is None, -sum(values[0] for values in item[1].bins.values()))
    )


def _sums(film: Film, seconds: float) -> dict[str, Any]:
    return {"faces": round(seconds)} if film.kind == "pictures" else {"seconds_in_sight": _short(seconds)}


def _person(film: Film, key: int | str | None, person: Person) -> dict[str, Any]:
    seconds, means, shares = totals(person, film.labels)
    facts: dict[str, Any] = {"person": key}
    if film.kind != "pictures":
        facts |= {"first_seen": _short(person.first), "last_seen": _short(person.last)}
        if not math.isnan(film.began):
            facts |= {"first_seen_time": rfc3339(film.began + person.first)}
            facts |= {"last_seen_time": rfc3339(film.began + person.last)}
        facts["seconds_in_sight"] = _short(seconds)
    facts["faces"] = person.faces
    if key is not None:
        facts["changes_per_minute"] = round(changes_per_minute(person, seconds), 2)
    facts |= {"shares": _rounded(shares), "mean_scores": _rounded(means)}
    if key is not None:
        facts["longest_episodes"] = [_episode(one) for one in sorted(person.longest, reverse=True)]
    return facts


def _happened(film: Film, event: Happened) -> dict[str, Any]:
    time = {} if math.isnan(film.began) else {"time": rfc3339(film.began + event.at)}
    return {"event": event.name, "at": _short(event.at), **time, "person": event.person}


def changes_per_minute(person: Person, seconds: float) -> float:
    """How often the emotion shown changed, for each minute in sight."""
    return person.changes * 60.0 / seconds if seconds > 0 else 0.0


def _episode(episode: Episode) -> dict[str, Any]:
    start = episode.start
    return {
        "emotion": episode.emotion,
        "start": _short(start),
        "end": _short(start + episode.seconds),
        "seconds": _short(episode.seconds),
    }


def table_of(facts: dict[str, Any]) -> str:
    """The content of summary.csv: a row per person, with the share and mean score of each emotion."""
    labels = list(dict.fromkeys(label for film in facts["films"] for label in film["shares"]))
    named = [f"{kind}_{label}" for kind in ("share", "mean_score") for label in labels]
    episode = ("longest_emotion", "longest_start", "longest_seconds")
    lines = [csv_line([*FIXED, *named, *episode])]
    for film in facts["films"]:
        begin = [film["source"], str(film["run"]), film["kind"]]
        for person in film["people"]:
            fixed = ["" if person.get(name) is None else str(person[name]) for name in FIXED[3:]]
            values = [str(person[kind].get(label, "")) for kind in ("shares", "mean_scores") for label in labels]
            longest = (person.get("longest_episodes") or [{}])[0]
            last = [str(longest.get(name, "")) for name in ("emotion", "start", "seconds")]
            lines.append(csv_line([*begin, *fixed, *values, *last]))
    return "\n".join(lines) + "\n"


def _short(seconds: float) -> float:
    return round(seconds, 3)


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {label: round(value, 4) for label, value in values.items()}
