"""The columns of an archive in Parquet."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from edge_fer.errors import MissingExtra, SinkError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def import_pyarrow() -> Any:
    """pyarrow with its module for Parquet.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra("an archive", "archive") from None
    return pyarrow


def manifest_schema() -> Any:
    """Of the rows that are to be read."""
    arrow = import_pyarrow()
    return arrow.schema(
        [
            ("id", arrow.int64()),
            ("path", arrow.string()),
            ("path_bytes", arrow.binary()),
            ("kind", arrow.string()),
            ("segment", arrow.int32()),
            ("start", arrow.float64()),
            ("end", arrow.float64()),
            ("size", arrow.int64()),
            ("mtime", arrow.float64()),
            ("shard", arrow.int64()),
        ]
    )


def rows_schema(labels: Sequence[str]) -> Any:
    """Of the rows that were read, with a model that knows these emotions."""
    arrow = import_pyarrow()
    scores = arrow.struct([(label, arrow.float32()) for label in labels])
    face = arrow.struct(
        [
            ("position", arrow.float64()),
            ("id", arrow.int64()),
            ("box", arrow.list_(arrow.int32())),
            ("emotion", arrow.string()),
            ("score", arrow.float32()),
            ("scores", scores),
        ]
    )
    return arrow.schema(
        [
            ("id", arrow.int64()),
            ("path", arrow.string()),
            ("kind", arrow.string()),
            ("segment", arrow.int32()),
            ("start", arrow.float64()),
            ("end", arrow.float64()),
            ("width", arrow.int32()),
            ("height", arrow.int32()),
            ("frames", arrow.int32()),
            ("faces", arrow.list_(face)),
            ("error", arrow.string()),
        ]
    )


def table_of(rows: Sequence[dict[str, Any]], labels: Sequence[str]) -> Any:
    """Rows that were read as a `pyarrow.Table`."""
    return import_pyarrow().Table.from_pylist(list(rows), schema=rows_schema(labels))


def write_table(path: Path, table: Any) -> None:
    """Write a Parquet file aside, flush it to the disk and rename it: it is there whole, or not at all.

    Raises:
        SinkError: it cannot be written.
    """
    arrow = import_pyarrow()
    aside = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with aside.open("xb") as file:
            arrow.parquet.write_table(table, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name, too, must outlive a loss of power
        finally:
            os.close(folder)
    except OSError as error:
        raise SinkError(f"cannot write {path}: {error.strerror or error}; run the same command again") from error
    finally:
        aside.unlink(missing_ok=True)
