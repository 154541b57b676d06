"""A rule that cannot be used, shown with a mark under the place."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from edge_fer.errors import ConfigError, EdgeFerError
from edge_fer.escaping import for_terminal

if TYPE_CHECKING:
    from edge_fer.events.conditions import Span

MOST_SHOWN = 100
"""Of a longer rule the characters around the place are shown."""


class RuleError(EdgeFerError):
    """A rule is wrongly written, names what is not there, or can never be true."""

    exit_code = 2

    def __init__(self, problem: str, text: str, at: Span) -> None:
        """Name the problem and the place.

        Args:
            problem: in one line, without the rule.
            text: of the whole rule.
            at: the place in it; one behind the end of the text stands for what is missing there.
        """
        self.problem, self.text, self.at = problem, text, at
        super().__init__(f"{problem}, at character {at.begin + 1} of the rule {text!r}")

    def found_in(self, origin: str) -> RuleError:
        """The same error of a rule that was given by an option, such as `--on`, or that a file holds."""
        kind = RuleError if origin.startswith("--") else ConfiguredRuleError
        return kind(f"{origin}: {self.problem}", self.text, self.at)

    @property
    def excerpt(self) -> tuple[str, str]:
        """The rule, or what of a long one is around the place, and a line with carets under the place."""
        first = max(0, min(self.at.begin - MOST_SHOWN // 2, len(self.text) - MOST_SHOWN))
        last = first + MOST_SHOWN
        before = for_terminal(self.text[first : self.at.begin])
        marked = for_terminal(self.text[self.at.begin : min(self.at.end, last)])
        after = for_terminal(self.text[self.at.end : last])
        return before + marked + after, " " * _columns(before) + "^" * max(1, _columns(marked))


class ConfiguredRuleError(RuleError, ConfigError):
    """The same of a rule in a file of settings."""

    exit_code = 78


def _columns(text: str) -> int:
    """Columns that a text takes on a terminal: two for the wide characters of East Asian scripts, none for accents."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) > 0 for char in text)
