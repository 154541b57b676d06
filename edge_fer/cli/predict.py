"""`edge-fer predict`: every face of every picture given."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_fer.cli.camera_options import turning, turning_options
from edge_fer.cli.configuration import config_option
from edge_fer.cli.following import detector_options
from edge_fer.cli.options import engine_options, max_megapixels_option
from edge_fer.cli.streams import on_terminal, open_output, tell
from edge_fer.errors import lacks_memory, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_fer.analyzer import EdgeFer
    from edge_fer.sinks.jsonl import ByteStream
    from edge_fer.types import Frame, Observation, ScoredFace

EXIT_SOME_FAILED = 1
EXIT_NONE_OPENED = 3


@click.command("predict", short_help="Read every face in pictures.")
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURE...")
@click.option("--top", type=click.IntRange(1, 100), default=1, show_default=True, help="Emotions shown a face.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line a picture.")
@click.option("--csv", "as_csv", is_flag=True, help="Print one CSV row a face.")
@click.option(
    "--annotate",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write annotated copies of the pictures into this folder.",
)
@click.option("--whole", is_flag=True, help="Take each picture as one face that is already cropped.")
@engine_options
@click.option(
    "--min-face-px",
    type=click.IntRange(1, 10_000),
    default=32,
    show_default=True,
    help="Ignore faces smaller than this, in pixels of the picture.",
)
@detector_options
@max_megapixels_option
@turning_options
@config_option("model", "backend", "threads", "max_megapixels", "rotate", "flip", "detector", "detector_model")
@click.pass_context
def command(context: click.Context, /, pictures: tuple[str, ...], **options: Any) -> None:
    """Read the facial expression of every face in PICTURE...: files, folders, or patterns such as 'party/*.jpg'.

    A picture that cannot be read is told on standard error, and the others are still done.

    \b
    Examples:
      edge-fer predict group.jpg --top 3
      edge-fer predict photos/ --json > faces.jsonl
      edge-fer predict *.jpg --annotate annotated/
    """
    if options["as_json"] and options["as_csv"]:
        raise click.UsageError("--json and --csv exclude each other: give one of them")
    from edge_fer.sinks.runner import SinkFinished

    try:
        failed, total = _predict(expand(pictures), options)
    except SinkFinished:  # the reader, such as head, has seen enough
        context.exit(0)
    if failed and total > 1:
        tell(f"{failed} of {total} pictures could not be done")
    context.exit(0 if not failed else EXIT_SOME_FAILED if failed < total else EXIT_NONE_OPENED)


def expand(given: Sequence[str]) -> list[str]:
    """Names of pictures from files, folders and patterns, in the order given; a folder's and a pattern's sorted.

    A name that stands for nothing is kept, so that it is reported when it is opened.
    """
    import glob

    from edge_fer.camera.files import picture_names

    names: list[str] = []
    for text in given:
        path = Path(text)
        try:
            inside = picture_names(path) if path.is_dir() else None
        except (OSError, ValueError):  # one that may not be read: told when it is opened
            inside = None
        if inside is not None:
            names += [str(path / name) for name in inside] or [text]
        elif glob.has_magic(text) and not path.exists():
            names += sorted(glob.glob(text, recursive=True)) or [text]  # noqa: PTH207 - Path.glob takes no absolute one
        else:
            names.append(text)
    return names


def face_text(scored: ScoredFace, top: int) -> str:
    """One face as text for people, such as `177,67 93x93: happy 93 %, neutral 4 %`."""
    box = scored.face.box
    emotions = ", ".join(f"{label} {value * 100:.0f} %" for label, value in scored.scores.top_k(top))
    return f"{box.x},{box.y} {box.width}x{box.height}: {emotions}"


def _predict(names: Sequence[str], options: dict[str, Any]) -> tuple[int, int]:
    from edge_fer.analyzer import EdgeFer
    from edge_fer.errors import SinkError, SourceError
    from edge_fer.faces.detector_settings import DetectorSettings
    from edge_fer.sinks.annotated import AnnotatedFolder
    from edge_fer.sinks.progress import progress_bar

    output, failed, turn = open_output(), 0, turning(options)
    folder = AnnotatedFolder(options["annotate"], top=options["top"]) if options["annotate"] else None
    search = DetectorSettings.for_pictures(
        model=options["detector_model"], cascade=options["cascade"], min_face_px=options["min_face_px"]
    )
    bar = len(names) > 1 and on_terminal(sys.stderr) and not on_terminal(sys.stdout)
    with EdgeFer(
        options["model"],
        engine=options["backend"],
        threads=options["threads"],
        detector=options["detector"],
        search=search,
    ) as fer:
        if fer.warning is not None:
            tell(fer.warning)
        write = _writer(output, fer.labels, options)
        for number, name in enumerate(names):
            if bar:
                click.echo("\r" + progress_bar(number, len(names)), nl=False, err=True)
            try:
                frame = _read(name, number, round(options["max_megapixels"] * 1e6))
                frame = replace(frame, image=turn.apply(frame.image))
                seen = _observe(fer, frame, options["whole"])
                if seen.unscored:
                    tell(f"{name}: {seen.unscored} left out of the faces, the model gave no finite scores")
            except Exception as exc:
                if not isinstance(exc, SourceError) and not lacks_memory(exc):
                    raise
                failed += 1
                tell(str(exc) if isinstance(exc, SourceError) else f"{name} takes more memory than there is")
                continue
            # Outside of any `try`: an output that fails once will fail for every picture.
            write(seen)
            try:
                if folder is not None:
                    folder.save(Path(name), frame.image, seen)
            except SinkError as exc:
                failed += 1
                tell(str(exc))
    if bar:
        tell(progress_bar(len(names), len(names)))
    return failed, len(names)


def _read(name: str, seq: int, max_picture_px: int) -> Frame:
    from edge_fer.camera.pictures import read_picture
    from edge_fer.types import Frame

    return Frame(read_picture(Path(name), max_picture_px), seq, 0.0, time.time(), name)


def _observe(fer: EdgeFer, frame: Frame, whole: bool) -> Observation:
    return fer.analyze(frame, whole=whole)


def _writer(output: ByteStream, labels: Sequence[str], options: dict[str, Any]) -> Callable[[Observation], None]:
    from edge_fer.sinks.csv import CsvSink
    from edge_fer.sinks.jsonl import JsonLinesSink, write_line

    if options["as_json"]:
        return JsonLinesSink(output).write
    if options["as_csv"]:
        return CsvSink(output, labels, empty_rows=True).write

    def write_text(seen: Observation) -> None:
        texts = [face_text(scored, options["top"]) for scored in seen.faces] or ["no face"]
        for text in texts:
            write_line(output, one_line(f"{seen.source}: {text}"))

    return write_text
