"""What strangers name their files, models and cameras does nothing in any output."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_fer.escaping import (
    for_csv,
    for_html,
    for_json,
    for_log,
    for_metric_label,
    for_mqtt_topic,
    for_terminal,
    for_terminal_lines,
)
from edge_fer.sinks.csv import csv_line
from edge_fer.sinks.jsonl import compact_json

CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
BIDIRECTIONAL = [chr(code) for code in (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))]
BREAKS = ["\u2028", "\u2029", "\x85", "\udcff", "\ud800", "\ufeff", "\u200b", "\u2060", "\U000e0041"]
HOSTILE = [*CONTROLS, *BIDIRECTIONAL, *BREAKS]
"""Every character that moves something, hides something or turns something round."""
FORMULAS = ["=", "+", "-", "@", "\t=", "\r=", " =", "\uff1d", "\uff0b", "\uff0d", "\uff20", "=cmd|'/c calc'!A0", "a;=1"]

PIECES = [*HOSTILE, *FORMULAS, "a", "\u00e9", '"', "'", ",", ";", "<", "&", "7", "😀"]
names = st.lists(st.sampled_from(PIECES)).map("".join)
any_text = st.text(st.characters(codec=None, exclude_categories=()), max_size=30) | names


def acts(text: str) -> set[str]:
    """What is in a text that a terminal, an editor or a reader acts on or does not show."""
    return {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")}


@pytest.mark.parametrize("char", HOSTILE, ids=lambda char: f"U+{ord(char):04X}")
def test_each_character_that_acts_is_written_out_everywhere(char: str) -> None:
    text = f"a{char}b"
    for function in (for_terminal, for_log, for_csv, for_html, for_metric_label):
        shown = function(text)
        assert not acts(shown)
        assert shown.startswith("a\\")
        assert shown.endswith("b")
        shown.encode()
    assert not acts(for_mqtt_topic(text))
    encoded = for_json(json.dumps({text: text}, ensure_ascii=False))
    assert not acts(encoded)
    assert json.loads(encoded) == {text: text}


@given(any_text)
def test_a_terminal_and_a_log_get_one_line_that_does_nothing(text: str) -> None:
    for shown in (for_terminal(text), for_log(text), for_metric_label(text)):
        assert not acts(shown)
        assert len(shown.splitlines()) <= 1
    assert acts(for_terminal_lines(text)) <= {"\n"}
    assert for_terminal_lines(text).count("\n") == text.count("\n")


@given(st.lists(any_text, min_size=1, max_size=4))
def test_csv_comes_back_and_is_no_formula(fields: list[str]) -> None:
    line = csv_line(fields)
    assert not acts(line)
    [read] = csv.reader(io.StringIO(line)) if line else [[""]]
    assert read == [for_csv(field) for field in fields]
    for field in read:
        for cell in field.split(";"):
            assert not re.match(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]", cell) or re.fullmatch(
                r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", field
            )


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_beginnings_of_formulas_are_guarded(formula: str) -> None:
    assert "'" in for_csv(formula) or for_csv(formula).startswith("\\")


@pytest.mark.parametrize("number", ["0", "-3", "12.5000", "+7", "1e-3"])
def test_numbers_stay_numbers_in_csv(number: str) -> None:
    assert for_csv(number) == number


@given(any_text)
def test_json_says_the_same_and_does_nothing(text: str) -> None:
    encoded = compact_json({"source": text})
    assert not acts(encoded)
    assert json.loads(encoded) == {"source": text}
    encoded.encode()


def test_the_lines_of_an_indented_document_stay() -> None:
    document = json.dumps({"a": "\x85", "b": [1]}, indent=2, ensure_ascii=False)
    assert for_json(document).count("\n") == document.count("\n")


@given(any_text)
def test_html_holds_no_markup_of_a_stranger(text: str) -> None:
    shown = for_html(text)
    assert not acts(shown)
    assert not set("<>\"'") & set(shown)
    assert html.unescape(shown) == for_terminal(text)


@given(any_text)
def test_a_level_of_a_topic_has_no_sign_of_mqtt(text: str) -> None:
    level = for_mqtt_topic(text)
    assert not set("+#/$\0") & set(level)
    assert not acts(level)
