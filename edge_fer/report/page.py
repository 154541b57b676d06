"""The summary as one page: no script, nothing from elsewhere, readable on a telephone and in the dark."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

from edge_fer.escaping import for_html
from edge_fer.html_page import html_page, html_table
from edge_fer.report.summing import Film, Person, totals
from edge_fer.report.tables import by_time

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_PEOPLE = 40
"""Of each film that get a timeline; the tables in the other files hold all."""
MOST_FILMS = 100
MOST_EVENTS_SHOWN = 500
MARK_PX = 4.0
LEAST_PX = 2.0
"""Of 1000, so that one who was seen for a moment of a long film is still to be seen."""
COLOURS = {
    "angry": "#e0433f",
    "disgust": "#4f9d45",
    "fear": "#9a5bd0",
    "happy": "#f2c01e",
    "sad": "#3f86dd",
    "surprise": "#f5852a",
    "neutral": "#a9a9a9",
}
MORE_COLOURS = ("#00a3a3", "#b0743c", "#d45fa4", "#7a8a00", "#5a6fd8", "#8c8c5a")
AREA_PX, BAND_PX = 70, 14
STYLE = """
body { max-width: 72rem } p { margin: .3rem 0 }
svg { width: 100%; background: var(--ground); border-radius: 3px }
.area { height: 84px } .share { height: 22px; margin: .6rem 0 }
.axis { display: flex; justify-content: space-between; color: var(--soft); font-size: .8rem }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding: 0; list-style: none; margin: .5rem 0 }
.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px; margin-right: .35rem }
"""


def page_of(films: Sequence[Film], facts: dict[str, Any]) -> str:
    """The content of report.html.

    Args:
        films: as summed up.
        facts: the same as plain data, of `facts_of`.
    """
    parts = ["<h1>Expressions over time</h1>"]
    if facts["left_out"]:
        lines = "line was" if facts["left_out"] == 1 else "lines were"
        parts.append(f'<p class="soft">{facts["left_out"]} {lines} left out: they hold no result.</p>')
    parts.append(
        '<p class="soft">What a model says of faces, and not what people feel. A person is an id: somebody who '
        "leaves the picture and comes back may get another one.</p>"
    )
    for film, facts_of_film in list(zip(films, facts["films"], strict=True))[:MOST_FILMS]:
        parts += _film(film, facts_of_film)
    if len(films) > MOST_FILMS:
        parts.append(f"<p>{len(films) - MOST_FILMS} more films are in summary.csv and summary.json.</p>")
    return html_page("Expressions over time", parts, style=STYLE)


def clock(seconds: float) -> str:
    """A position as people read it.

    >>> clock(75.25), clock(3661.0)
    ('1:15.2', '1:01:01')
    """
    if seconds >= 3600:
        whole = round(seconds)
        return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
    tenths = int(seconds * 10 + 1e-6)
    return f"{tenths // 600}:{tenths // 10 % 60:02}.{tenths % 10}"


def colours_of(labels: Sequence[str]) -> dict[str, str]:
    """A colour for each label, the same for the same labels."""
    others = [label for label in labels if label not in COLOURS]
    more = {label: MORE_COLOURS[number % len(MORE_COLOURS)] for number, label in enumerate(others)}
    return {label: COLOURS.get(label) or more[label] for label in labels}


def _film(film: Film, facts: dict[str, Any]) -> list[str]:
    again = f" (run {film.run})" if film.run > 1 else ""
    parts = [f"<h2>{for_html(film.source)}{again}</h2>", f"<p>{_about(film, facts)}</p>"]
    if not film.people:
        return [*parts, "<p>No face was found.</p>", *_events(film)]
    colours = colours_of(film.labels)
    parts += [_legend(colours), _share_bar(facts["shares"], colours), *_events(film)]
    if film.kind != "pictures":
        people = by_time(film)
        for key, person in people[:MOST_PEOPLE]:
            parts += _person(film, key, person, colours)
        if len(people) > MOST_PEOPLE:
            parts.append(f"<p>{len(people) - MOST_PEOPLE} more, in sight for less, are in summary.csv.</p>")
    return [*parts, _table(film, facts)]


def _about(film: Film, facts: dict[str, Any]) -> str:
    frames = f"{film.frames} {'picture' if film.kind == 'pictures' else 'frame'}{'s' * (film.frames != 1)}"
    found = f"faces in {film.frames_with_faces}"
    if film.kind == "pictures":
        return f"{frames}, {found}, {facts['faces']} face{'s' * (facts['faces'] != 1)}"
    since = f"from {for_html(facts['began'])} on, " if "began" in facts else f"{clock(film.first)} to "
    length = clock(film.last - film.first) if "began" in facts else clock(film.last)
    ids = sum(key is not None for key in film.people)
    return f"{since}{length}; {frames}, {found}; {ids} {'person' if ids == 1 else 'people'}"


def _legend(colours: dict[str, str]) -> str:
    items = (f'<li><i style="background:{colour}"></i>{for_html(label)}</li>' for label, colour in colours.items())
    return f'<ul class="legend">{"".join(items)}</ul>'


def _share_bar(shares: dict[str, float], colours: dict[str, str]) -> str:
    """One bar of all, divided by the share of each emotion."""
    x, parts = 0.0, []
    for label, share in shares.items():
        parts.append(_rectangle(x, 0, 1000 * share, 22, colours[label], f"{label}: {share:.0%}"))
        x += 1000 * share
    words = ", ".join(f"{label} {share:.0%}" for label, share in shares.items() if share >= 0.005)
    return _svg("share", 22, f"Shares: {words}", parts) + f'<p class="soft">{for_html(words)}</p>'


def _events(film: Film) -> list[str]:
    """A line over the length of the film with a mark for each event, and what each was."""
    if not film.events:
        return []
    colours = colours_of(sorted({event.name for event in film.events}))
    length = max(film.last - film.first, 1e-9)
    marks = []
    for event in film.events:
        x = 1000.0 * min(max(event.at - film.first, 0.0), length) / length
        words = f"{event.name} at {clock(max(event.at, 0.0))}"
        marks.append(_rectangle(min(x, 1000.0 - MARK_PX), 0, MARK_PX, 22, colours[event.name], words))
    counts = Counter(event.name for event in film.events)
    words = ", ".join(f"{name} {count}" for name, count in counts.items())
    rows = "".join(
        f"<tr><td>{clock(max(event.at, 0.0))}</td><td>{for_html(event.name)}</td>"
        f"<td>{'' if event.person is None else event.person}</td></tr>"
        for event in film.events[:MOST_EVENTS_SHOWN]
    )
    more = len(film.events) - MOST_EVENTS_SHOWN
    return [
        "<h3>Events</h3>",
        _legend({f"{name} ({counts[name]})": colour for name, colour in colours.items()}),
        _svg("share", 22, f"Events: {words}", marks),
        f"<details><summary>{len(film.events)} event{'s' * (len(film.events) != 1)}</summary>"
        '<div class="scroll"><table><thead><tr><th>at</th><th>event</th><th>person</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{f'<p>{more} more are in summary.json.</p>' if more > 0 else ''}"
        "</details>",
    ]


def _person(film: Film, key: int | str | None, person: Person, colours: dict[str, str]) -> list[str]:
    name = "Faces without an id" if key is None else f"Person {for_html(str(key))}"
    seconds, _, shares = totals(person, film.labels)
    mostly = max(shares, key=lambda label: shares[label])
    words = (
        f"{clock(person.first)} to {clock(person.last)}, in sight for {clock(seconds)}, "
        f"mostly {for_html(mostly)} ({shares[mostly]:.0%})"
    )
    drawing = _svg("area", AREA_PX + BAND_PX, f"{name}: {words}", _timeline(film, person, colours), escaped=True)
    ticks = (f"<span>{clock(film.first + part * (film.last - film.first) / 4)}</span>" for part in range(5))
    return [f"<h3>{name}</h3>", f'<p class="soft">{words}</p>', drawing, f'<div class="axis">{"".join(ticks)}</div>']


def _timeline(film: Film, person: Person, colours: dict[str, str]) -> list[str]:
    """Stacked areas of the mean scores, and below them a band of the emotion shown."""
    length = max(film.last - film.first, 1e-9)
    scale = 1000.0 * film.bin_seconds / length
    numbers, count, parts = sorted(person.bins), len(film.labels), []
    # Neighbours have the same distance to their place in the row.
    for _, run in groupby(enumerate(numbers), lambda item: item[1] - item[0]):
        stretch = [number for _, number in run]
        xs = [min((number + 0.5) * scale, 1000.0) for number in stretch]
        edges = [stretch[0] * scale, *xs, min((stretch[-1] + 1) * scale, 1000.0)]
        edges[-1] = max(edges[-1], edges[0] + LEAST_PX)
        below = [0.0] * len(edges)
        for index, label in enumerate(film.labels):
            values = [_share(person.bins[number], 1 + index) for number in stretch]
            above = [low + value for low, value in zip(below, [values[0], *values, values[-1]], strict=True)]
            points = [_point(x, y) for x, y in zip(edges, above, strict=True)]
            points += [_point(x, y) for x, y in zip(reversed(edges), reversed(below), strict=True)]
            parts.append(f'<path fill="{colours[label]}" d="M{"L".join(points)}Z"/>')
            below = above
    shown = {number: _most(person.bins[number][1 + count :]) for number in numbers}
    for (_, index), same in groupby(enumerate(numbers), lambda item: (item[1] - item[0], shown[item[1]])):
        band = [number for _, number in same]
        width = max((band[-1] + 1 - band[0]) * scale, LEAST_PX)
        label = film.labels[index]
        parts.append(_rectangle(band[0] * scale, AREA_PX + 2, width, BAND_PX - 2, colours[label], label))
    return parts


def _share(values: list[float], place: int) -> float:
    return values[place] / values[0] if values[0] > 0 else 0.0


def _most(values: list[float]) -> int:
    return values.index(max(values))


def _point(x: float, share: float) -> str:
    return f"{x:.1f} {AREA_PX * (1.0 - min(max(share, 0.0), 1.0)):.1f}"


def _rectangle(x: float, y: float, width: float, height: float, colour: str, title: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:g}" width="{width:.1f}" height="{height:g}" fill="{colour}">'
        f"<title>{for_html(title)}</title></rect>"
    )


def _svg(kind: str, height: int, words: str, parts: Sequence[str], *, escaped: bool = False) -> str:
    return (
        f'<svg class="{kind}" viewBox="0 0 1000 {height}" preserveAspectRatio="none" role="img" '
        f'aria-label="{words if escaped else for_html(words)}">{"".join(parts)}</svg>'
    )


def _table(film: Film, facts: dict[str, Any]) -> str:
    labels = film.labels
    timed = film.kind != "pictures"
    times = ("first seen", "last seen", "in sight", "changes per minute", "longest episode")
    heads = ["person", *(times if timed else ("faces",)), *labels]
    rows = []
    for person in facts["people"][: 5 * MOST_PEOPLE]:
        cells = ["without an id" if person["person"] is None else str(person["person"])]
        if timed:
            longest = next(iter(person.get("longest_episodes", [])), None)
            cells += [clock(person[name]) for name in ("first_seen", "last_seen", "seconds_in_sight")]
            cells.append(f"{person['changes_per_minute']:g}" if "changes_per_minute" in person else "")
            episode = "" if longest is None else f"{longest['emotion']} {clock(longest['seconds'])} at "
            cells.append("" if longest is None else episode + clock(longest["start"]))
        else:
            cells.append(str(person["faces"]))
        cells += [f"{person['shares'][label]:.0%} ({person['mean_scores'][label]:.2f})" for label in labels]
        rows.append(cells)
    note = '<p class="soft">Of each emotion: share of the time in sight, and in brackets the mean score.</p>'
    if not timed:
        note = '<p class="soft">Of each emotion: share of the faces, and in brackets the mean score.</p>'
    return html_table(heads, rows) + note
