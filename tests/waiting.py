"""Waiting for what another thread or program does, in tests that assert no times."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Found = TypeVar("Found")

LONG_SECONDS = 60.0


def until(is_so: Callable[[], Found], what: str) -> Found:
    """Wait until something is so, and return what was found."""
    end = time.monotonic() + LONG_SECONDS
    while not (found := is_so()):
        assert time.monotonic() < end, f"still not so after {LONG_SECONDS:.0f} s: {what}"
        time.sleep(0.02)
    return found
