"""Messages of the program's parts as lines on standard error: for people, for programs, or for the journal."""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from edge_fer.cli.options import settings_options
from edge_fer.cli.streams import on_terminal, tell
from edge_fer.config.setting import declared
from edge_fer.errors import one_line
from edge_fer.escaping import for_json
from edge_fer.settings import LogOptions, chosen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_fer.cli.options import Function

ROOT = "edge_fer"
PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7))
"""What syslog calls these levels; systemd reads `<4>` at the beginning of a line."""


class MessageLines(logging.Handler):
    """Writes each message as one line, as the commands write theirs."""

    def __init__(self, *, as_json: bool = False, for_journal: bool = False) -> None:
        """Choose the form.

        Args:
            as_json: one object per line, with time, level, logger and message.
            for_journal: begin each line with its priority.
        """
        super().__init__()
        self._as_json, self._for_journal = as_json, for_journal

    @property
    def for_programs(self) -> bool:
        """Whether the lines have a form that programs read."""
        return self._as_json or self._for_journal

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message; what goes wrong with it is no fault of the work."""
        try:
            tell(self.line(record))
        except Exception:
            self.handleError(record)

    def line(self, record: logging.LogRecord) -> str:
        """The message in its form."""
        message = one_line(record.getMessage())
        if self._as_json:
            time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
            fields = {
                "time": time.replace("+00:00", "Z"),
                "level": record.levelname.lower(),
                "logger": record.name,
                "message": message,
            }
            message = for_json(json.dumps(fields, ensure_ascii=False))
        return f"<{priority(record.levelno)}>{message}" if self._for_journal else message


def priority(level: int) -> int:
    """The priority of syslog for a level of logging."""
    return next((found for lowest, found in PRIORITIES if level >= lowest), PRIORITIES[-1][1])


def shows_messages(function: Function) -> Function:
    """Add --verbose, --quiet and --log-format to a command that does without their values, and show its messages."""

    @functools.wraps(function)
    def command(*arguments: Any, **values: Any) -> Any:
        show_messages(chosen(LogOptions, values), os.environ)
        own = {setting.name for setting in declared(LogOptions)}
        return function(*arguments, **{name: value for name, value in values.items() if name not in own})

    return cast("Function", settings_options(LogOptions)(command))


def show_messages(options: LogOptions, environment: Mapping[str, str]) -> None:
    """Write messages of the parts to standard error from now on; a later call replaces an earlier one.

    Args:
        options: `verbose` wins over `quiet`.
        environment: says whether standard error is systemd's journal.
    """
    logger = logging.getLogger(ROOT)
    level = logging.DEBUG if options.verbose else logging.WARNING if options.quiet else logging.INFO
    logger.setLevel(level)
    logger.handlers = [handler for handler in logger.handlers if not isinstance(handler, MessageLines)]
    as_json = options.log_format == "json"
    logger.addHandler(MessageLines(as_json=as_json, for_journal=is_journal(environment)))


def shows_progress() -> bool:
    """Whether standard error is a terminal on which people want to see progress, and not warnings alone."""
    logger = logging.getLogger(ROOT)
    for_programs = any(isinstance(one, MessageLines) and one.for_programs for one in logger.handlers)
    return on_terminal(sys.stderr) and logger.getEffectiveLevel() <= logging.INFO and not for_programs


def log_error(message: str) -> bool:
    """Log what ends a command, where its messages are for programs or the journal; False where they are for people."""
    logger = logging.getLogger(ROOT)
    if not any(isinstance(handler, MessageLines) and handler.for_programs for handler in logger.handlers):
        return False
    logger.error("%s", message)
    return True


def is_journal(environment: Mapping[str, str], stream: Any = None) -> bool:
    """Whether a stream, standard error where none is given, leads into systemd's journal.

    systemd puts its device and inode into JOURNAL_STREAM, so that a program that redirects it is not misled.
    """
    try:
        status = os.fstat((stream or sys.stderr).fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
