"""Pages of figures and pictures that need nothing beside them and no network."""

from __future__ import annotations

import base64
import importlib.util
from typing import TYPE_CHECKING

from edge_fer.escaping import for_html
from edge_fer.installation import install_command

if TYPE_CHECKING:
    from collections.abc import Sequence


def without_plots() -> str:
    """What to say where the extra that draws is missing."""
    return f"no report.html and no plots: they need the extra 'bench': {install_command('bench')}"


def can_draw() -> bool:
    """Whether the extra that draws is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def html_page(title: str, parts: Sequence[str]) -> str:
    """A whole page; the parts are HTML, the title is text."""
    return _PAGE.format(title=for_html(title), body="\n".join(parts))


def html_text(tag: str, text: str, kind: str = "") -> str:
    """An element with text in it."""
    attribute = f' class="{kind}"' if kind else ""
    return f"<{tag}{attribute}>{for_html(text)}</{tag}>"


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of texts."""

    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{for_html(cell)}</{tag}>" for cell in cells) + "</tr>"

    lines = [f"<thead>{line(header, 'th')}</thead>"] if header else []
    body = "".join(line(row, "td") for row in rows)
    return f'<div class="wide"><table>{"".join(lines)}<tbody>{body}</tbody></table></div>'


def html_picture(name: str, png: bytes) -> str:
    """A picture inside the page; `name` is that of its file, and what is said where it cannot be seen."""
    encoded = base64.b64encode(png).decode()
    shown = for_html(name.replace("_", " "))
    return f'<img id="{for_html(name)}" alt="{shown}" src="data:image/png;base64,{encoded}">'


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 80rem; margin: 2rem auto;
  padding: 0 1rem; }}
h1 {{ margin-bottom: 0; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; margin: 1.2rem 0; font-variant-numeric: tabular-nums; white-space: nowrap;
  font-size: .88em; }}
th, td {{ padding: .25rem 1rem .25rem 0; border-bottom: 1px solid #ddd; text-align: right; }}
th:first-child, td:first-child {{ text-align: left; }}
img {{ display: block; max-width: min(100%, 62rem); margin: 1.6rem 0; }}
.note {{ color: #666; }}
.doubt {{ color: #8a1c00; font-weight: 600; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
