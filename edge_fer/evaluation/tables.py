"""Labelled faces from tables: the FER-2013 csv, and sheets (one picture of tiles with a csv beside it)."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np

from edge_fer.camera.pictures import read_picture
from edge_fer.errors import SourceError
from edge_fer.evaluation.labelled import VOTE_NAMES, LabelledFaces, names_of_split
from edge_fer.picture import in_colour
from edge_fer.types import FER_LABELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

FER_SIDE = 48
"""Side of a FER-2013 picture in pixels."""

MAX_SHEET_PX = 2**30
"""Pixels that a sheet may have: 466 thousand faces. FER-2013's training sheet has 66 million pixels."""

FERPLUS_FILE = "fer2013new.csv"
"""The table of votes as FER+ publishes it; it has a row for each of FER-2013's, in the same order."""

Row = tuple[int, dict[str, str]]
"""Number of the line that a row ends on, and its values by column."""


def load_csv(path: Path, split: str) -> LabelledFaces:
    """Read one split of a csv with the columns emotion, pixels, Usage; without Usage it is in one piece.

    FER+ votes are read from columns of their own, or from `fer2013new.csv` where it lies beside the csv.

    Raises:
        SourceError: naming the line that is not as it should be.
    """
    wanted = names_of_split(split)
    images: list[NDArray[np.uint8]] = []
    kept: list[Row] = []
    split_name = ""
    for line, row in _with_ferplus(path):
        usage = _usage(row)
        if usage and usage.lower() not in wanted:
            continue
        # Pixels are turned to bytes at once: as text the whole of FER-2013 would hold 300 MB.
        images.append(_pixels(row.pop("pixels"), path, line))
        kept.append((line, row))
        split_name = usage or split_name
    pixels = np.stack(images) if images else np.empty((0, FER_SIDE, FER_SIDE), np.uint8)
    return LabelledFaces(pixels, _labels(kept, path), FER_LABELS, _votes(kept, path), split_name)


def csv_has_split(path: Path, split: str) -> bool:
    """Whether any row of a FER-2013 csv says that it belongs to that split."""
    wanted = names_of_split(split)
    return any(_usage(row).lower() in wanted for _, row in _rows(path, required=("emotion", "pixels")))


def csv_split_names(path: Path) -> tuple[str, ...]:
    """The splits that the rows of a FER-2013 csv name, in their order."""
    names = (_usage(row) for _, row in _rows(path, required=("emotion", "pixels")))
    return tuple(dict.fromkeys(name for name in names if name))


def find_sheet(folder: Path, split: str) -> tuple[Path, Path] | None:
    """The picture and the table of a split that is kept as a sheet; None where there is none."""
    for name in names_of_split(split):
        picture, table = folder / f"{name}.png", folder / f"{name}.csv"
        if picture.is_file() and table.is_file():
            return picture, table
    return None


def load_sheet(picture: Path, table: Path) -> LabelledFaces:
    """Read grey 48x48 tiles, row by row, with the labels (and FER+ votes) of the csv beside them.

    Raises:
        SourceError: the picture holds no such tiles, or fewer than the csv has rows.
    """
    rows = list(_rows(table, required=("emotion",)))
    sheet = in_colour(read_picture(picture, MAX_SHEET_PX), "grey")
    if sheet.shape[0] % FER_SIDE or sheet.shape[1] % FER_SIDE:
        raise SourceError(f"{picture}: {sheet.shape[1]}x{sheet.shape[0]} pixels do not divide into 48x48 tiles")
    columns = sheet.shape[1] // FER_SIDE
    tiles = sheet.reshape(-1, FER_SIDE, columns, FER_SIDE).transpose(0, 2, 1, 3).reshape(-1, FER_SIDE, FER_SIDE)
    if len(tiles) < len(rows):
        raise SourceError(f"{picture}: holds {len(tiles)} tiles, but {table.name} has {len(rows)} rows")
    images = np.asarray(tiles[: len(rows)], np.uint8).copy()
    return LabelledFaces(images, _labels(rows, table), FER_LABELS, _votes(rows, table), picture.stem)


def _rows(path: Path, required: Sequence[str]) -> Iterator[Row]:
    # A FER-2013 row is about 9 kB of pixel text; the csv module's own limit is 128 kB.
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            # One of the published copies of FER-2013 has a space before each column name.
            reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
            missing = [name for name in required if name not in reader.fieldnames]
            if missing:
                raise SourceError(
                    f"{path}: no column {missing[0]!r}; it has {', '.join(reader.fieldnames)[:60] or 'none'}"
                )
            for row in reader:
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(
            f"{path}: cannot be read as csv ({error}); give a FER-2013 csv, an npz or a folder"
        ) from error


def _with_ferplus(path: Path) -> Iterator[Row]:
    rows = _rows(path, required=("emotion", "pixels"))
    beside = path.with_name(FERPLUS_FILE)
    if not beside.is_file() or beside == path:
        yield from rows
        return
    try:
        for (line, row), (_, votes) in zip(rows, _rows(beside, required=("Usage", "NF")), strict=True):
            if _usage(row) != _usage(votes):
                raise SourceError(f"{beside}: line {line} is of another split than in {path.name}; move it elsewhere")
            yield line, {**votes, "not_face": votes["NF"], **row}
    except ValueError:
        raise SourceError(f"{beside}: has not as many rows as {path.name}; move it elsewhere") from None


def _usage(row: dict[str, str]) -> str:
    return (row.get("Usage") or row.get("usage") or "").strip()


def _pixels(text: str | None, path: Path, line: int) -> NDArray[np.uint8]:
    try:
        return np.array((text or "").split(), np.uint8).reshape(FER_SIDE, FER_SIDE)
    except (ValueError, OverflowError):
        wanted = f"{FER_SIDE * FER_SIDE} numbers of 0 to 255"
        raise SourceError(f"{path}: line {line}: the column pixels must hold {wanted}") from None


def _labels(rows: Sequence[Row], path: Path) -> NDArray[np.int64]:
    labels = np.empty(len(rows), np.int64)
    for position, (line, row) in enumerate(rows):
        text = (row["emotion"] or "").strip()
        if not text.isdecimal() or int(text) >= len(FER_LABELS):
            raise SourceError(f"{path}: line {line}: emotion must be 0 to {len(FER_LABELS) - 1}, not {text!r}")
        labels[position] = int(text)
    return labels


def _votes(rows: Sequence[Row], path: Path) -> NDArray[np.uint8] | None:
    if not rows or any(name not in rows[0][1] for name in VOTE_NAMES):
        return None
    votes = np.empty((len(rows), len(VOTE_NAMES)), np.uint8)
    for position, (line, row) in enumerate(rows):
        try:
            votes[position] = [int(row[name] or 0) for name in VOTE_NAMES]
        except (ValueError, OverflowError):
            raise SourceError(f"{path}: line {line}: votes must be numbers of 0 to 255") from None
    return votes
