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

    def __init__(self, log: logging.Logger, monotonic: Callable[[], float], calm_seconds: float = CALM_SECONDS) -> None:
        """Begin without an outage."""
        self._log, self._monotonic, self._calm_seconds = log, monotonic, calm_seconds
        self._failed_at: float | None = None

    def failed(self, message: str) -> None:
        """Note a failure: the first of an outage is a warning; the others are for those who debug."""
        now = self._monotonic()
        first = self._failed_at is None or now - self._failed_at >= self._calm_seconds
        self._failed_at = now
        self._log.log(logging.WARNING if first else logging.DEBUG, "%s", message)

    def works(self, message: str) -> None:
        """Note a success, which ends an outage after some calm; cheap where there is none."""
        if self._failed_at is not None and self._monotonic() - self._failed_at >= self._calm_seconds:
            self._failed_at = None
            self._log.info("%s", message)
