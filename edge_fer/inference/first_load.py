"""The first load of a model file that did not come with edge-fer: in a confined process, before this one loads it.

An engine is native code and reads the file of a stranger. Where it crashes on it, hangs, or takes the whole memory, a
process of its own ends and the file is refused with one line, while a service that was about to use it runs on.
The price is one more start of Python and the engine: about half a second on a laptop, two or three on a Raspberry Pi,
once for each process and file. The models of edge-fer itself are loaded without it.
"""

from __future__ import annotations

import functools
import hashlib
import os
from typing import TYPE_CHECKING, TypeAlias

from edge_fer.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    FirstLoad: TypeAlias = "Callable[[Path, str, bytes], None]"

SECONDS, SECONDS_PER_MEGABYTE = 30.0, 1.0
MOST_BYTES = 4_000_000_000


def try_first(
    path: Path,
    engine: str,
    data: bytes,
    *,
    seconds: float = SECONDS,
    most_bytes: int = MOST_BYTES,
    load: Callable[..., None] | None = None,
    bubblewrap: str | None = "bwrap",
) -> None:
    """Load a model in a confined process and run it once.

    Args:
        path: names the file, and is where its manifest lies.
        engine: the name of the built-in one that loads it.
        data: the content of the file, which is what the process loads too.
        seconds: how long that may take, and a second more for each megabyte.
        most_bytes: of memory that it may take.
        load: a function of a module in place of the real one; tests bring their own.
        bubblewrap: the program that adds namespaces, where it is installed.

    Raises:
        ModelError: the engine crashed, hung or took too much memory, or refuses the file.
        MissingExtra: the engine is not installed.
    """
    # Here, because the models of edge-fer itself never need it.
    from edge_fer.confined import CONFINED_VARIABLE, Crashed, Job, Limits, TookTooLong, TookTooMuchMemory, run_confined

    digest = hashlib.sha256(data).hexdigest()
    if digest in _tried_here() or os.environ.get(CONFINED_VARIABLE):
        return
    whole = seconds + SECONDS_PER_MEGABYTE * len(data) / 1e6
    job = Job(load or _load, {"path": path, "engine": engine, "data": data}, (path.with_name(f"{path.name}.json"),))
    try:
        run_confined(job, Limits(whole, most_bytes, file_bytes=0), bubblewrap=bubblewrap)
    except TookTooLong:
        raise ModelError(f"{path} did not answer within {whole:.0f} s when it was tried: get the model again") from None
    except TookTooMuchMemory as error:
        raise ModelError(f"{path} took more than {error} GB of memory when it was tried: get the model again") from None
    except Crashed as error:
        raise ModelError(f"{path} crashed the engine when it was tried ({error}): get the model again") from None
    _tried_here().add(digest)


@functools.cache
def _tried_here() -> set[str]:
    """Hashes of the files that were tried by this process; nothing of it is written to the disk."""
    return set()


def _load(path: Path, engine: str, data: bytes, say: Callable[[str], None], walls: str) -> None:
    from edge_fer.inference.classifier import ModelClassifier
    from edge_fer.inference.finding_engines import find_engine

    ModelClassifier(path, find_engine(engine), 1, data=data).close()
