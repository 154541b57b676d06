"""When a part begins to fail and when it works again: a line of the log for each, every time, and no more."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CALM_SECONDS = 5.0
"""Without a failure for this long an outage is over: what fails now and then is one outage, and does not fill a log."""


class Outages:
    """Logs the outages of one part."""

    def __init__(self, log: logging.Logger, monotonic: Callable[[], float]) -> None:
        """Begin without an outage."""
        self._log, self._monotonic = log, monotonic
        self._failed_at: float | None = None

    def failed(self, message: str) -> None:
        """Note a failure: the first of an outage is a warning; the others are logged as details."""
        self._log.log(logging.WARNING if self._failed_at is None else logging.DEBUG, "%s", message)
        self._failed_at = self._monotonic()

    def works(self, message: str) -> None:
        """Note a success, which ends an outage after some calm; cheap where there is none."""
        if self._failed_at is not None and self._monotonic() - self._failed_at >= CALM_SECONDS:
            self._failed_at = None
            self._log.info("%s", message)


class Seldom:
    """Logs faults that others can bring about, once in a while at most, so that nobody can fill a log."""

    def __init__(self, log: logging.Logger, monotonic: Callable[[], float], pause_seconds: float = 60.0) -> None:
        """Begin without a fault."""
        self._log, self._monotonic, self._pause_seconds = log, monotonic, pause_seconds
        self._logged_at = float("-inf")

    def failed(self, message: str) -> None:
        """Note a fault: an error in the log, or where one was there a short while ago as a detail."""
        now = self._monotonic()
        due = now - self._logged_at >= self._pause_seconds
        self._logged_at = now if due else self._logged_at
        self._log.log(logging.ERROR if due else logging.DEBUG, "%s", message)
