"""Pages with figures and pictures, and whether they can be drawn here."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from edge_fer.html_page import html_page
from edge_fer.installation import install_command

if TYPE_CHECKING:
    from collections.abc import Sequence

NO_ICON = '<link rel="icon" href="data:,">\n'
"""Without it a browser looks for an icon beside the page, and complains."""


def without_plots() -> str:
    """What to say where the extra that draws is missing."""
    return f"no report.html and no plots: they need the extra 'bench': {install_command('bench')}"


def can_draw() -> bool:
    """Whether the extra that draws is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def page_of_figures(title: str, parts: Sequence[str]) -> str:
    """A whole page; the parts are HTML, the title is text."""
    return html_page(title, parts, head=NO_ICON)
