"""What is logged, as tests look at it."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Kept(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


@contextmanager
def logged(name: str = "edge_fer", level: int = logging.INFO) -> Iterator[list[str]]:
    """The messages of a part and of those below it, of this level and above, while the block lasts."""
    lines: list[str] = []
    handler, logger = _Kept(lines), logging.getLogger(name)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def kept_in(lines: list[str]) -> logging.Logger:
    """A logger of its own that keeps every message in this list."""
    logger = logging.Logger("test", logging.DEBUG)
    logger.addHandler(_Kept(lines))
    return logger
