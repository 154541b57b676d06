"""Pages of reports: one file each, without scripts, which loads nothing, readable on a telephone and in the dark."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from edge_fer.escaping import for_html

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

STYLE = """
:root { color-scheme: light dark; --line: #ccc; --soft: #666; --ground: #f3f3f3; --doubt: #8a1c00; --warn: #fff3cd }
@media (prefers-color-scheme: dark) {
  :root { --line: #444; --soft: #aaa; --ground: #242424; --doubt: #ff9d85; --warn: #3a3000 }
}
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 80rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere }
h1 { font-size: 1.6rem } h2 { font-size: 1.25rem; margin-top: 2.5rem } h3 { font-size: 1rem; margin: 1.2rem 0 .2rem }
.soft { color: var(--soft) } .doubt { color: var(--doubt); font-weight: 600 }
.warning { background: var(--warn); padding: .5rem 1rem; border-left: 4px solid #e0a800 }
.scroll { overflow-x: auto; margin: 1rem 0 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: Canvas }
img { display: block; max-width: min(100%, 62rem); margin: 1.6rem 0 }
svg { display: block }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def html_page(title: str, parts: Sequence[str], *, style: str = "", head: str = "") -> str:
    """A whole page.

    Args:
        title: as text.
        parts: of the body, each as HTML.
        style: rules beside those of all pages.
        head: further elements of the head, as HTML.
    """
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{for_html(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"{head}<style>{STYLE}{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def html_text(tag: str, text: str, kind: str = "") -> str:
    """An element with text in it; `kind` is its class."""
    attribute = f' class="{kind}"' if kind else ""
    return f"<{tag}{attribute}>{for_html(text)}</{tag}>"


def html_table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of texts; without a head where there are no heads."""

    def line(cells: Iterable[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{for_html(cell)}</{tag}>" for cell in cells) + "</tr>"

    head = line(heads, "th")
    head = "" if head == "<tr></tr>" else f"<thead>{head}</thead>"
    body = "\n".join(line(row, "td") for row in rows)
    return f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>'


def html_picture(name: str, png: bytes) -> str:
    """A picture inside the page; `name` is that of its file, and what is said where it cannot be seen."""
    encoded = base64.b64encode(png).decode()
    shown = for_html(name.replace("_", " "))
    return f'<img id="{for_html(name)}" alt="{shown}" src="data:image/png;base64,{encoded}">'
