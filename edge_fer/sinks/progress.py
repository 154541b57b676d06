"""A progress bar in plain characters, which every terminal and font shows."""

from __future__ import annotations

BAR_CHARACTERS = 20


def bar_text(share: float, characters: int = BAR_CHARACTERS) -> str:
    """Such as `[#####---------------]  25 %`; a share beyond 1 shows a full bar."""
    share = min(1.0, share)
    filled = int(share * characters)
    return f"[{'#' * filled}{'-' * (characters - filled)}] {int(share * 100):3d} %"


def progress_bar(done: int, total: int, characters: int = BAR_CHARACTERS) -> str:
    """Such as `[#####---------------]  25 % 30/120`."""
    return f"{bar_text(done / total if total > 0 else 1.0, characters)} {done}/{total}"
