"""Rules over 10,000 frames of which the truth is known: every event is there, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_fer.camera.demo import FPS, SCENE_FRAMES
from edge_fer.events.evaluation import RuleSet, bind
from edge_fer.events.rule_text import parse_rule
from edge_fer.inference.smoothing import ScoreSmoother
from edge_fer.types import FER_LABELS, Box, Face, Observation, ScoredFace
from tests.demo_truth import check, shown, stretches
from tests.fakes import observation, scores_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TEN_THOUSAND = 10_000


def frames(smoothing_seconds: float) -> list[Observation]:
    """The demo going round, as one sees it who reads each face right, with scores steadied as a run does."""
    smoother, result = ScoreSmoother(smoothing_seconds), []
    for seq in range(TEN_THOUSAND):
        faces = []
        for actor, emotion in enumerate(shown()[seq % len(shown())]):
            # In each scene the actors stand elsewhere, and get new ids.
            face = Face(Box(actor * 200, 0, 100, 100), track_id=seq // SCENE_FRAMES * 3 + actor)
            raw = scores_for(emotion, 0.9)
            steadied = smoother.steady(face.track_id, raw, seq / FPS)
            faces.append(ScoredFace(face, steadied.scores, raw, steadied.emotion))
        result.append(observation(*faces, seq=seq, captured_at=seq / FPS))
    return result


@pytest.fixture(scope="module")
def seen() -> list[Observation]:
    return frames(0.3)


@pytest.mark.parametrize(
    ("rule", "is_true", "for_seconds"),
    [
        ("all happy for 500ms", lambda faces: all(face == "happy" for face in faces), 0.5),
        ("any happy for 500ms", lambda faces: "happy" in faces, 0.5),
        ("any sad for 500ms", lambda faces: "sad" in faces, 0.5),
        ("any fear > 0.6", lambda faces: "fear" in faces, 0.0),
        ("faces >= 3", lambda faces: len(faces) >= 3, 0.0),
        ("faces == 2 and not any happy for 1s", lambda faces: len(faces) == 2 and "happy" not in faces, 1.0),
        ("somebody for 500ms", lambda faces: bool(faces), 0.5),
        ("nobody", lambda faces: not faces, 0.0),
    ],
)
def test_none_is_missed_and_none_doubled_in_ten_thousand_frames(
    seen: list[Observation], rule: str, is_true: Callable[[Sequence[str]], bool], for_seconds: float
) -> None:
    rules = RuleSet([bind(parse_rule(rule), FER_LABELS)], FER_LABELS)
    events = [event.observation.seq for frame in seen for event in rules.see(frame)]
    expected = stretches(is_true, TEN_THOUSAND)
    assert check(events, expected, for_seconds) == ([], [])
    assert len(events) <= len(expected)
