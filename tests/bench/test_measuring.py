"""The clock around the runtime's own code, with the runtime's own parts and a clock that is given what to say."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from edge_fer_bench.measuring import STALL_SECONDS, demo_faces, run_film, time_calls

from edge_fer.build import RunSettings, Streams, build_pipeline
from edge_fer.errors import SourceTimeout
from edge_fer.faces.tracking import EachFrame
from edge_fer.pipeline import Pipeline
from edge_fer.types import Box
from tests.fakes import EndlessSource, FakeClassifier, FakeClock, FakeDetector, FakeSource, picture

if TYPE_CHECKING:
    from pathlib import Path


def test_calls_are_as_many_as_asked_for_and_as_long() -> None:
    faces = demo_faces(every=60)
    few = time_calls(FakeClassifier(), faces, 1, 7, 0.0, FakeClock(0.001).monotonic)
    assert len(few) == 7
    assert few == pytest.approx(np.ones(7))
    # Each call looks at the clock three times: 30 ms are ten calls.
    assert len(time_calls(FakeClassifier(), faces, 1, 0, 0.03, FakeClock(0.001).monotonic)) == 10


@pytest.mark.parametrize("batch", [1, 4])
def test_a_call_reads_as_many_faces_as_asked_for(batch: int) -> None:
    classifier = FakeClassifier()
    time_calls(classifier, demo_faces(every=60), batch, 5, 0.0)
    assert {crops.shape[0] for crops in classifier.batches} == {batch}
    assert len({crops.tobytes() for crops in classifier.batches}) > 1  # pictures take turns


def test_a_film_ends_by_itself_or_after_so_many_frames() -> None:
    for most, frames in ((100, 6), (4, 4)):
        pipeline = Pipeline(
            FakeSource([picture(seed=n) for n in range(6)]),
            EachFrame(FakeDetector(Box(2, 2, 40, 40))),
            FakeClassifier(),
            [],
            FakeClock(),
        )
        turn = run_film(pipeline, most)
        assert (turn.frames, turn.faces) == (frames, frames)


def test_a_film_that_stalls_is_given_up() -> None:
    pipeline = Pipeline(EndlessSource(None), EachFrame(FakeDetector()), FakeClassifier(), [], FakeClock())
    clock = FakeClock(1.0)
    with pytest.raises(SourceTimeout):
        run_film(pipeline, 10, clock.monotonic)
    assert clock.now < 100.0 + 3 * STALL_SECONDS


@pytest.mark.parametrize("film", ["demo", "folder"])
def test_stages_explain_the_frame(film: str, tiny_model: Path, tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    if film == "folder":
        for number in range(20):
            cv2.imwrite(str(tmp_path / f"{number:02}.png"), picture(320, 240, seed=number))
        film = str(tmp_path)
    # A machine that is busy elsewhere may stop a turn between two stages: the best of a few shows what the code does.
    explained = [explained_by_stages(film, tiny_model) for _ in range(4)]
    assert all(one <= 1.0 for one in explained)
    assert max(explained) >= 0.95


def explained_by_stages(film: str, model: Path) -> float:
    """Share of the time of a turn that reading, detecting and classifying make up."""
    streams = Streams(io.BytesIO(), io.StringIO())
    pipeline = build_pipeline(RunSettings(source=film, model=model), streams)
    try:
        turn = run_film(pipeline, 60)
    finally:
        pipeline.close()
    assert turn.frames >= 20
    return (turn.read_seconds + turn.detect_seconds + turn.classify_seconds) / turn.wall_seconds
