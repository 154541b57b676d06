"""`edge-fer predict`: every face of every picture given."""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_fer.cli.camera_options import AUTO, turning, turning_options
from edge_fer.cli.configuration import config_option
from edge_fer.cli.following import detector_options
from edge_fer.cli.options import engine_options, max_megapixels_option
from edge_fer.cli.overwriting import Place, check_standard_output, is_standard_output, refuse_copies, refuse_overwriting
from edge_fer.cli.streams import on_terminal, open_output, tell
from edge_fer.errors import lacks_memory, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge_fer.analyzer import EdgeFer
    from edge_fer.camera.left_out import LeftOut
    from edge_fer.types import Frame, Image, Observation, ScoredFace

CSV_FILE = click.Path(dir_okay=False, path_type=Path)
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
@click.option("--top", type=click.IntRange(1, 100), default=1, show_default=True, help="Emotions shown a face.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line a picture.")
@click.option("--csv", type=CSV_FILE, metavar="FILE", help="Write one row per face to a file; - is standard output.")
@click.option("--recursive", is_flag=True, help="Look into folders within folders, too.")
@click.option(
    "--annotate",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write annotated copies of the pictures into this folder.",
)
@click.option(
    "--mirror", is_flag=True, help="Read each face mirrored too and average the scores; takes the model twice the time."
)
@click.option("--whole", is_flag=True, help="Take each picture as one face that is already cropped.")
@engine_options
@click.option(
    "--min-face-px",
    type=click.IntRange(1, 10_000),
    default=16,
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

    What a file is read as is decided by its content, not by its name; what a folder holds beside pictures is counted.
    A picture that cannot be read is reported on standard error, and the others are still done.

    \b
    Examples:
      edge-fer predict group.jpg --top 3
      edge-fer predict photos/ --json > faces.jsonl
      edge-fer predict *.jpg --annotate annotated/
    """
    check_standard_output(as_json=options["as_json"], csv=options["csv"])
    found = [Place("PICTURE", Path(name), "reads data") for name, is_given in matching(pictures) if not is_given]
    refuse_overwriting(context, "predict", found)
    from edge_fer.sinks.runner import SinkFinished

    names, skipped = expand(pictures, recursive=options["recursive"])
    if options["annotate"] is not None:
        refuse_copies(*_copies(names, options["annotate"]), "--annotate")
    try:
        outcome = _predict(names, skipped, options)
    except SinkFinished:  # the reader, such as head, has seen enough
        context.exit(0)
    line = outcome.skipped.line()
    if line:
        tell(line)
    if outcome.failed and outcome.failed + outcome.read > 1:
        tell(f"{outcome.failed} of {outcome.failed + outcome.read} pictures could not be done")
    if not outcome.read:
        if not outcome.failed:
            tell(f"no pictures in {', '.join(pictures)}")
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


def _predict(names: Sequence[tuple[str, bool]], skipped: LeftOut, options: dict[str, Any]) -> Outcome:
    from edge_fer.analyzer import EdgeFer
    from edge_fer.camera.auto_turning import best_rotation
    from edge_fer.camera.left_out import Reason
    from edge_fer.detectors import upright_judge
    from edge_fer.errors import NotAPicture, SinkError, SourceError
    from edge_fer.faces.detector_settings import DetectorSettings
    from edge_fer.sinks.annotated import AnnotatedFolder, folders_below
    from edge_fer.sinks.progress import progress_bar

    outcome, turn, find = Outcome(skipped), turning(options), options["rotate"] == AUTO
    folder = AnnotatedFolder(options["annotate"], top=options["top"]) if options["annotate"] else None
    below = folders_below(Path(name) for name, _ in names) if folder else {}
    search = DetectorSettings.for_pictures(
        model=options["detector_model"], cascade=options["cascade"], min_face_px=options["min_face_px"]
    )
    bar = len(names) > 1 and on_terminal(sys.stderr) and not on_terminal(sys.stdout)
    with (
        EdgeFer(
            options["model"],
            engine=options["backend"],
            threads=options["threads"],
            detector=options["detector"],
            search=search,
            mirror=options["mirror"],
        ) as fer,
        _writers(fer.labels, options) as write,
    ):
        if fer.warning is not None:
            tell(fer.warning)
        for note in fer.model_notes:
            tell(f"model: {note}")
        judge = upright_judge(options["detector"], search) if find else None

        def turned(image: Image) -> Image:
            best = None if judge is None else best_rotation(image, turn, judge)
            return (best or turn).apply(image)

        for number, (name, is_given) in enumerate(names):
            if bar:
                click.echo("\r" + progress_bar(number, len(names)), nl=False, err=True)
            try:
                frame = _read(name, outcome.read + outcome.failed, round(options["max_megapixels"] * 1e6))
                frame = replace(frame, image=turned(frame.image))
                seen = _observe(fer, frame, options["whole"])
                if seen.unscored:
                    tell(f"{name}: {seen.unscored} left out of the faces, the model gave no finite scores")
            except Exception as exc:
                if not isinstance(exc, SourceError) and not lacks_memory(exc):
                    raise
                if not is_given and isinstance(exc, NotAPicture) and isinstance(exc.reason, Reason):
                    skipped.add(exc.reason)
                    continue
                outcome.failed += 1
                tell(_refusal(name, exc))
                continue
            # Outside of any `try`: an output that fails once will fail for every picture.
            write(seen)
            outcome.read += 1
            try:
                if folder is not None:
                    folder.save(Path(name), frame.image, seen, below.get(name))
            except SinkError as exc:
                outcome.failed, outcome.read = outcome.failed + 1, outcome.read - 1
                tell(str(exc))
    if bar:
        tell(progress_bar(len(names), len(names)))
    return outcome


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


def _observe(fer: EdgeFer, frame: Frame, whole: bool) -> Observation:
    return fer.analyze(frame, whole=whole)


@contextlib.contextmanager
def _writers(labels: Sequence[str], options: dict[str, Any]) -> Iterator[Callable[[Observation], None]]:
    """What writes each result where it was asked for: a table into its file, the rest to standard output."""
    from edge_fer.sinks.csv import CsvFileSink, CsvSink
    from edge_fer.sinks.jsonl import JsonLinesSink, write_line

    output, csv = open_output(), options["csv"]

    def write_text(seen: Observation) -> None:
        texts = [face_text(scored, options["top"]) for scored in seen.faces] or ["no face"]
        for text in texts:
            write_line(output, one_line(f"{seen.source}: {text}"))

    if is_standard_output(csv):
        yield CsvSink(output, labels, empty_rows=True).write
        return
    to_output = JsonLinesSink(output).write if options["as_json"] else write_text
    if csv is None:
        yield to_output
        return
    table = CsvFileSink(csv, labels, empty_rows=True)

    def write_both(seen: Observation) -> None:
        table.write(seen)
        to_output(seen)

    try:
        yield write_both
    finally:
        table.close()
