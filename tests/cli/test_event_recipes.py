"""The recipes of docs/events.md with the demo in the place of the camera: events where the truth says, and no more."""

from __future__ import annotations

import json
import re
import shlex
import stat
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from edge_fer.cli import main
from tests.conftest import REPOSITORY
from tests.demo_truth import check, stretches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

PAGE = REPOSITORY / "docs/events.md"

TRUTH: dict[str, tuple[Callable[[Sequence[str]], bool], float]] = {
    "smile": (lambda faces: bool(faces) and all(face == "happy" for face in faces), 0.5),
    "warm": (lambda faces: "happy" in faces, 0.5),
    "cold": (lambda faces: "sad" in faces, 0.5),
    "greet": (lambda faces: bool(faces), 0.5),
    "A": (lambda faces: "angry" in faces, 0.5),
    "B": (lambda faces: "surprise" in faces, 0.5),
}
"""By the name of a rule: when its condition is true, and for how long it must be."""


def recipes() -> list[list[str]]:
    """The words of each command below the heading."""
    text = PAGE.read_text().split("## Recipes")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [shlex.split(line)[1:] for block in blocks for line in block.splitlines()]


class Stage:
    """A folder in which a recipe is run, and a program in the place of those that it starts."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.events = folder, folder / "events.jsonl"
        self.started = folder / "started"
        self._program = folder / "program"
        self._program.write_text(f'#!/bin/sh\necho "$EVENT_NAME $EVENT_SEQ" >> {shlex.quote(str(self.started))}\n')
        self._program.chmod(stat.S_IRWXU)

    def words(self, recipe: Sequence[str]) -> list[str]:
        """The recipe with the demo for a camera, and with places of this folder."""
        result = ["run", "demo", "--headless"]
        left = list(recipe[1:])
        while left:
            word = left.pop(0)
            if word == "--camera" or word == "--events":
                left.pop(0)
            elif word.startswith("command:"):
                result.append(f"command:{shlex.quote(str(self._program))}")
            elif word.startswith("snapshot:"):
                result.append(f"snapshot:{self.folder / 'photos'}")
            else:
                result.append(word)
        return [*result, "--events", str(self.events)]

    def by_name(self) -> dict[str, list[int]]:
        """The frames of the events of each rule."""
        found: dict[str, list[int]] = {}
        for line in self.events.read_text().splitlines():
            record = json.loads(line)
            found.setdefault(record["event"], []).append(record["seq"])
        return found


@pytest.mark.parametrize(
    "recipe", [one for one in recipes() if "visitor" not in str(one)], ids=lambda one: one[-1][:20]
)
def test_each_rule_fires_where_the_truth_says_and_nowhere_else(recipe: list[str], tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    assert main.exit_code(stage.words(recipe)) == 0
    events = stage.by_name()
    names = {word.partition(":")[0] for before, word in pairwise(recipe) if before == "--on"}
    assert set(events) == names
    for name, frames in events.items():
        is_true, for_seconds = TRUTH[name]
        missed, too_many = check(frames, stretches(is_true), for_seconds)
        assert (missed, too_many) == ([], []), name
    if any(word.startswith("command:") for word in recipe):
        started = sorted((frame, name) for name, frames in events.items() for frame in frames)
        assert stage.started.read_text().splitlines() == [f"{name} {frame}" for frame, name in started]
    if any(word.startswith("snapshot:") for word in recipe):
        assert len(list((tmp_path / "photos").glob("smile-*.jpg"))) == len(events["smile"])


def test_each_visitor_who_stays_is_counted_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (recipe,) = (one for one in recipes() if "visitor" in str(one))
    stage = Stage(tmp_path)
    assert main.exit_code([*stage.words(recipe), "--json"]) == 0
    seen: dict[int, list[int]] = {}
    for line in capfd.readouterr().out.splitlines():
        record = json.loads(line)
        for face in record["faces"]:
            seen.setdefault(face["id"], []).append(record["seq"])
    counted = [json.loads(line)["face"]["id"] for line in stage.events.read_text().splitlines()]
    # The demo has three actors.
    assert sorted(counted) == sorted(number for number, frames in seen.items() if len(frames) >= 40)
    assert len(counted) == 3


def test_blinded_events_give_away_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (recipe,) = (one for one in recipes() if "blind" in str(one))
    stage = Stage(tmp_path)
    assert main.exit_code([*stage.words(recipe), "--max-frames", "150"]) == 0
    written = stage.events.read_text()
    assert set(stage.by_name()) == {"A", "B"}
    output, errors = capfd.readouterr()
    for word in ("angry", "surprise", "score", "rule"):
        assert word not in written + output + errors
