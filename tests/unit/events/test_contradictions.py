"""Rules that can never be true: each is found, and nothing that can be true is called impossible."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_fer.events.compiled import NO_FACE, FaceFacts, FrameFacts, checker_of
from edge_fer.events.contradictions import never_true
from edge_fer.events.evaluation import bind
from edge_fer.events.rule_errors import RuleError
from edge_fer.events.rule_text import parse_rule
from edge_fer.types import FER_LABELS

FEW = ("happy", "sad", "neutral")


@pytest.mark.parametrize(
    ("text", "problem", "place"),
    [
        ("happy > 80", "write 80%", "happy > 80"),
        ("happy > 1", "1 at most", "happy > 1"),
        ("happy < 0", "0 at least", "happy < 0"),
        ("all happy > 80 for 2s", "write 80%", "happy > 80"),
        ("happy share > 60 over 5m", "write 60%", "happy share > 60 over 5m"),
        ("happy > 0.6 and sad > 0.5", "together are 1", "sad > 0.5"),
        ("happy share > 0.6 over 5m and sad share > 0.5 over 5m", "together are 1", "sad share > 0.5 over 5m"),
        ("happy > 0.8 and happy < 0.7", "no score of happy fits", "happy < 0.7"),
        ("happy and sad", "does not show happy and sad", "sad"),
        ("happy and not happy", "either shows happy or does not", "happy"),
        ("all happy and any sad", "does not show", "happy"),
        ("all happy and not happy", "either shows happy", "happy"),
        ("faces > 3 and faces < 4", "exclude each other", "faces < 4"),
        ("faces < 0", "never fewer than 0", "faces < 0"),
        ("faces >= 21", "20 faces are followed at most", "faces >= 21"),
        ("nobody and happy", "nobody is to be in sight", "nobody"),
        ("nobody and any happy", "nobody is to be in sight", "nobody"),
        ("faces != 0 and faces < 1", "no number of faces", "faces < 1"),
        ("not face", "`nobody` asks", "face"),
        ("id changes for 2s", "cannot last", "id changes"),
        ("id changes and happy for 2s", "cannot last", "id changes"),
        ("not (happy or sad or angry or disgust or fear or surprise or neutral)", "always shows one", "neutral"),
        ("(happy and sad) or faces > 40", "none of its parts", "happy and sad) or faces > 40"),
    ],
)
def test_what_can_never_be_true_is_pointed_out(text: str, problem: str, place: str) -> None:
    with pytest.raises(RuleError) as caught:
        bind(parse_rule(text), FER_LABELS, most_faces=20)
    assert "can never be true" in str(caught.value)
    assert problem in str(caught.value)
    assert text[caught.value.at.begin : caught.value.at.end] == place


@pytest.mark.parametrize(
    "text",
    [
        "happy >= 1", "happy <= 0", "happy >= 0.5 and sad >= 0.5", "any happy and any sad", "any happy and sad",
        "nobody and not all happy", "id changes", "id changes or happy for 2s", "faces >= 20", "faces != 3",
        "happy share > 0.6 over 5m and sad share > 0.5 over 4m", "any happy > 0.6 and any sad > 0.6",
        "happy and sad > 0.6",
    ],
)  # fmt: skip
def test_what_can_be_true_is_taken(text: str) -> None:
    bind(parse_rule(text), FER_LABELS, most_faces=20)


def test_an_unknown_label_is_named_with_the_nearest_and_a_mark() -> None:
    with pytest.raises(RuleError, match="did you mean happy") as caught:
        bind(parse_rule("all hapy > 0.5"), FER_LABELS)
    assert caught.value.excerpt[1] == "    ^^^^"
    with pytest.raises(RuleError, match="it knows angry, disgust"):
        bind(parse_rule('"in love" > 0.5'), FER_LABELS)


def test_labels_are_found_whatever_their_letters() -> None:
    rule = bind(parse_rule("happy > 0.5 and faces == 1"), ("Sad", "Happy"))
    test = checker_of(rule.condition, ("Sad", "Happy"))
    face: FaceFacts = (1, (0.4, 0.6), "Happy", False)
    assert test(face, FrameFacts([face]))


LEAVES = st.one_of(
    st.builds(
        "{} {} {}".format,
        st.sampled_from(FEW),
        st.sampled_from([">", ">=", "<", "<="]),
        st.sampled_from(["0", "0.25", "0.5", "0.75", "1", "2"]),
    ),
    st.sampled_from(FEW),
    st.sampled_from(["nobody", "somebody", "faces >= 2", "faces < 2", "faces == 1", "faces != 1"]),
    st.sampled_from(["face", "id changes"]),
)


def _joined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} and {})".format, parts, parts),
        st.builds("({} or {})".format, parts, parts),
        st.builds("not {}".format, parts),
        st.builds("all ({})".format, parts),
        st.builds("any ({})".format, parts),
    )


SPLITS = [
    (happy / 8, sad / 8, (8 - happy - sad) / 8) for happy in range(9) for sad in range(9 - happy)
]  # all sums of eighths, and so a value between any two thresholds


@st.composite
def frames(draw: st.DrawFn) -> FrameFacts:
    count = draw(st.integers(0, 3))
    return FrameFacts(
        [
            (number, draw(st.sampled_from(SPLITS)), draw(st.sampled_from(FEW)), draw(st.booleans()))
            for number in range(count)
        ]
    )


@given(st.recursive(LEAVES, _joined, max_leaves=5), st.lists(frames(), min_size=5, max_size=20))
def test_what_is_called_impossible_holds_in_no_frame(text: str, seen: list[FrameFacts]) -> None:
    try:
        rule = parse_rule(text)
    except RuleError:
        return  # a frame cannot be asked about behind `all`
    if never_true(rule.condition, FEW) is None:
        return
    test = checker_of(rule.condition, FEW)
    for frame in seen:
        asked = frame.faces if rule.per_face else [NO_FACE]
        assert not any(test(face, frame) for face in asked)
