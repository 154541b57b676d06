"""Messages of the program's parts as lines on standard error."""

from __future__ import annotations

import logging

from edge_fer.cli.streams import tell

ROOT = "edge_fer"


class LinesForPeople(logging.Handler):
    """Writes each message as one line, as the commands write theirs."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message; what goes wrong with it is no fault of the work."""
        try:
            tell(record.getMessage())
        except Exception:
            self.handleError(record)


def show_messages(level: int = logging.INFO) -> None:
    """Show messages of this level and above from now on; may be called more than once."""
    logger = logging.getLogger(ROOT)
    logger.setLevel(level)
    logger.propagate = False
    if not any(isinstance(handler, LinesForPeople) for handler in logger.handlers):
        logger.addHandler(LinesForPeople())
