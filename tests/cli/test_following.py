from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
import pytest

from edge_fer.cli.options import settings_options
from edge_fer.cli.run_settings import following_settings
from edge_fer.detectors import FaceSettings
from edge_fer.faces.tracking_settings import PRESETS
from edge_fer.settings import DetectorOptions, FollowingOptions, chosen
from tests.programs import run_edge_fer

if TYPE_CHECKING:
    from pathlib import Path


def faces_of(*arguments: str) -> FaceSettings:
    @click.command()
    @settings_options(FollowingOptions, DetectorOptions)
    def command(**values: Any) -> FaceSettings:
        return following_settings(chosen(FollowingOptions, values), chosen(DetectorOptions, values))

    faces: FaceSettings = command.main(list(arguments), standalone_mode=False)
    return faces


def test_without_options_the_settings_are_the_defaults() -> None:
    assert faces_of() == FaceSettings()


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_preset_sets_everything_that_is_not_given(preset: str) -> None:
    faces = faces_of("--preset", preset, "--min-face-px", "77")
    values, tracking = PRESETS[preset], faces.tracking  # type: ignore[index]
    assert faces.search.min_face_px == 77
    assert (faces.search.detect_width, faces.search.scale_factor) == (None, values.scale_factor)
    assert (tracking.detect_every, tracking.look_every) == (values.detect_every, values.look_every)


def test_options_reach_both_search_and_following() -> None:
    faces = faces_of("--detect-every", "2", "--max-faces", "3", "--forget-seconds", "5", "--idle-fps", "0")
    tracking = faces.tracking
    assert (faces.search.max_faces, tracking.max_faces) == (3, 3)
    # With nobody in sight the search is never rarer than with somebody.
    assert (tracking.detect_every, tracking.search_every) == (2, 2)
    assert (tracking.forget_seconds, tracking.idle_fps) == (5.0, 0.0)


def test_lines_carry_ids_and_both_kinds_of_scores_and_come_out_the_same_twice(tiny_model: Path) -> None:
    def lines(*more: str) -> list[dict[str, Any]]:
        words = ["run", "demo", "--json", "--max-frames", "40", "--model", tiny_model, *more]
        done = run_edge_fer(*words, check=True)
        records = [json.loads(line) for line in done.stdout.splitlines()]
        return [{name: value for name, value in record.items() if name not in ("time", "ms")} for record in records]

    first = lines()
    assert first == lines()
    faces = [face for record in first for face in record["faces"]]
    assert {face["id"] for face in faces} == {1}
    assert any(face["raw"] != face["scores"] for face in faces if "raw" in face)
    assert all(face["raw"] == face["scores"] for record in lines("--smoothing", "0") for face in record["faces"])
