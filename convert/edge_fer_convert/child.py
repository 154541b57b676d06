"""The heavy work in a process of its own, which is ended where it takes too long or too much memory."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import shutil
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_fer import errors
from edge_fer.errors import EdgeFerError, ModelError
from edge_fer_convert.package import STAGING_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from multiprocessing.connection import Connection

    from edge_fer_convert.result import ConversionResult

_POLL_SECONDS = 0.2


def convert_in_child(
    arguments: Mapping[str, Any],
    say: Callable[[str], None],
    *,
    timeout_seconds: float,
    most_bytes: int,
    work: Callable[..., Any] | None = None,
) -> ConversionResult:
    """Run `convert` in a child process.

    Args:
        arguments: of `convert`, all but `say`.
        say: told what goes on.
        timeout_seconds: after which the child is ended.
        most_bytes: of resident memory, beyond which it is ended; not watched where there is no /proc.
        work: a function in place of `convert` that can be pickled; tests bring their own.

    Raises:
        EdgeFerError: what `convert` raises, or the child was ended; nothing half-written is left.
    """
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_work, args=(sending, dict(arguments), work), daemon=True)
    out = Path(arguments.get("out", Path()))
    existed = out.exists()
    child.start()
    sending.close()
    try:
        return _followed(child, receiving, say, time.monotonic() + timeout_seconds, timeout_seconds, most_bytes)
    finally:
        child.join(0.5)
        if child.is_alive():
            child.kill()
            child.join()
            for left in out.glob(f"{STAGING_PREFIX}{child.pid}-*"):
                shutil.rmtree(left, ignore_errors=True)
            if not existed:
                with contextlib.suppress(OSError):  # not there, or not empty
                    out.rmdir()
        receiving.close()


def _followed(
    child: Any, receiving: Connection, say: Callable[[str], None], until: float, timeout_seconds: float, most_bytes: int
) -> ConversionResult:
    while True:
        if time.monotonic() > until:
            raise EdgeFerError(f"the conversion took more than {timeout_seconds:g} s: give a larger --timeout")
        used = resident_bytes(child.pid)
        if used > most_bytes:
            raise EdgeFerError(
                f"the conversion took more than {most_bytes / 1e9:g} GB of memory: give a larger --memory-limit"
            )
        if not receiving.poll(_POLL_SECONDS):
            continue
        try:
            kind, content = receiving.recv()
        except EOFError:
            child.join()
            raise ModelError(
                f"the converter crashed on the model (exit {child.exitcode}): it may be damaged, or memory ran out"
            ) from None
        if kind == "say":
            say(content)
        elif kind == "error":
            raise _rebuilt(*content)
        else:
            result: ConversionResult = content
            return result


def _work(sending: Connection, arguments: dict[str, Any], work: Callable[..., Any] | None) -> None:
    if work is None:
        from edge_fer_convert.conversion import convert

        work = convert
    _give_memory_back()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        message: tuple[str, Any] = ("done", work(**arguments, say=lambda text: sending.send(("say", text))))
    except EdgeFerError as error:
        message = ("error", (type(error).__name__, str(error), getattr(error, "extra", None)))
    except KeyboardInterrupt:
        return
    except Exception:  # a fault of this program: told in full by the parent
        message = ("error", ("", traceback.format_exc(), None))
    with contextlib.suppress(OSError):  # the parent has gone
        sending.send(message)


def _give_memory_back() -> None:
    """Have glibc return large blocks at once (M_MMAP_THRESHOLD, and two arenas at most): weights are copied often, and
    ResNet50 then takes 2.0 GB in place of 2.9 while it is quantised."""
    with contextlib.suppress(OSError, AttributeError):
        allocator = ctypes.CDLL(None)
        allocator.mallopt(-3, 1 << 18)
        allocator.mallopt(-8, 2)


def _end_with(parent: Any) -> None:
    """Where the parent is killed, nobody waits for the files: they must not appear afterwards."""
    parent.join()
    os._exit(1)


def _rebuilt(name: str, message: str, extra: str | None) -> Exception:
    kind = getattr(errors, name, None) if name else None
    if kind is None:
        return RuntimeError(f"the conversion failed in its process:\n{message}")
    error: Exception = kind.__new__(kind)
    Exception.__init__(error, message)
    if extra is not None:
        error.extra = extra  # type: ignore[attr-defined]
    return error


def resident_bytes(pid: int) -> int:
    """Memory that a process holds; 0 where it cannot be told."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
