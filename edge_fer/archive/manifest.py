"""What an archive is made from: a row per picture, and per ten minutes of a film, written before anything is read."""

from __future__ import annotations

import glob
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_fer.archive.columns import import_pyarrow, manifest_schema, write_table
from edge_fer.archive.reader import FILM, PICTURE
from edge_fer.camera.files import VIDEO_SUFFIXES, files_in, is_video_file, start_of
from edge_fer.camera.left_out import FOLDER_TO_ENTER, NOT_READ, LeftOut
from edge_fer.camera.opening import PICTURE_SUFFIXES
from edge_fer.camera.picture_headers import looks_like_picture
from edge_fer.camera.videos import open_video
from edge_fer.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SEGMENT_SECONDS = 600.0
SHARDS = 200
"""About how many shards a plan is divided into, within these limits: enough to keep all workers at work to the end."""
LEAST_WEIGHT, MOST_WEIGHT = 8, 1024
"""Of a shard, in pictures."""
SEGMENT_WEIGHT = 64
"""A stretch of a film, in pictures."""
FOLDER = "manifest"


@dataclass(slots=True)
class Plan:
    """What a look at the sources found."""

    added: int = 0
    """Rows that were not in the manifest before."""
    changed: int = 0
    """Files that are not as they were when they were planned; they keep their rows."""
    rows: int = 0
    """All rows of the manifest."""
    left_out: LeftOut = field(default_factory=LeftOut)


