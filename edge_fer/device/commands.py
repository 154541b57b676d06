"""Commands of the operating system, run for what they print or for the user to read."""

from __future__ import annotations

import contextlib
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from edge_fer.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    output: str = ""
    errors: str = ""


class Commands(Protocol):
    """Runs commands; tests bring their own."""

    def run(self, command: Sequence[str]) -> Done:
        """Run one and keep what it prints.

        Raises:
            ServiceError: it is not installed.
        """

    def show(self, command: Sequence[str]) -> int:
        """Run one that prints to the user, and return its exit code.

        Raises:
            ServiceError: it is not installed.
        """


class SystemCommands:
    """The commands of this computer."""

    def run(self, command: Sequence[str]) -> Done:
        """Run one and keep what it prints."""
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        except OSError as error:
            raise _missing(command[0], error) from None
        return Done(done.returncode, done.stdout, done.stderr)

    def show(self, command: Sequence[str]) -> int:
        """Run one that prints to the user; Ctrl-C ends it and not us."""
        try:
            process = subprocess.Popen(command)
        except OSError as error:
            raise _missing(command[0], error) from None
        while True:
            with contextlib.suppress(KeyboardInterrupt):
                return process.wait()


def _missing(name: str, error: OSError) -> ServiceError:
    return ServiceError(f"cannot run {name}: {error.strerror}; services need systemd")
