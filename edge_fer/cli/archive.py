"""`edge-fer archive`: very many pictures and films into Parquet, one row in and one row out."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_fer.cli.options import NumberRange, settings_options
from edge_fer.cli.overwriting import refuse_overwriting
from edge_fer.cli.streams import on_terminal, tell
from edge_fer.settings import FolderOptions, LimitOptions

if TYPE_CHECKING:
    from edge_fer.archive.local import Progress

SHOW_SECONDS, LOG_SECONDS = 0.5, 60.0


@click.command("archive", short_help="Read very many pictures and films into Parquet.")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder of the archive; one that is there is gone on with.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Worker processes, with one thread each; by default one per processor.",
)
@click.option("--new", is_flag=True, help="Begin a new folder beside DIR where DIR is there already.")
@click.option(
    "--every",
    type=NumberRange(0.001, 1e7),
    metavar="SECONDS",
    help="Read one frame of a film per this many seconds; all frames by default.",
)
@settings_options(FolderOptions)
@click.option("--backend", type=click.Choice(["auto", "onnx", "litert"]), default="auto", help="Engine of the model.")
@click.option(
    "--model", type=click.Path(path_type=Path), metavar="PATH", help="A model file with its manifest, or a name."
)
@click.option("--detector", default="auto", metavar="NAME", show_default=True, help="What finds faces.")
@settings_options(LimitOptions)
@click.pass_context
def command(context: click.Context, /, sources: tuple[str, ...], **options: Any) -> None:
    """Read the faces of SOURCE...: files, folders, patterns such as 'scans/*.jpg', and @FILE for a list of paths.

    First a manifest is written: a row per picture and per ten minutes of a film. Then each row is read once, and
    becomes one row in DIR/rows/*.parquet, with a text in `error` where a file cannot be read. After a stop, a crash or
    a loss of power the same command goes on where it was; files that were added to the folders since are added.

    \b
    Examples:
      edge-fer archive photos/ --recursive --out faces/
      edge-fer archive @films.txt --every 1 --jobs 4 --out faces/
      edge-fer report faces/ --out report/
    """
    from edge_fer.archive.columns import import_pyarrow
    from edge_fer.archive.local import WorkerError, missing, work
    from edge_fer.archive.manifest import plan
    from edge_fer.archive.place import beside, describe, locked

    refuse_overwriting(context, "archive")
    import_pyarrow()
    folder = beside(options["out"]) if options["new"] else options["out"]
    settings, identity = _settings(options)
    with locked(folder):
        describe(folder, identity)
        found = plan(folder, sources, recursive=options["recursive"], max_picture_px=settings["max_picture_px"])
        if line := found.left_out.line():
            tell(line)
        if found.changed:
            tell(f"{found.changed} files have changed since they were planned and keep their rows")
        left = missing(folder)
        tell(f"{folder}: {found.rows} rows, {found.added} of them new; {sum(left.values())} to read")
        if not left:
            return
        try:
            jobs = options["jobs"] or len(os.sched_getaffinity(0))
            progress = work(folder, settings, jobs, _shown())
        except WorkerError as error:
            tell(str(error))
            context.exit(error.code)
    if on_terminal(sys.stderr):
        click.echo("\r\x1b[K", nl=False, err=True)
    seconds = time.monotonic() - progress.began_at
    deaths = f"; {progress.deaths} worker processes ended early" if progress.deaths else ""
    tell(f"{progress.done} rows in {seconds:.1f} s, {progress.errors} of them with an error{deaths}")


def _settings(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments of the readers, and what an archive must have in common with all that is added to it."""
    from edge_fer.detectors import open_detector
    from edge_fer.faces.detector_settings import DetectorSettings
    from edge_fer.inference.open_model import open_classifier

    model, max_picture_px = options["model"], round(options["max_megapixels"] * 1e6)
    classifier = open_classifier(model, options["backend"], 1)
    manifest = getattr(classifier, "manifest", None)
    labels = list(classifier.labels)
    classifier.close()
    opened = open_detector(options["detector"], DetectorSettings.for_pictures())
    if opened.warning is not None:
        tell(opened.warning)
    settings = {
        "model": None if model is None else str(model),
        "engine": options["backend"],
        "detector": options["detector"],
        "every_seconds": options["every"],
        "max_picture_px": max_picture_px,
    }
    identity = {
        "model": "" if manifest is None else f"{manifest.name} {manifest.recipe}",
        "model_sha256": "" if manifest is None else manifest.sha256,
        "labels": labels,
        "detector": opened.name,
        "every_seconds": options["every"],
        "max_picture_px": max_picture_px,
    }
    return settings, identity


def _shown() -> Any:
    """A line that is written again and again on a terminal, and once a minute elsewhere."""
    terminal = on_terminal(sys.stderr)
    last = time.monotonic()

    def show(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < (SHOW_SECONDS if terminal else LOG_SECONDS):
            return
        last = now
        rate = progress.rows_per_second
        left = (progress.rows - progress.done) / rate if rate > 0 else 0.0
        ending = f", {_duration(left)} left" if rate > 0 else ""
        line = f"{progress.done} of {progress.rows} rows, {rate:.1f} per second{ending}, {progress.errors} errors"
        if terminal:
            click.echo(f"\r\x1b[K{line}", nl=False, err=True)
        else:
            tell(line)

    return show


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if seconds < 90 else f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"
