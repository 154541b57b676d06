"""Texts by strangers on their way out, with one function for each kind of output.

Names of files, labels of models and names of cameras are chosen by others. On a terminal some characters move the
cursor, set its title or change the order of what is shown; in a spreadsheet a text that begins with `=` is a formula;
in a log a line end fakes a line. What these functions return shows each such character and does nothing.

| output | function | what becomes of such a character |
|---|---|---|
| terminal, log | `for_terminal`, `for_log` | written out, such as `\\x1b` |
| several lines of a terminal | `for_terminal_lines` | the same; line ends stay |
| CSV | `for_csv` | the same, and a quote `'` before a formula |
| JSON | `for_json` | JSON's own `\\u001b`: a reader gets the very text |
| HTML | `for_html` | written out, and `<`, `>`, `&` and quotes as entities |
| MQTT topics | `for_mqtt_topic` | written out; wildcards and the signs of levels become `_` |
| labels of metrics | `for_metric_label` | written out |
"""

from __future__ import annotations

import html
import re

FORMULA = re.compile(r"(^|;)(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""Where a spreadsheet begins to compute: at the beginning of a cell, and of what it takes for one where `;` divides
cells; also with the wide forms of these signs, which some take for the narrow ones."""
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?", re.ASCII)
HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""Control characters (C0, C1), marks that change the direction of text, ends of lines and paragraphs, characters
without width, tags, and halves of characters, as which Python keeps the bytes of a name that is no UTF-8."""
TOPIC_SIGNS = re.compile(r"[+#/$]")


def for_terminal(text: str) -> str:
    """The text in one line, with everything that is not shown as itself written out.

    >>> for_terminal("a\\nb")
    'a\\\\nb'
    """
    if text.isascii() and text.isprintable():
        return text  # as nearly always
    text = text.encode("utf-8", "backslashreplace").decode()
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def for_terminal_lines(text: str) -> str:
    """The same for a text of several lines, such as a table; only the line end `\\n` stays."""
    return "\n".join(map(for_terminal, text.split("\n")))


def for_log(text: str) -> str:
    """The text as part of one line of a log."""
    return for_terminal(text)


def for_csv(text: str) -> str:
    """The text as a field, before it is quoted: no spreadsheet computes it; numbers stay what they are.

    >>> for_csv("=1+1"), for_csv("-1.5")
    ("'=1+1", '-1.5')
    """
    text = for_terminal(text)
    return text if NUMBER.fullmatch(text) else FORMULA.sub(r"\1'", text)


def for_json(encoded: str) -> str:
    """A JSON document with hidden characters as `\\uXXXX`: its values stay the same.

    Args:
        encoded: JSON, as `json.dumps` gives it with or without `ensure_ascii`; line ends and tabs between its parts,
            as of `indent`, stay.
    """
    return encoded if encoded.isascii() and "\x7f" not in encoded else HIDDEN.sub(_json_escape, encoded)


def for_html(text: str) -> str:
    """The text as content or quoted attribute of a page."""
    return html.escape(for_terminal(text))


def for_mqtt_topic(text: str) -> str:
    """The text as one level of a topic."""
    return TOPIC_SIGNS.sub("_", for_terminal(text))


def for_metric_label(text: str) -> str:
    """The text as the value of a label; quotes and backslashes are escaped where the line is written."""
    return for_terminal(text)


def _json_escape(found: re.Match[str]) -> str:
    char = found[0]
    if char in "\n\r\t":
        return char  # between the parts of a document: within a text JSON has escaped it
    if ord(char) < 0x10000:
        return f"\\u{ord(char):04x}"
    high, low = divmod(ord(char) - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
