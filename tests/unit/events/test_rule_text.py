"""The language of rules: what each text means, and where the mark stands under one that is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_fer.events.conditions import Both, Either, FaceCount, InSight, NewId, Not, Quantified, Score, Share, Shown
from edge_fer.events.rule_errors import RuleError
from edge_fer.events.rule_text import MOST_CHARACTERS, WORDS, name_from, parse_rule


@pytest.mark.parametrize(
    ("text", "kind", "per_face"),
    [
        ("happy > 0.8", Score, True),
        ("happy", Shown, True),
        ("any surprise", Quantified, False),
        ("all happy > 50%", Quantified, False),
        ("all (happy or surprise > 0.3)", Quantified, False),
        ("faces >= 3", FaceCount, False),
        ("faces = 3", FaceCount, False),
        ("nobody", FaceCount, False),
        ("somebody", FaceCount, False),
        ("face", InSight, True),
        ("id changes", NewId, True),
        ("happy share > 0.6 over 5m", Share, False),
        ("not happy", Not, True),
        ("happy and faces >= 2", Both, True),
        ("nobody or all sad", Either, False),
        ('"id" > 0.5', Score, True),
        ("HAPPY > .8 FOR 2S", Score, True),
    ],
)
def test_each_form_is_read(text: str, kind: type, per_face: bool) -> None:
    rule = parse_rule(text)
    assert isinstance(rule.condition, kind)
    assert rule.per_face is per_face


def test_options_may_stand_in_any_order() -> None:
    rule = parse_rule("smile: happy > 80% cooldown 1m30s per face hysteresis 10% for 2 s gap 500ms blind")
    assert rule.name == "smile"
    assert rule.condition.threshold == pytest.approx(0.8)  # type: ignore[union-attr]
    assert (rule.for_seconds, rule.cooldown_seconds, rule.gap_seconds) == (2.0, 90.0, 0.5)
    assert rule.cooldown_per_face
    assert rule.blind
    assert rule.hysteresis == pytest.approx(0.1)


def test_and_binds_tighter_than_or() -> None:
    condition = parse_rule("happy or sad and angry").condition
    assert isinstance(condition, Either)
    assert isinstance(condition.parts[1], Both)


@pytest.mark.parametrize(
    ("text", "problem", "marked"),
    [
        ("happy >> 0.8", "expected a number", ">"),
        ("happy > 0.8 fro 2s", "did you mean for?", "fro"),
        ("happy > 0.8 for 2", "such as 2s (2 seconds)", "2"),
        ("happy > 0.8 for soon", "expected a time behind `for`", "soon"),
        ("happy > 0.8 for 2days", "expected a time with its unit", "2"),
        ("happy > 0.8 for 2s for 3s", "stands twice", "for"),
        ("happy > 0.8 for 25h", "24h at most", "25h"),
        ("happy 0.8", "expected a comparison", "0.8"),
        ("happy = 0.8", "compared by >", "="),
        ("happy > 0.8, sad > 0.2", "no meaning", ","),
        ("hap$y", "no meaning", "$"),
        ('"happy > 1', "this quote has no end", '"'),
        ("(happy", "to close the bracket", ""),
        ("happy)", "expected the end of the rule", ")"),
        ("all", "expected an emotion behind `all`, but the rule ends", ""),
        ("all faces > 3", "expected an emotion behind `all`", "faces"),
        ("all (faces > 3)", "asked of each face", "faces > 3"),
        ("any (happy and nobody)", "asked of each face", "nobody"),
        ("faces", "comparison behind `faces`", ""),
        ("faces > 1.5", "a whole number of faces", "1.5"),
        ("faces > 99999", "a whole number of faces", "99999"),
        ("id", "expected `changes`", ""),
        ("happy share > 0.6", "`over` and a time", ""),
        ("happy share > 0.6 over 0s", "above 0", "over 0s"),
        ("nobody for", "expected a time", ""),
        ("happy hysteresis 1", "from 0 to below 1", "1"),
        ("happy cooldown 5s per id", "expected `face`", "id"),
        ("", "expected a condition", ""),
        ("and", "expected a condition", "and"),
        ("not " * 30 + "happy", "deep at most", "not"),
        (f"{'x' * 41}: happy", "a name has 40", "x" * 41),
        ("happy > 0.8 do log", "expected the end of the rule", "do"),
    ],
)
def test_a_wrong_rule_is_marked_at_the_place(text: str, problem: str, marked: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rule(text)
    error = caught.value
    assert problem in str(error)
    assert error.exit_code == 2
    assert text[error.at.begin : error.at.end] == marked
    shown, carets = error.excerpt
    begin = carets.index("^")
    assert carets.strip("^ ") == ""
    assert shown[begin : begin + len(marked)] == marked


def test_what_a_terminal_would_obey_is_written_out_and_the_mark_moves_along() -> None:
    with pytest.raises(RuleError) as caught:
        parse_rule("happy\x1b > 0.8 and 微笑 fro")
    shown, carets = caught.value.excerpt
    assert shown.startswith("happy\\x1b")
    assert carets == "     ^^^^"
    with pytest.raises(RuleError) as caught:
        parse_rule("微笑 > 0.8 fro 2s")
    assert caught.value.excerpt[1] == " " * 11 + "^^^"


def test_of_a_long_rule_the_characters_around_the_place_are_shown() -> None:
    text = " or ".join(f"emotion{number} > 0.8" for number in range(40)) + " fro 2s"
    with pytest.raises(RuleError) as caught:
        parse_rule(text)
    shown, carets = caught.value.excerpt
    assert len(shown) <= 100
    assert shown[carets.index("^") :].startswith("fro")
    with pytest.raises(RuleError, match="1000 characters at most"):
        parse_rule("x" * (MOST_CHARACTERS + 1))


def test_a_rule_without_a_name_is_named_by_its_words() -> None:
    assert name_from("happy > 0.8 for 2s") == "happy-0_8-for-2s"
    assert parse_rule("(((happy)))").name == "happy"
    assert parse_rule("happy", "smile").name == "smile"
    assert parse_rule("grin: happy", "smile").name == "grin"


def problem_of(text: str) -> RuleError | None:
    try:
        parse_rule(text)
    except RuleError as error:
        return error
    return None


@given(st.text(alphabet=st.sampled_from(list('happy>=<!()0.8%"$:µ\x00 ')), max_size=40) | st.text(max_size=60))
def test_any_text_is_a_rule_or_one_error_with_a_mark(text: str) -> None:
    error = problem_of(text)
    if error is not None:
        assert 0 <= error.at.begin <= error.at.end <= max(len(text), 1)
        assert "\n" not in str(error)
        assert "^" in error.excerpt[1]


VOCABULARY = [*WORDS, "happy", "sad", "0.8", "2s", "5m", "3", "80%", ">", "<=", "==", "(", ")"]


@given(st.lists(st.sampled_from(VOCABULARY), max_size=12))
def test_any_words_are_a_rule_or_one_error(words: list[str]) -> None:
    error = problem_of(" ".join(words))
    assert error is None or "^" in error.excerpt[1]
