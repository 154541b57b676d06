"""A program started for each event: without a shell, one at a time, with a limit for its time and for its output."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.errors import SinkError
from edge_fer.escaping import for_log
from edge_fer.sinks.jsonl import compact_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_fer.events.actions import CommandAction
    from edge_fer.events.event import Event

log = logging.getLogger("edge_fer.events")

LIMIT_SECONDS = 10.0
MOST_OUTPUT_BYTES = 65_536
"""A program that writes more is ended: its output would fill a log, and reading it costs time."""
MOST_LINES, MOST_LINE_CHARACTERS = 20, 300
END_SECONDS = 1.0
"""Between the request to end and the end by force."""
LOOK_SECONDS = 0.1
NOT_INHERITED = ("CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID")
"""What systemd hands to this program alone: secrets, and the right to speak for the service."""


class CommandSink:
    """Starts a program for each event, and waits for its end."""

    def __init__(
        self,
        action: CommandAction,
        limit_seconds: float = LIMIT_SECONDS,
        environment: Mapping[str, str] = os.environ,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start nothing yet.

        Args:
            action: the program and its arguments.
            limit_seconds: how long it may take.
            environment: that the program inherits, but for what is this program's own.
            monotonic: for the limit.
        """
        self._arguments, self._limit_seconds, self._monotonic = action.arguments, limit_seconds, monotonic
        self._environment = {name: value for name, value in environment.items() if name not in NOT_INHERITED}
        self._name = for_log(Path(action.arguments[0]).name)
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._ended = False

    def write(self, event: Event) -> None:
        """Run the program for one event.

        Raises:
            SinkError: it cannot be started, failed, took too long or wrote too much.
        """
        with self._lock:
            if self._ended:
                return
            try:
                process = self._process = subprocess.Popen(
                    self._arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env={**self._environment, **event_variables(event)},
                    # Its own group, so that what it starts can be ended with it, and Ctrl-C is not its.
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                why = getattr(error, "strerror", None) or error
                raise SinkError(f"cannot start {self._name}: {why}") from None
        output = bytearray()
        try:
            problem = self._watch(process, output)
        finally:
            if process.stdout is not None:
                process.stdout.close()
            with self._lock:
                self._process = None
        self._log(output)
        if problem is not None:
            raise SinkError(f"{self._name} {problem}")

    def close(self) -> None:
        """Nothing is open between events."""

    def end(self) -> None:
        """End the program that runs, and start no other; from any thread, more than once."""
        with self._lock:
            self._ended = True
            process = self._process
        if process is not None:
            _end_group(process)

    def _watch(self, process: subprocess.Popen[bytes], output: bytearray) -> str | None:
        """Read what it writes until it ends or a limit is reached; what is wrong, in words."""
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN | select.POLLHUP)
        deadline = self._monotonic() + self._limit_seconds
        is_open = True
        while self._monotonic() < deadline:
            code = process.poll()
            if is_open and poll.poll(0 if code is not None else LOOK_SECONDS * 1000):
                data = os.read(descriptor, 4096)
                is_open = bool(data)
                output += data
                if len(output) > MOST_OUTPUT_BYTES:
                    _end_group(process)
                    return f"was ended: it wrote more than {MOST_OUTPUT_BYTES // 1024} KiB"
            elif code is not None:
                # What it left running may hold its output open.
                return None if code == 0 else _ending(code)
            elif not is_open:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(LOOK_SECONDS)
        _end_group(process)
        return f"was ended: it took longer than {self._limit_seconds:g} s"

    def _log(self, output: bytearray) -> None:
        lines = [line for line in output.decode(errors="replace").splitlines() if line.strip()]
        for line in lines[:MOST_LINES]:
            log.info("%s: %s", self._name, for_log(line[:MOST_LINE_CHARACTERS]))
        if len(lines) > MOST_LINES:
            log.info("%s: %d lines more", self._name, len(lines) - MOST_LINES)


def event_variables(event: Event) -> dict[str, str]:
    """What a program is given of an event, as environment variables; of a blind one neither rule nor scores."""
    record = event.to_dict()
    variables = {
        "EVENT_ID": record["id"],
        "EVENT_NAME": record["event"],
        "EVENT_TIME": record["time"],
        "EVENT_SEQ": str(record["seq"]),
        "EVENT_SOURCE": record["source"],
        "EVENT_JSON": compact_json(record),
    }
    if "position" in record:
        variables["EVENT_POSITION"] = f"{record['position']:g}"
    if not event.blind:
        variables |= {"EVENT_RULE": record["rule"], "EVENT_FACES": str(record["faces"])}
        if record["face"] is not None:
            face_id = record["face"]["id"]
            variables["EVENT_FACE"] = "" if face_id is None else str(face_id)
            variables["EVENT_EMOTION"] = record["face"]["emotion"]
            variables["EVENT_SCORE"] = f"{record['face']['score']:.4f}"
    return {name: text.replace("\0", "") for name, text in variables.items()}


def _ending(code: int) -> str:
    if code > 0:
        return f"failed with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a program and what it has started: by request, then by force."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
            if sign is signal.SIGKILL:
                return