@dataclass(slots=True)
class _Columns:
    """Rows to be added."""

    next_id: int
    values: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in manifest_schema().names})

    def add(self, path: str, kind: str, segment: int, start: float | None, end: float | None, stat: Any) -> None:
        """Add a row."""
        shown = path if _is_text(path) else path.encode("utf-8", "backslashreplace").decode()
        raw = None if shown == path else os.fsencode(path)
        size, mtime = (None, None) if stat is None else (stat.st_size, stat.st_mtime)
        row = (self.next_id, shown, raw, kind, segment, start, end, size, mtime)
        for column, value in zip(self.values.values(), row, strict=False):
            column.append(value)
        self.next_id += 1

    def divide(self, number: int) -> None:
        """Put the rows into shards of about equal weight, numbered from here on."""
        weights = [1 if kind == PICTURE else SEGMENT_WEIGHT for kind in self.values["kind"]]
        most = min(MOST_WEIGHT, max(LEAST_WEIGHT, sum(weights) // SHARDS))
        filled = 0
        for weight in weights:
            if filled and filled + weight > most:
                number, filled = number + 1, 0
            filled += weight
            self.values["shard"].append(number)


def plan(folder: Path, sources: Sequence[str], *, recursive: bool, max_picture_px: int) -> Plan:
    """Bring the manifest of an archive up to its sources; rows that are there stay as they are.

    Args:
        folder: of the archive.
        sources: files, folders, patterns, and `@FILE` for a list of paths.
        recursive: look into folders within folders.
        max_picture_px: larger films are one row, whose reading will say so.

    Raises:
        SourceError: a source is not there or may not be read, or there is nothing to read.
        SinkError: the manifest cannot be written.
    """
    known = _known(folder)
    result = Plan()
    columns = _Columns(known.next_id)
    for path, is_given in _files(sources, result.left_out, recursive=recursive):
        try:
            stat = os.stat(path)  # noqa: PTH116 - of a million
        except (OSError, ValueError):
            stat = None
        before = known.files.get(path)
        if before is not None:
            result.changed += stat is not None and before != (stat.st_size, stat.st_mtime)
            continue
        known.files[path] = (-1, -1.0) if stat is None else (stat.st_size, stat.st_mtime)
        kind = _kind(path, is_given=is_given)
        if kind is None:
            result.left_out.add(NOT_READ)
        elif kind == PICTURE:
            columns.add(path, PICTURE, 0, None, None, stat)
        else:
            for segment, (start, end) in enumerate(_segments(Path(path), max_picture_px)):
                columns.add(path, FILM, segment, start, end, stat)
    result.added = columns.next_id - known.next_id
    result.rows = columns.next_id
    if not result.rows:
        line = result.left_out.line()
        raise SourceError(f"nothing to read in {', '.join(sources)}{'; ' if line else ''}{line}")
    if result.added:
        columns.divide(known.next_shard)
        table = import_pyarrow().Table.from_pydict(columns.values, schema=manifest_schema())
        (folder / FOLDER).mkdir(exist_ok=True)
        write_table(folder / FOLDER / f"part-{known.parts:06}.parquet", table)
    return result


def shards(folder: Path) -> dict[int, int]:
    """The number of rows of each shard, by its number."""
    counts: dict[int, int] = {}
    for part in parts_of(folder):
        for entry in import_pyarrow().parquet.read_table(part, columns=["shard"])["shard"].value_counts().to_pylist():
            counts[entry["values"]] = counts.get(entry["values"], 0) + entry["counts"]
    return counts


def rows_of(folder: Path, wanted: set[int]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """The rows of the wanted shards, shard after shard; a batch of the manifest is in memory at a time."""
    held: list[dict[str, Any]] = []
    for part in parts_of(folder):
        with import_pyarrow().parquet.ParquetFile(str(part)) as file:
            for batch in file.iter_batches(batch_size=4096):
                numbers = set(batch.column("shard").to_pylist())
                if not numbers & wanted:
                    continue
                for row in batch.to_pylist():
                    if held and row["shard"] != held[0]["shard"]:
                        yield held[0]["shard"], held
                        held = []
                    if row["shard"] in wanted:
                        held.append(row)
    if held:
        yield held[0]["shard"], held


def parts_of(folder: Path) -> list[Path]:
    """The files of the manifest, in their order."""
    return sorted((folder / FOLDER).glob("part-*.parquet"))


@dataclass(slots=True)
class _Known:
    files: dict[str, tuple[int, float]] = field(default_factory=dict)
    next_id: int = 0
    next_shard: int = 0
    parts: int = 0


def _known(folder: Path) -> _Known:
    known = _Known()
    for part in parts_of(folder):
        table = import_pyarrow().parquet.read_table(
            part, columns=["path", "path_bytes", "size", "mtime", "id", "shard"]
        )
        columns = (table[name].to_pylist() for name in ("path", "path_bytes", "size", "mtime"))
        for path, raw, size, mtime in zip(*columns, strict=True):
            known.files[path if raw is None else os.fsdecode(raw)] = (-1, -1.0) if size is None else (size, mtime)
        known.next_id = max(known.next_id, table["id"][-1].as_py() + 1)
        known.next_shard = max(known.next_shard, table["shard"][-1].as_py() + 1)
        known.parts += 1
    return known


def _files(sources: Iterable[str], left_out: LeftOut, *, recursive: bool) -> Iterator[tuple[str, bool]]:
    """Absolute paths, each with whether it was named itself."""
    for source in sources:
        if source.startswith("@"):
            for name in _list(Path(source[1:])):
                yield from _files_of(name, left_out, recursive=recursive)
            continue
        names = sorted(glob.glob(source, recursive=True)) if glob.has_magic(source) else []  # noqa: PTH207 - absolute, too
        for name in names if names and not Path(source).exists() else [source]:
            yield from _files_of(name, left_out, recursive=recursive)


def _files_of(name: str, left_out: LeftOut, *, recursive: bool) -> Iterator[tuple[str, bool]]:
    path = Path(name)
    try:
        if not path.is_dir():
            yield os.path.abspath(name), True  # noqa: PTH100 - links stay
            return
        for part in files_in(path, left_out, recursive=recursive, within=FOLDER_TO_ENTER):
            start = os.path.abspath(part.folder)  # noqa: PTH100
            for file in part.names:
                yield f"{start}/{file}", False
    except OSError as error:
        raise SourceError(f"cannot read folder {name}: {error.strerror}; check its permissions") from error


def _list(path: Path) -> list[str]:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read the list {path}: {error.strerror}") from error
    lines = (os.fsdecode(line.strip(b"\r")) for line in text.split(b"\n"))
    return [line for line in lines if line.strip()]


def _kind(path: str, *, is_given: bool) -> str | None:
    """What a file is read as; None where it is neither, and was found in a folder.

    A name that ends as pictures do is taken as one: opening a million files would take longer than the rest of a plan.
    """
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122 - of a million
    if suffix in PICTURE_SUFFIXES:
        return PICTURE
    try:
        start = start_of(Path(path))
    except SourceError:
        return FILM if suffix in VIDEO_SUFFIXES else PICTURE if is_given else None
    if is_video_file(Path(path), start):
        return FILM
    if looks_like_picture(start) or is_given:
        return PICTURE
    return FILM if suffix in VIDEO_SUFFIXES else None


def _segments(path: Path, max_picture_px: int) -> list[tuple[float, float | None]]:
    """Stretches of a film; the last one goes to its end, as its length is what the file says of itself."""
    try:
        film = open_video(path, max_picture_px)
    except SourceError:
        return [(0.0, None)]  # one row, which will say why it cannot be read
    info = film.info
    film.close()
    seconds = (info.frame_count or 0) / info.fps if info.fps else 0.0
    count = max(1, math.ceil(seconds / SEGMENT_SECONDS - 0.05))
    ends: list[float | None] = [SEGMENT_SECONDS * (number + 1) for number in range(count - 1)]
    return [(SEGMENT_SECONDS * number, end) for number, end in enumerate([*ends, None])]


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
