"""`edge-fer predict`: every face of every picture given."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_fer.cli.configuration import config_option
from edge_fer.cli.logs import show_messages, shows_progress
from edge_fer.cli.options import settings_options
from edge_fer.cli.overwriting import Place, check_standard_output, is_standard_output, refuse_copies, refuse_overwriting
from edge_fer.cli.run_settings import AUTO, turning
from edge_fer.cli.streams import on_terminal, open_output, tell
from edge_fer.errors import lacks_memory, one_line
from edge_fer.settings import (
    PREDICT,
    DetectorOptions,
    EngineOptions,
    FolderOptions,
    LimitOptions,
    LogOptions,
    PredictOptions,
    TableOptions,
    TurningOptions,
    chosen,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from edge_fer.camera.left_out import LeftOut
    from edge_fer.types import Frame, Image, Observation, ScoredFace

log = logging.getLogger("edge_fer.predict")

EXIT_SOME_FAILED = 1
EXIT_NONE_OPENED = 3


class PredictCommand(click.Command):
    """Takes `--csv` without a file, too, as earlier versions did."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments."""
        words, end = list(args), args.index("--") if "--" in args else len(args)
        for place in (index for index, word in enumerate(words[:end]) if word == "--csv"):
            following = words[place + 1] if place + 1 < end else None
            # A picture that is named twice is to be read and to be written, which is refused.
            if following is None or (words.count(following) < 2 and _is_no_csv_file(following)):
                words[place] = "--csv=-"
                tell("--csv without a file: write `--csv -` for standard output, or `--csv FILE`")
        return super().parse_args(ctx, words)


def _is_no_csv_file(word: str) -> bool:
    """Whether the word after `--csv` is another option or something to read, and not a file to write."""
    import glob

    from edge_fer.camera.files import start_of
    from edge_fer.camera.opening import PICTURE_SUFFIXES
    from edge_fer.camera.picture_headers import looks_like_picture
    from edge_fer.errors import SourceError

    if word == "-" or Path(word).suffix.lower() == ".csv":
        return False
    if word.startswith("-") or Path(word).is_dir() or glob.has_magic(word):
        return True
    try:
        return looks_like_picture(start_of(Path(word)))
    except SourceError:
        return Path(word).suffix.lower() in PICTURE_SUFFIXES


@click.command("predict", cls=PredictCommand, short_help="Read every face in pictures.")
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURE...")
@settings_options(*PREDICT)
@config_option("predict")
@click.pass_context
def command(context: click.Context, /, pictures: tuple[str, ...], **values: Any) -> None:
    """Read the facial expression of every face in PICTURE...: files, folders, or patterns such as 'party/*.jpg'.

    What a file is read as is decided by its content, not by its name; what a folder holds beside pictures is counted.
    A picture that cannot be read is reported on standard error, and the others are still done.

    \b
    Examples:
      edge-fer predict group.jpg --top 3
      edge-fer predict photos/ --json > faces.jsonl
      edge-fer predict *.jpg --annotate annotated/
    """
    show_messages(chosen(LogOptions, values), os.environ)
    options, table = chosen(PredictOptions, values), chosen(TableOptions, values)
    check_standard_output(as_json=options.json, csv=table.csv)
    found = [Place("PICTURE", Path(name), "reads data") for name, is_given in matching(pictures) if not is_given]
    refuse_overwriting(context, "predict", found)
    from edge_fer.sinks.runner import SinkFinished

    names, skipped = expand(pictures, recursive=chosen(FolderOptions, values).recursive)
    if options.annotate is not None:
        refuse_copies(*_copies(names, options.annotate), "--annotate")
    try:
        outcome = _predict(names, skipped, values)
    except SinkFinished:  # the reader, such as head, has seen enough
        context.exit(0)
    line = outcome.skipped.line()
    if line:
        log.info("%s", line)
    if outcome.failed and outcome.failed + outcome.read > 1:
        log.error("%s of %s pictures could not be processed", outcome.failed, outcome.failed + outcome.read)
    if not outcome.read:
        if not outcome.failed:
            log.error("no pictures in %s", ", ".join(pictures))
        context.exit(EXIT_NONE_OPENED)
    context.exit(EXIT_SOME_FAILED if outcome.failed else 0)


