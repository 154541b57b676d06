"""What rules cost per frame: cost.py [RULES] [FRAMES].

Rules of all kinds judge frames with 0 to 3 faces, whose scores change from frame to frame, in the thread's own
processor time. Each figure stands beside that of making the frame's JSON line, measured in turn with it, so that a busy
or slow machine can be distinguished from slow rules.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from typing import TYPE_CHECKING

from edge_fer.events.evaluation import RuleSet, bind
from edge_fer.events.rule_text import parse_rule
from edge_fer.sinks.jsonl import json_line
from edge_fer.types import FER_LABELS, Box, Face, Observation, ScoredFace, Scores, Timings

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.events.rule_text import Rule

FPS, EMOTION_SECONDS = 30.0, 2.0
PIECE = 100
"""Frames that are measured before it is the other's turn."""
KINDS = (
    "{label} > {threshold} for 2s",
    "all {label} for 1s",
    "any {label} > {threshold} cooldown 5s",
    "faces >= {number} and any {label}",
    "nobody for {number}s",
    "{label} share > {threshold} over 5m",
    "id changes",
    "{label} for 1s cooldown 10s per face",
    "({label} > {threshold} or surprise) and not sad > 0.5 for 500ms",
    "{label} > {threshold}",
)


def rules(count: int) -> list[Rule]:
    """So many rules, of all kinds in turn, no two alike."""
    made = []
    for number in range(count):
        label = FER_LABELS[number % len(FER_LABELS)]
        text = KINDS[number % len(KINDS)].format(
            label=label, threshold=f"{0.2 + 0.006 * number:.3f}", number=number % 5 + 1
        )
        made.append(bind(parse_rule(text, f"rule-{number}"), FER_LABELS))
    return made


def frames(faces: int, count: int) -> list[Observation]:
    """Frames with so many faces; each keeps an emotion for two seconds, with scores that tremble."""
    source, made = random.Random(faces), []
    for seq in range(count):
        found = []
        for index in range(faces):
            shown = FER_LABELS[(int(seq / FPS / EMOTION_SECONDS) + index) % len(FER_LABELS)]
            best = 0.5 + 0.4 * source.random()
            rest = (1.0 - best) / (len(FER_LABELS) - 1)
            scores = Scores(FER_LABELS, tuple(best if label == shown else rest for label in FER_LABELS))
            found.append(ScoredFace(Face(Box(index * 60, 0, 50, 50), track_id=index + 1), scores, scores, shown))
        made.append(Observation(seq, seq / FPS, 0.0, "made", 640, 480, tuple(found), Timings(0.0, 0.0, 0.0)))
    return made


def seconds_of(work: Callable[[Observation], object], seen: list[Observation]) -> float:
    """Processor time that some frames take."""
    begin = time.thread_time()
    for observation in seen:
        work(observation)
    return time.thread_time() - begin


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    length = int(sys.argv[2]) if len(sys.argv) > 2 else 6000
    made = rules(count)
    print(f"{count} rules, {length} frames; milliseconds of processor time per frame, medians of {PIECE} frames each")
    for faces in range(4):
        rule_set, seen = RuleSet(made, FER_LABELS), frames(faces, length)
        judging, writing = [], []
        for begin in range(0, length, PIECE):
            piece = seen[begin : begin + PIECE]
            judging.append(seconds_of(rule_set.see, piece) / PIECE * 1e3)
            writing.append(seconds_of(json_line, piece) / PIECE * 1e3)
        rule_ms, line_ms = statistics.median(judging), statistics.median(writing)
        print(f"{faces} faces: rules {rule_ms:.4f}, a JSON line {line_ms:.4f}, ratio {rule_ms / line_ms:.2f}")


if __name__ == "__main__":
    main()
