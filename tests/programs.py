"""`edge-fer`, or a piece of Python, in a process of its own, as its users meet it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

END_SECONDS = 120.0
"""By then a program that is to end by itself has ended, on a busy machine too."""


def command_line(*arguments: object) -> list[str]:
    """The words that start `edge-fer` with these arguments."""
    return [sys.executable, "-m", "edge_fer.cli.main", *map(str, arguments)]


def run_to_end(command: Sequence[Any], **more: Any) -> subprocess.CompletedProcess[str]:
    """What a program printed, and how it ended: well or badly, unless `check=True` is given."""
    options = {"timeout": END_SECONDS, "check": False, "text": True, **more}
    return subprocess.run(command, capture_output=True, **options)


def run_edge_fer(*arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    """`edge-fer` with these arguments, to its end."""
    return run_to_end(command_line(*arguments), **more)


def run_python(code: str, *arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    """A piece of Python with these arguments, to its end."""
    return run_to_end([sys.executable, "-c", code, *map(str, arguments)], **more)


def through_shell(*words: object) -> list[str]:
    """The words of a program as the child of a shell.

    On Linux the peak memory that a process tells of itself begins with the memory of the process that started it, which
    is gigabytes where tests ran TensorFlow before.
    """
    return ["/bin/sh", "-c", '"$@"; exit $?', "sh", *map(str, words)]


def peak_bytes(prepare: str, work: str, *arguments: object) -> tuple[str, int]:
    """What a piece of Python printed, and the bytes that it took at most beside what the program takes anyway.

    Args:
        prepare: lines that are run before, imports above all; they count as what the program takes anyway.
        work: lines that are measured.
        arguments: of the program.
    """
    before = "import resource, sys\nbefore = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss"
    after = "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)"
    code = "\n".join([prepare, before, work, after])
    done = run_to_end(through_shell(sys.executable, "-c", code, *arguments), check=True)
    *printed, peak = done.stdout.splitlines()
    return "\n".join(printed), int(peak)


def without_screen() -> dict[str, str]:
    """The environment of a machine without a screen."""
    return {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}


def with_our_modules(**more: str) -> dict[str, str]:
    """The environment of a program that imports what the tests can, wherever it is started."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **more}
