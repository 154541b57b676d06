"""A progress bar in plain characters, which every terminal and font shows."""

from __future__ import annotations

BAR_CHARACTERS = 20


def progress_bar(done: int, total: int, characters: int = BAR_CHARACTERS) -> str:
    """Such as `[#####---------------]  25 % 30/120`; `done` beyond `total` shows a full bar."""
    share = min(1.0, done / total) if total > 0 else 1.0
    filled = int(share * characters)
    return f"[{'#' * filled}{'-' * (characters - filled)}] {int(share * 100):3d} % {done}/{total}"
