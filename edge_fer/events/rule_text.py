"""The language of rules: a text becomes a `Rule`.

    rule      = [ name ":" ] condition { option }
    condition = all-of { "or" all-of }
    all-of    = part { "and" part }
    part      = [ "not" ] ( "(" condition ")" | ( "all" | "any" ) each | leaf )
    each      = label [ compare number ] | "(" condition ")"
    leaf      = label [ compare number ] | label "share" compare number "over" time
              | "faces" ( compare | "==" | "!=" ) count | "nobody" | "somebody" | "face" | "id" "changes"
    option    = "for" time | "cooldown" time [ "per" "face" ] | "hysteresis" number | "gap" time | "blind"
    compare   = ">" | ">=" | "<" | "<="
    number    = 0.8 | 80%
    time      = one or more of a number with its unit: ms, s, m or min, h; such as 2s, 500ms, 1m30s

A label that is one of the words of the language, or no word, stands in double quotes. Large and small letters are one.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn, TypeAlias, cast

from edge_fer.events.conditions import (
    Both,
    Either,
    FaceCount,
    InSight,
    NewId,
    Not,
    Quantified,
    Score,
    Share,
    Shown,
    Span,
    is_per_face,
)
from edge_fer.events.rule_errors import RuleError

if TYPE_CHECKING:
    from edge_fer.events.conditions import Condition, Operator

MOST_CHARACTERS = 1000
DEEPEST = 20
"""Brackets and `not` within each other."""
LONGEST_SECONDS = 24 * 3600.0
MOST_FACES = 10_000

HYSTERESIS = 0.05
"""How far a score must fall back behind its threshold before the condition is over, unless the rule says otherwise."""
GAP_SECONDS = 0.3
"""A condition that fails for less is not over: a blink, or a face that is lost for some frames."""

WORDS = (
    "for", "cooldown", "per", "hysteresis", "gap", "blind", "over", "share", "and", "or", "not", "all", "any", "faces",
    "face", "nobody", "somebody", "id", "changes",
)  # fmt: skip
OPTIONS = ("for", "cooldown", "hysteresis", "gap", "blind")
NAME = re.compile(r"[\w-]{1,40}")
UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
NUMBER = r"(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})"
TOKEN = re.compile(
    rf"""\s*(?:
    (?P<time>(?:{NUMBER}(?:ms|min|s|m|h)(?![^\W\d]))(?:{NUMBER}(?:ms|min|s|m|h)(?![^\W\d]))*)
    | (?P<number>{NUMBER}%?)
    | (?P<word>[^\W\d][\w-]*)
    | "(?P<quoted>[^"]*)"
    | (?P<sign>>=|<=|==|!=|[><=():])
    )""",
    re.VERBOSE | re.IGNORECASE,
)
PART_OF_TIME = re.compile(rf"({NUMBER})(ms|min|s|m|h)", re.IGNORECASE)

Kind: TypeAlias = Literal["time", "number", "word", "quoted", "sign", "end"]


@dataclass(frozen=True, slots=True)
class Rule:
    """When something happens."""

    text: str
    """As it was written."""
    name: str
    """Letters, digits, `_` and `-`; made from the text where none was given."""
    condition: Condition
    for_seconds: float = 0.0
    """How long the condition must hold."""
    cooldown_seconds: float = 0.0
    """After an event there is none for this long."""
    cooldown_per_face: bool = False
    """Whether that holds for each face by itself; else for the whole rule."""
    hysteresis: float = HYSTERESIS
    gap_seconds: float = GAP_SECONDS
    blind: bool = False
    """Whether an event keeps the rule, the faces and their scores to itself."""
    for_at: Span | None = None
    """Where the time that it must hold stands in the text."""

    @property
    def per_face(self) -> bool:
        """Whether it is evaluated for each face."""
        return is_per_face(self.condition)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: Kind
    text: str
    at: Span


def parse_rule(text: str, name: str | None = None) -> Rule:
    """Read a rule.

    Args:
        text: in the language above.
        name: that it has unless the text itself gives one.

    Raises:
        RuleError: it is wrongly written.
    """
    if len(text) > MOST_CHARACTERS:
        at = Span(MOST_CHARACTERS, MOST_CHARACTERS)
        raise RuleError(f"a rule has {MOST_CHARACTERS} characters at most", text, at)
    return _Parser(text).rule(name)


def check_name(name: str) -> bool:
    """Whether a rule may be called so: 1 to 40 letters, digits, `_` and `-`."""
    return NAME.fullmatch(name) is not None


def seconds_of(text: str) -> float:
    """The seconds of a time such as `1m30s`."""
    return sum(float(number) * UNIT_SECONDS[unit.lower()] for number, unit in PART_OF_TIME.findall(text))


def name_from(text: str) -> str:
    """A name made of the words and numbers of a rule.

    >>> name_from("happy > 0.8 for 2s")
    'happy-0_8-for-2s'
    """
    words = re.findall(r"\w+(?:\.\w+)*", text)
    return "-".join(words).replace(".", "_")[:40].strip("-_") or "event"


class _Parser:
    """Reads one text from left to right, one token ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()
        self._next = 0
        self._depth = 0

    def rule(self, name: str | None) -> Rule:
        begin = 0
        if self._ahead.kind == "word" and self._tokens[1].text == ":":
            token = self._take()
            self._take()
            if not check_name(token.text):
                raise self._error("a name has 40 letters, digits, _ and - at most", token)
            name, begin = token.text, self._ahead.at.begin
        condition = self._condition()
        options = self._options()
        if self._ahead.kind != "end":
            expected = f"the end of the rule, `and`, `or`, or one of {', '.join(OPTIONS)}"
            self._unexpected(("and", "or", *OPTIONS), expected)
        return Rule(self._text, name or name_from(self._text[begin:]), condition, **options)  # type: ignore[arg-type]

    def _split(self) -> list[_Token]:
        tokens: list[_Token] = []
        place, end = 0, len(self._text.rstrip())
        while place < end:
            found = TOKEN.match(self._text, place)
            if found is None:
                place += len(self._text[place:]) - len(self._text[place:].lstrip())
                char = self._text[place]
                problem = "this quote has no end" if char == '"' else "this character has no meaning here"
                raise RuleError(problem, self._text, Span(place, place + 1))
            kind = cast("Kind", found.lastgroup)
            begin, finish = found.span(kind)
            if kind == "quoted":
                begin, finish = begin - 1, finish + 1
            text = found[kind]
            tokens.append(_Token(kind, text.lower() if kind in ("time", "sign") else text, Span(begin, finish)))
            place = found.end()
        return [*tokens, _Token("end", "", Span(end, end))]

    @property
    def _ahead(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._ahead
        self._next += token.kind != "end"
        return token

    def _is(self, *words: str) -> bool:
        token = self._ahead
        if token.kind == "word":
            return token.text.lower() in words
        return token.kind == "sign" and token.text in words

    def _accept(self, *words: str) -> _Token | None:
        return self._take() if self._is(*words) else None

    def _expect(self, word: str, after: str) -> _Token:
        token = self._accept(word)
        if token is None:
            self._unexpected((word,), f"`{word}` {after}")
        return token

    def _error(self, problem: str, token: _Token) -> RuleError:
        return RuleError(problem, self._text, token.at)

    def _unexpected(self, words: tuple[str, ...], expected: str) -> NoReturn:
        token = self._ahead
        found = "the rule ends" if token.kind == "end" else f"there is {self._text[token.at.begin : token.at.end]!r}"
        word = token.text.lower() if token.kind == "word" else ""
        near = difflib.get_close_matches(word, words, n=1, cutoff=0.6) if word not in words else []
        hint = f"; did you mean {near[0]}?" if near else ""
        raise self._error(f"expected {expected}, but {found}{hint}", token)

    def _condition(self) -> Condition:
        parts = [self._all_of()]
        while self._accept("or"):
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else Either(parts[0].at.to(parts[-1].at), tuple(parts))

    def _all_of(self) -> Condition:
        parts = [self._part()]
        while self._accept("and"):
            parts.append(self._part())
        return parts[0] if len(parts) == 1 else Both(parts[0].at.to(parts[-1].at), tuple(parts))

    def _part(self) -> Condition:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error(f"brackets and `not` may be {DEEPEST} deep at most", self._ahead)
        try:
            if word := self._accept("not"):
                part = self._part()
                return Not(word.at.to(part.at), part)
            if self._is("("):
                return self._in_brackets()
            if word := self._accept("all", "any"):
                return self._quantified(word)
            return self._leaf()
        finally:
            self._depth -= 1

    def _in_brackets(self) -> Condition:
        self._take()
        condition = self._condition()
        self._expect(")", "to close the bracket")
        return condition

    def _quantified(self, word: _Token) -> Condition:
        begin = self._ahead
        condition = self._in_brackets() if self._is("(") else self._about_label(f"behind `{word.text.lower()}`")
        at = word.at.to(condition.at)
        inner: list[Condition] = [condition]
        while inner:
            part = inner.pop()
            if isinstance(part, (Both, Either)):
                inner += part.parts
            elif isinstance(part, Not):
                inner.append(part.part)
            elif not is_per_face(part):
                problem = f"behind `{word.text.lower()}` stands what is asked of each face, not of the whole frame"
                raise RuleError(problem, self._text, part.at if begin.text == "(" else at)
        return Quantified(at, word.text.lower() == "all", condition)

    def _leaf(self) -> Condition:
        if word := self._accept("nobody", "somebody"):
            return FaceCount(word.at, "==", 0) if word.text.lower() == "nobody" else FaceCount(word.at, ">=", 1)
        if word := self._accept("face"):
            return InSight(word.at)
        if word := self._accept("id"):
            return NewId(word.at.to(self._expect("changes", "behind `id`").at))
        if word := self._accept("faces"):
            return self._face_count(word)
        return self._about_label("such as `happy > 0.8`, `all happy`, `faces >= 3` or `nobody`")

    def _face_count(self, word: _Token) -> Condition:
        sign = self._accept(">", ">=", "<", "<=", "==", "=", "!=")
        if sign is None:
            self._unexpected((), "a comparison behind `faces`, such as `faces >= 3`")
        number = self._ahead
        if number.kind != "number" or not number.text.isdecimal() or int(number.text) > MOST_FACES:
            self._unexpected((), f"a whole number of faces, {MOST_FACES} at most")
        self._take()
        operator = cast("Operator", "==" if sign.text == "=" else sign.text)
        return FaceCount(word.at.to(number.at), operator, int(number.text))

    def _about_label(self, where: str) -> Condition:
        token = self._ahead
        if token.kind not in ("word", "quoted") or (token.kind == "word" and token.text.lower() in WORDS):
            self._unexpected(WORDS, f"a condition {where}" if "such" in where else f"an emotion {where}")
        self._take()
        if self._accept("share"):
            return self._share(token)
        if self._is("==", "=", "!="):
            raise self._error("scores are compared by >, >=, < or <=", self._ahead)
        sign = self._accept(">", ">=", "<", "<=")
        if sign is None:
            if self._ahead.kind == "number":
                self._unexpected((), f"a comparison such as `>` behind {token.text!r}")
            return Shown(token.at, token.text)
        value, at = self._number("0.8 or 80%")
        return Score(token.at.to(at), token.text, cast("Operator", sign.text), value)

    def _share(self, label: _Token) -> Condition:
        sign = self._accept(">", ">=", "<", "<=")
        if sign is None:
            self._unexpected((), "a comparison behind `share`, such as `share > 0.6`")
        value, _ = self._number("0.6 or 60%")
        word = self._expect("over", "and a time, such as `over 5m`")
        seconds, at = self._time("over")
        if seconds <= 0:
            raise RuleError("a share needs a time above 0", self._text, word.at.to(at))
        return Share(label.at.to(at), label.text, cast("Operator", sign.text), value, seconds)

    def _number(self, example: str) -> tuple[float, Span]:
        token = self._ahead
        if token.kind != "number":
            self._unexpected((), f"a number such as {example}")
        self._take()
        percent = token.text.endswith("%")
        return float(token.text.removesuffix("%")) / (100 if percent else 1), token.at

    def _time(self, word: str) -> tuple[float, Span]:
        token = self._ahead
        at, text = token.at, token.text
        if token.kind == "number" and not token.text.endswith("%"):
            # `2 s` with a space between them
            after = self._tokens[self._next + 1]
            if after.kind != "word" or after.text.lower() not in UNIT_SECONDS:
                example = f"{token.text}s ({token.text} seconds)"
                self._unexpected((), f"a time with its unit behind `{word}`, such as {example}")
            self._take()
            at, text = at.to(after.at), token.text + after.text.lower()
        elif token.kind != "time":
            self._unexpected((), f"a time behind `{word}`, such as 2s, 500ms or 1m30s")
        self._take()
        seconds = seconds_of(text)
        if seconds > LONGEST_SECONDS:
            raise RuleError("a time of a rule is 24h at most", self._text, at)
        return seconds, at

    def _options(self) -> dict[str, object]:
        options: dict[str, object] = {}
        given: set[str] = set()
        while word := self._accept(*OPTIONS):
            name = word.text.lower()
            if name in given:
                raise self._error(f"`{name}` stands twice in this rule", word)
            given.add(name)
            if name == "blind":
                options["blind"] = True
            elif name == "hysteresis":
                value, at = self._number("0.1 or 10%")
                if not 0 <= value < 1:
                    raise RuleError("a hysteresis is a part of a score, from 0 to below 1", self._text, at)
                options["hysteresis"] = value
            else:
                options[f"{name}_seconds"], at = self._time(name)
                if name == "for":
                    options["for_at"] = word.at.to(at)
            if name == "cooldown" and self._accept("per"):
                self._expect("face", "behind `per`")
                options["cooldown_per_face"] = True
        return options
