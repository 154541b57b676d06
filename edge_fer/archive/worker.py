"""A process of the local engine: takes the rows of shards on standard input, and writes a file for each."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from edge_fer.errors import EdgeFerError

if TYPE_CHECKING:
    from edge_fer.archive.reader import Reader


def main() -> int:
    """Work until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who started it ends it
    # What a library prints must not get among the messages.
    messages = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    from edge_fer.archive.columns import import_pyarrow
    from edge_fer.archive.reader import Reader

    import_pyarrow().set_cpu_count(1)
    try:
        settings = json.loads(sys.stdin.readline())
        reader = Reader(
            settings["model"],
            engine=settings["engine"],
            detector=settings["detector"],
            every_seconds=settings["every_seconds"],
            max_picture_px=settings["max_picture_px"],
        )
        while line := sys.stdin.readline():
            _work(json.loads(line), reader, Path(settings["rows"]), messages)
    except EdgeFerError as error:
        _say(messages, failed=str(error), code=error.exit_code)
        return error.exit_code
    except (KeyboardInterrupt, BrokenPipeError):
        return 1
    return 0


def _work(task: dict[str, Any], reader: Reader, folder: Path, messages: TextIO) -> None:
    """Read the rows of a shard and write its file."""
    from edge_fer.archive.columns import table_of, write_table

    rows = []
    for row in task["rows"]:
        if row["path_bytes"] is not None:
            row["path_bytes"] = bytes.fromhex(row["path_bytes"])
        _say(messages, row=row["id"])
        if row["id"] in task["deadly"]:
            empty: dict[str, Any] = {"width": None, "height": None, "frames": 0, "faces": [], "error": DEADLY}
            rows.append({**{name: row[name] for name in ("id", "path", "kind", "segment", "start", "end")}, **empty})
        else:
            rows.append(reader.row(row))
    write_table(folder / shard_name(task["shard"]), table_of(rows, reader.labels))
    _say(messages, done=task["shard"], errors=sum(row["error"] is not None for row in rows))


DEADLY = "the process that read it ended twice, for example for want of memory"


def shard_name(number: int) -> str:
    """Name of the file with the rows of a shard."""
    return f"rows-{number:09}.parquet"


def _say(messages: TextIO, **values: Any) -> None:
    messages.write(json.dumps(values) + "\n")
    messages.flush()


if __name__ == "__main__":
    sys.exit(main())