@dataclass(slots=True)
class Outcome:
    """What became of the pictures."""

    skipped: LeftOut
    """Files found in folders that are no pictures."""
    read: int = 0
    failed: int = 0


def expand(given: Sequence[str], *, recursive: bool = False) -> tuple[list[tuple[str, bool]], LeftOut]:
    """Names of files from files, folders and patterns, in the order given; a folder's and a pattern's sorted.

    A name that stands for nothing is kept, so that it is reported when it is opened.

    Returns:
        Each name with whether it was given itself, or found; and what was left out already.
    """
    from edge_fer.camera.files import files_in
    from edge_fer.camera.left_out import FOLDER_TO_ENTER, LeftOut

    names: list[tuple[str, bool]] = []
    skipped = LeftOut()
    for name, is_given in matching(given):
        path = Path(name)
        try:
            inside = files_in(path, skipped, recursive=recursive, within=FOLDER_TO_ENTER) if path.is_dir() else None
        except (OSError, ValueError):  # one that may not be read: reported when it is opened
            inside = None
        if inside is None:
            names.append((name, is_given))
        else:
            names += [(str(file), False) for folder in inside for file in folder]
    return names, skipped


def matching(given: Sequence[str]) -> list[tuple[str, bool]]:
    """The files and folders that names and patterns stand for, each with whether it was given itself, or found."""
    import glob

    found: list[tuple[str, bool]] = []
    for text in given:
        names: list[str] = []
        if glob.has_magic(text) and not Path(text).exists():
            names = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute one
        found += [(name, False) for name in names] or [(text, True)]
    return found


def _copies(names: Sequence[tuple[str, bool]], folder: Path) -> tuple[list[Path], list[Path]]:
    """Where annotated copies go that may be there already, and the files that they must not replace."""
    from edge_fer.sinks.annotated import copy_name, folders_below

    originals = [Path(name) for name, _ in names]
    if not folder.is_dir():
        return [], originals
    below = folders_below(originals)
    return [folder / below.get(str(one), "") / "".join(copy_name(one)) for one in originals], originals


def face_text(scored: ScoredFace, top: int) -> str:
    """One face as text for people, such as `177,67 93x93: happy 93 %, neutral 4 %`."""
    box = scored.face.box
    emotions = ", ".join(f"{label} {value * 100:.0f} %" for label, value in scored.scores.top_k(top))
    return f"{box.x},{box.y} {box.width}x{box.height}: {emotions}"


