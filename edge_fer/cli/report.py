"""`edge-fer report`: from the results of films to who was seen when, and how."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_fer.cli.logs import shows_messages
from edge_fer.cli.overwriting import refuse_overwriting
from edge_fer.errors import SinkError, SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.report.results import LeftOutLines
    from edge_fer.report.summing import Summary

log = logging.getLogger("edge_fer.report")

KINDS = (".jsonl", ".json", ".ndjson", ".csv", ".parquet")


@click.command("report", short_help="Summarise results of films: who was seen when, and how.")
@click.argument("results", nargs=-1, required=True, metavar="RESULTS...")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="Write summary.csv, summary.json and report.html into this folder.",
)
@click.pass_context
@shows_messages
def command(context: click.Context, /, results: tuple[str, ...], out: Path) -> None:
    """Summarise RESULTS...: JSON lines or CSV of `edge-fer run` or `predict`, an archive, or a folder of them.

    For each film and each person in it: first and last seen, time in sight, share and mean score of each emotion,
    changes per minute and the longest episodes. report.html shows them on a timeline and loads nothing from elsewhere.
    A file of `run --events` among RESULTS puts its events on the timeline of their film.
    - reads JSON lines or CSV from standard input. No picture is read or written.

    \b
    Examples:
      edge-fer run party.mp4 --json > party.jsonl
      edge-fer report party.jsonl --out report/
      edge-fer report party.jsonl events.jsonl --out report/
      edge-fer run films/ --json | edge-fer report - --out report/
    """
    from edge_fer.report.page import page_of
    from edge_fer.report.results import LeftOutLines
    from edge_fer.report.summing import Summary
    from edge_fer.report.tables import facts_of, table_of

    refuse_overwriting(context, "report")
    names = files_of(results)
    summary, left_out = Summary(), LeftOutLines()
    for name in names:
        _add(summary, name, left_out)
    for name, (count, first) in left_out.of_file.items():
        what = "line holds no result and is" if count == 1 else "lines hold no result and are"
        log.warning("%s", f"{name}: {count} {what} left out; the first is line {first}")
    strangers = summary.add_events(left_out.events)
    if strangers:
        what = "event belongs" if strangers == 1 else "events belong"
        verb = "is" if strangers == 1 else "are"
        log.warning("%s %s to no film of these results and %s left out", strangers, what, verb)
    if not summary.films:
        raise SourceError(f"no results in {', '.join(results)}: write some with `edge-fer run FILM --json > FILE`")
    facts = facts_of(summary.films, names, sum(count for count, _ in left_out.of_file.values()))
    _write(
        out,
        {
            "summary.csv": table_of(facts),
            "summary.json": json.dumps(facts, indent=1, allow_nan=False) + "\n",
            "report.html": page_of(summary.films, facts),
        },
    )
    for film in facts["films"][:20]:
        ids = sum(person["person"] is not None for person in film["people"])
        people = f", {ids} {'person' if ids == 1 else 'people'}" if film["kind"] != "pictures" else ""
        log.info("%s", f"{film['source']}: {film['frames']} frames{people}")
    log.info("%s", f"written: {out / 'report.html'}, summary.csv and summary.json")


def files_of(given: Sequence[str]) -> list[str]:
    """The files of results that names stand for; those of a folder by name, and of an archive in its order.

    Raises:
        SourceError: a folder holds none, or may not be read.
    """
    names: list[str] = []
    for name in given:
        folder = Path(name)
        if name == "-" or not folder.is_dir():
            names.append(name)
            continue
        rows = folder / "rows"
        try:
            found = sorted(
                one
                for one in (rows if rows.is_dir() else folder).iterdir()
                if one.suffix.lower() in KINDS and not one.name.startswith(".") and one.name != "summary.csv"
            )
        except OSError as error:
            raise SourceError(f"cannot read folder {name}: {error.strerror}") from error
        found = [one for one in found if one.name != "summary.json"]
        if not found:
            raise SourceError(f"no results in folder {name}: it holds no file that ends in {', '.join(KINDS)}")
        names += [str(one) for one in found]
    return names


def _add(summary: Summary, name: str, left_out: LeftOutLines) -> None:
    from edge_fer.report.results import read_results

    path = Path(name)
    if name == "-":
        summary.add_file(read_results(Path("standard input"), sys.stdin.buffer, left_out))
        return
    try:
        with path.open("rb") as stream:
            summary.add_file(read_results(path, stream, left_out))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "there is no such file"
        raise SourceError(f"cannot read {name}: {why}") from error


def _write(folder: Path, texts: dict[str, Any]) -> None:
    from edge_fer.atomic_files import write_atomically

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            write_atomically(folder / name, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise SinkError(f"cannot write into {folder}: {error.strerror or error}") from error
