"""No output of a command may be one of its inputs, or another output of it: seen before anything is opened.

What each option does to files stands in `USES`, for all commands; that of `run` and `predict` is declared with their
settings. A test fails where an option that names a file is missing. Two names are one file whatever they are called:
relative, behind links of either kind, written in capital letters where the file system makes no difference, or not
there yet and in the same folder.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_fer.errors import SourceError
from edge_fer.settings import PREDICT, RUN, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge_fer.config.setting import FileUse

USES: Mapping[str, Mapping[str, FileUse]] = {
    "run": {setting.name: setting.use for setting in settings_of(RUN) if setting.use is not None} | {"config": "reads"},
    "predict": {setting.name: setting.use for setting in settings_of(PREDICT) if setting.use is not None}
    | {"pictures": "reads data", "config": "reads"},
    "convert": {
        "model": "reads model",
        "calibration_data": "reads",
        "check_data": "reads",
        "architecture": "reads",
        "out": "fills",
    },
    "train": {
        "data": "reads data",
        "validation_data": "reads data",
        "select_on": "reads data",
        "recipe": "reads",
        "weights": "reads",
        "teachers": "reads model",
        "out": "fills",
    },
    "evaluate": {"model": "reads model", "data": "reads data", "out": "fills"},
    "bench": {"models": "reads model", "video": "reads data", "data": "reads data", "out": "fills"},
    "bench compare": {"first": "reads", "second": "reads"},
    "archive": {"sources": "reads", "out": "fills", "model": "reads model"},
    "report": {"results": "reads flat", "out": "fills"},
    "doctor": {},
    "config show": {"given": "reads"},
    "config path": {"given": "reads"},
}
"""By command and the name of its parameter. The options of `service install` and `show` are those of `run`."""

MADE: dict[str, tuple[str, ...]] = {
    "convert": ("conversion.json", "conversion.html"),
    "train": (
        "config.json",
        "inputs.json",
        "checkpoint.npz",
        "last_layer.csv",
        "report.html",
        "results.json",
        "history.csv",
        "curves.png",
    ),
    "evaluate": ("evaluation.json", "report.html"),
    # Snapshots and events in a queue have names that no other file has.
    "run": (),
    "bench": ("result.json", "report.html"),
    "archive": ("archive.json",),
    "report": ("summary.csv", "summary.json", "report.html"),
}
"""Names of files that a command puts into the folder that it fills, beside those that it makes from its input."""

STANDARD_OUTPUTS = frozenset({"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})


@dataclass(frozen=True, slots=True)
class Place:
    """A file or folder, and the option that names it."""

    option: str
    path: Path
    use: FileUse

    def __str__(self) -> str:
        return f"{self.option} {self.path}"


def refuse_overwriting(context: click.Context, command: str = "", more: Iterable[Place] = ()) -> None:
    """Refuse what would overwrite an input, or be written twice, among the options of a command.

    Args:
        context: of the command, with all values, wherever they are from: command line, files or environment.
        command: its name in `USES`; that of the context where not given.
        more: what it reads and writes beside what its options name.

    Raises:
        click.UsageError: naming both options.
    """
    name = command or context.info_name or ""
    places = [place for parameter in context.command.params for place in _places(name, parameter, context.params)]
    refuse_clashes(
        [*places, *more, *_configurations(context)], MADE.get(name, ()), recursive=bool(context.params.get("recursive"))
    )


def refuse_clashes(places: Sequence[Place], made: Iterable[str] = (), *, recursive: bool = False) -> None:
    """Refuse outputs that are an input or another output.

    Args:
        places: all that a command reads and writes.
        made: names of files that are put into each folder that is filled.
        recursive: whether folders within folders are read.

    Raises:
        click.UsageError: naming both options.
    """
    inputs = [place for place in places if place.use.startswith("reads")]
    outputs = [place for place in places if place.use.startswith("writes") and not _is_stream(place.path)]
    folders = [place for place in places if place.use == "fills"]
    for index, output in enumerate(outputs):
        for other in outputs[:index]:
            # Only that package can say what the value of its sink means; with --csv or --save it may clash.
            both_sinks = output.option == other.option == "--sink"
            if not both_sinks and same_place(output.path, other.path):
                raise click.UsageError(f"{output} is the same file as {other}: give each its own")
        for read in inputs:
            _check_file(output, read, recursive=recursive)
    for folder in folders:
        for read in inputs:
            _check_folder(folder, read, recursive=recursive)
            for name in made:
                if same_place(folder.path / name, read.path):
                    raise click.UsageError(f"{folder} would overwrite {read}: give another folder")
        for output in outputs:
            for name in made:
                if same_place(folder.path / name, output.path):
                    raise click.UsageError(f"{folder} would overwrite {output}: give another folder")


def refuse_copies(copies: Iterable[Path], originals: Iterable[Path], option: str) -> None:
    """Refuse to write copies of files over any of them.

    Args:
        copies: where each is to be written.
        originals: the files.
        option: that names the folder of the copies.

    Raises:
        click.UsageError: one would be lost.
    """
    there = {key: path for path in copies if (key := _identity(path)) is not None}
    if not there:
        return
    for path in originals:
        key = _identity(path)
        if key in there:
            raise click.UsageError(f"{option} would write {there[key]} over PICTURE {path}: give another folder")


def same_place(first: Path, second: Path) -> bool:
    """Whether two names are, or would become, one file or folder."""
    keys = _identity(first), _identity(second)
    if keys[0] is not None and keys[1] is not None:
        return keys[0] == keys[1]
    if keys[0] is not None or keys[1] is not None:
        return False
    return _future(first) == _future(second)


def check_standard_output(*, as_json: bool, csv: Path | None, events: Path | None = None) -> None:
    """Refuse JSON lines, a table and events where more than one of them is to be printed.

    Raises:
        click.UsageError: they are.
    """
    printed = [option for option, path in (("--csv", csv), ("--events", events)) if is_standard_output(path)]
    if as_json:
        printed.insert(0, "--json")
    if len(printed) > 1:
        raise click.UsageError(f"{printed[0]} and {printed[1]} both go to standard output: give {printed[1]} a file")


def is_standard_output(path: Path | None) -> bool:
    """Whether a table is to be printed."""
    return path is not None and str(path) in STANDARD_OUTPUTS


def _check_file(output: Place, read: Place, *, recursive: bool) -> None:
    if same_place(output.path, read.path):
        raise click.UsageError(f"{output} is {read}, which would be lost: give another file")
    if not _is_folder(read.path) or read.use == "reads model":
        return
    direct = same_place(output.path.parent, read.path)
    if not direct and not (recursive and _is_within(output.path.parent, read.path)):
        return
    if output.use == "writes video" or _is_picture_or_video(output.path):
        raise click.UsageError(f"{output} lies in {read}, which is read: give a file elsewhere")


def _check_folder(folder: Place, read: Place, *, recursive: bool) -> None:
    if same_place(folder.path, read.path):
        raise click.UsageError(f"{folder} is {read}, which is read: give another folder")
    if _is_folder(read.path):
        deep = recursive or folder.option != "--annotate"
        if read.use not in ("reads model", "reads flat") and deep and _is_within(folder.path, read.path):
            raise click.UsageError(f"{folder} lies in {read}, which is read: give a folder elsewhere")
    elif read.use == "reads data" and same_place(folder.path, read.path.parent):
        raise click.UsageError(f"{folder} holds {read}: give a folder of its own, such as {folder.path / 'out'}")


def _places(command: str, parameter: click.Parameter, values: dict[str, Any]) -> list[Place]:
    name = parameter.name or ""
    use, value = USES.get(command, {}).get(name), values.get(name)
    if use is None or not value:
        return []
    option = parameter.opts[0] if isinstance(parameter, click.Option) else name.upper().removesuffix("S")
    given = value if isinstance(value, (tuple, list)) else (value,)
    places = []
    for one in given:
        if name == "sink":
            value = str(one).partition("=")[2]
            places += [Place(option, Path(value), use)] if value else []
            continue
        if name in ("source", "video") and not names_file(str(one)):
            continue
        path = Path(one)
        places.append(Place(option, path, use))
        if use == "reads model" and path.suffix:
            # The description of a model, by either of the names under which it is looked for.
            beside = (path.with_name(path.name + ".json"), path.with_suffix(".json"))
            places += [Place(f"{option}'s description", one_more, "reads") for one_more in beside]
    return places


def _configurations(context: click.Context) -> list[Place]:
    """The files of settings that this command takes its defaults from."""
    from edge_fer.cli.configuration import configuration_files

    if not any(parameter.name == "config" for parameter in context.command.params):
        return []
    return [Place("--config", path, "reads") for path in configuration_files(context)]


def names_file(text: str) -> bool:
    """Whether a source is a file or folder, and neither a camera, a stream nor the demo."""
    from edge_fer.camera.live import is_live

    return text not in ("demo", "") and "://" not in text and not is_live(text)


def _identity(path: Path) -> tuple[int, int] | None:
    """What identifies an existing file to the system; None for one that does not exist."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _future(path: Path) -> tuple[tuple[int, int] | str, str]:
    """Where a file that is not there yet would be: the folder that is there, and the rest of the name."""
    whole = Path(os.path.realpath(path))
    rest: list[str] = []
    while (key := _identity(whole)) is None and whole != whole.parent:
        rest.insert(0, whole.name)
        whole = whole.parent
    name = "/".join(rest)
    return (key or str(whole)), name.casefold() if _ignores_case(whole) else name


def _ignores_case(folder: Path) -> bool:
    """Whether a folder's file system makes no difference between small and capital letters."""
    swapped = folder.with_name(folder.name.swapcase())
    return swapped.name != folder.name and _identity(swapped) is not None and _identity(swapped) == _identity(folder)


def _is_within(path: Path, folder: Path) -> bool:
    inner, outer = Path(os.path.realpath(path)), Path(os.path.realpath(folder))
    return any(same_place(one, outer) for one in (inner, *inner.parents))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _is_stream(path: Path) -> bool:
    """Whether a name is that of standard output, a pipe or a device, which loses nothing."""
    if str(path) in STANDARD_OUTPUTS:
        return True
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _is_picture_or_video(path: Path) -> bool:
    from edge_fer.camera.files import is_video_file, start_of
    from edge_fer.camera.picture_headers import looks_like_picture

    try:
        start = start_of(path)
    except SourceError:
        return False
    return looks_like_picture(start) or is_video_file(path, start)