def _predict(names: Sequence[tuple[str, bool]], skipped: LeftOut, values: Mapping[str, Any]) -> Outcome:
    from edge_fer.analyzer import EdgeFer
    from edge_fer.camera.auto_turning import best_rotation
    from edge_fer.camera.left_out import Reason
    from edge_fer.detectors import upright_judge
    from edge_fer.errors import NotAPicture, SinkError, SourceError
    from edge_fer.faces.detector_settings import DetectorSettings
    from edge_fer.sinks.annotated import AnnotatedFolder, folders_below
    from edge_fer.sinks.anonymize import Anonymizer

    options, table, turn_options = (
        chosen(PredictOptions, values),
        chosen(TableOptions, values),
        chosen(TurningOptions, values),
    )
    engine, detector = chosen(EngineOptions, values), chosen(DetectorOptions, values)
    max_picture_px = round(chosen(LimitOptions, values).max_megapixels * 1e6)
    outcome, turn = Outcome(skipped), turning(turn_options)
    folder = AnnotatedFolder(options.annotate, top=table.top) if options.annotate else None
    hide = None if table.anonymize is None else Anonymizer(table.anonymize)
    below = folders_below(Path(name) for name, _ in names) if folder else {}
    search = DetectorSettings.for_pictures(
        model=detector.detector_model, cascade=detector.cascade, min_face_px=options.min_face_px
    )
    with (
        EdgeFer(
            engine.model,
            engine=engine.engine,
            threads=engine.threads,
            detector=detector.detector,
            search=search,
            mirror=options.mirror,
        ) as fer,
        _writers(fer.labels, table, as_json=options.json) as write,
        _with_bar(names) as shown_names,
    ):
        if fer.warning is not None:
            log.warning("%s", fer.warning)
        for note in fer.model_notes:
            log.info("model: %s", note)
        judge = upright_judge(detector.detector, search) if turn_options.rotate == AUTO else None

        def turned(image: Image) -> Image:
            best = None if judge is None else best_rotation(image, turn, judge)
            return (best or turn).apply(image)

        for name, is_given in shown_names:
            try:
                frame = _read(name, outcome.read + outcome.failed, max_picture_px)
                frame = replace(frame, image=turned(frame.image))
                seen = fer.analyze(frame, whole=options.whole)
                if seen.unscored:
                    log.warning("%s: %s faces left out: the model gave no finite scores", name, seen.unscored)
            except Exception as exc:
                if not isinstance(exc, SourceError) and not lacks_memory(exc):
                    raise
                if not is_given and isinstance(exc, NotAPicture) and isinstance(exc.reason, Reason):
                    skipped.add(exc.reason)
                    continue
                outcome.failed += 1
                log.error("%s", _refusal(name, exc))
                continue
            # Outside of any `try`: an output that fails once will fail for every picture.
            write(seen)
            outcome.read += 1
            try:
                if folder is not None:
                    image = frame.image if hide is None else hide(frame.image, seen)
                    folder.save(Path(name), image, seen, below.get(name))
            except SinkError as exc:
                outcome.failed, outcome.read = outcome.failed + 1, outcome.read - 1
                log.error("%s", exc)
    return outcome


@contextlib.contextmanager
def _with_bar(names: Sequence[tuple[str, bool]]) -> Iterator[Iterable[tuple[str, bool]]]:
    """The names, with a progress bar on the terminal where results go elsewhere."""
    if len(names) < 2 or not shows_progress() or on_terminal(sys.stdout):
        yield names
        return
    with click.progressbar(names, show_pos=True, file=sys.stderr) as bar:
        yield bar


def _refusal(name: str, error: Exception) -> str:
    """What to say of a picture that cannot be read."""
    import shlex

    from edge_fer.camera.left_out import GIF, VIDEO
    from edge_fer.errors import NotAPicture

    if isinstance(error, NotAPicture) and error.reason in (GIF, VIDEO):
        kind = "GIF" if error.reason == GIF else "video"
        return f"{name} is a {kind} and no picture: `edge-fer run {shlex.quote(name)}` reads it"
    return f"{name} takes more memory than there is" if lacks_memory(error) else str(error)


def _read(name: str, seq: int, max_picture_px: int) -> Frame:
    from edge_fer.camera.pictures import read_picture
    from edge_fer.types import Frame

    return Frame(read_picture(Path(name), max_picture_px), seq, 0.0, time.time(), name)


@contextlib.contextmanager
def _writers(labels: Sequence[str], table: TableOptions, *, as_json: bool) -> Iterator[Callable[[Observation], None]]:
    """What writes each result where it was asked for: a table into its file, the rest to standard output."""
    from edge_fer.sinks.csv import CsvFileSink, CsvSink
    from edge_fer.sinks.jsonl import JsonLinesSink, write_line

    output, csv = open_output(), table.csv

    def write_text(seen: Observation) -> None:
        texts = [face_text(scored, table.top) for scored in seen.faces] or ["no face"]
        for text in texts:
            write_line(output, one_line(f"{seen.source}: {text}"))

    if is_standard_output(csv):
        yield CsvSink(output, labels, empty_rows=True).write
        return
    to_output = JsonLinesSink(output).write if as_json else write_text
    if csv is None:
        yield to_output
        return
    file = CsvFileSink(csv, labels, empty_rows=True)

    def write_both(seen: Observation) -> None:
        file.write(seen)
        to_output(seen)

    try:
        yield write_both
    finally:
        file.close()
