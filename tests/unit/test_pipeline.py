from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_fer.errors import ModelError, SinkError, SourceLost, SourceTimeout
from edge_fer.faces.tracking import EachFrame
from edge_fer.observing import observe_whole
from edge_fer.pipeline import Pipeline, RunLimits
from edge_fer.sinks.runner import Filling, SinkFinished, run_sink, run_view_sink
from edge_fer.types import Box, Frame, Image, InputSpec
from tests.fakes import Collector, EndlessSource, FakeClassifier, FakeClock, FakeDetector, FakeSource, Gate, picture
from tests.logs import logged

if TYPE_CHECKING:
    from collections.abc import Callable

BOX = Box(4, 4, 24, 24)


class Parts:
    """A pipeline of fakes with one sink, and the fakes at hand."""

    def __init__(
        self,
        source: FakeSource,
        *,
        detector: FakeDetector | None = None,
        classifier: FakeClassifier | None = None,
        limits: RunLimits | None = None,
        before: Callable[[int], None] = lambda number: None,
        step_seconds: float = 0.001,
        truth: Callable | None = None,
    ) -> None:
        self.source, self.clock, self.stop = source, FakeClock(step_seconds), threading.Event()
        self.detector, self.classifier = detector or FakeDetector(BOX), classifier or FakeClassifier()
        self.sink, self.view_sink = Collector(before), Collector()
        filling = Filling.DROP_OLDEST if source.info.live else Filling.WAIT
        self.pipeline = Pipeline(
            source,
            EachFrame(self.detector),
            self.classifier,
            [run_sink("sink", self.sink, filling, self.clock)],
            self.clock,
            view_sinks=[run_view_sink("view", self.view_sink, filling, self.clock)],
            limits=limits,
            truth=truth,
        )


def pictures(count: int) -> list[Image | Exception]:
    return [picture(seed=seed) for seed in range(count)]


def test_every_frame_of_a_file_reaches_every_sink_in_order() -> None:
    parts = Parts(FakeSource(pictures(50)))
    report = parts.pipeline.run(parts.stop)
    assert [seen.seq for seen in parts.sink.items] == list(range(50))
    assert [view.observation.seq for view in parts.view_sink.items] == list(range(50))
    assert (report.ending, report.tally.frames, report.tally.faces) == ("source", 50, 50)
    assert (report.dropped, report.failures) == ({}, {})
    assert report.seconds > 0
    assert (parts.source.closed, parts.sink.closed, parts.view_sink.closed) == (1, 1, 1)


def test_a_step_finds_and_reads_all_faces_in_one_call() -> None:
    boxes = [BOX, Box(30, 10, 20, 20), Box(40, 20, 10, 10)]
    parts = Parts(FakeSource([]), detector=FakeDetector(*boxes))
    seen = parts.pipeline.step(Frame(picture(), 5, 1.5, 2.5, "here"))
    assert [face.face.box for face in seen.faces] == boxes
    assert [face.emotion for face in seen.faces] == ["happy"] * 3
    assert [batch.shape for batch in parts.classifier.batches] == [(3, 48, 48, 1)]
    assert parts.detector.seen == [(48, 64)]
    assert (seen.seq, seen.captured_at, seen.wall_time, seen.source, seen.width, seen.height) == (
        5,
        1.5,
        2.5,
        "here",
        64,
        48,
    )
    assert seen.timings.detect_ms == pytest.approx(1.0)
    assert seen.timings.total_ms == pytest.approx(seen.timings.detect_ms + seen.timings.classify_ms)


def test_a_frame_without_a_face_does_not_wake_the_engine() -> None:
    parts = Parts(FakeSource([]), detector=FakeDetector())
    assert parts.pipeline.step(Frame(picture(), 0, 0.0, 0.0, "x")).faces == ()
    assert parts.classifier.batches == []


def test_a_colour_model_gets_colours() -> None:
    spec = InputSpec(24, 24, "bgr", (0.0,), (1.0,))
    parts = Parts(FakeSource([]), classifier=FakeClassifier(spec=spec))
    image = picture()
    parts.pipeline.step(Frame(image, 0, 0.0, 0.0, "x"))
    np.testing.assert_array_equal(parts.classifier.batches[0][0], image[4:28, 4:28])


def test_a_whole_picture_is_one_face() -> None:
    seen = observe_whole(Frame(picture(10, 20), 0, 0.0, 0.0, "x"), FakeClassifier("sad"), FakeClock())
    [face] = seen.faces
    assert (face.face.box, face.emotion) == (Box(0, 0, 10, 20), "sad")


def test_a_run_ends_at_its_number_of_frames() -> None:
    parts = Parts(EndlessSource(picture()), limits=RunLimits(max_frames=7))
    report = parts.pipeline.run(parts.stop)
    assert (report.ending, report.tally.frames) == ("limit", 7)


def test_a_run_ends_at_its_duration() -> None:
    parts = Parts(EndlessSource(picture()), limits=RunLimits(duration_seconds=2.0), step_seconds=0.1)
    assert parts.pipeline.run(parts.stop).ending == "limit"
    assert parts.clock.now < 110


def test_a_duration_ends_a_run_whose_source_gives_nothing() -> None:
    parts = Parts(EndlessSource(None), limits=RunLimits(duration_seconds=2.0), step_seconds=0.1)
    report = parts.pipeline.run(parts.stop)
    assert (report.ending, report.tally.frames, report.seconds) == ("limit", 0, 0.0)


def test_time_outs_are_waited_out() -> None:
    parts = Parts(FakeSource([picture(), SourceTimeout("wait"), picture()]))
    assert parts.pipeline.run(parts.stop).tally.frames == 2


def test_a_source_that_stays_silent_counts_as_lost() -> None:
    parts = Parts(EndlessSource(None), limits=RunLimits(stall_seconds=15.0), step_seconds=1.0)
    with pytest.raises(SourceLost, match=r"fake gave no frame for 1\d s"):
        parts.pipeline.run(parts.stop)
    assert parts.source.closed == 1
    assert parts.sink.closed == 1


@pytest.mark.parametrize("error", [SourceLost("unplugged"), ModelError("scores are not finite")])
def test_when_a_part_fails_the_others_are_closed(error: Exception) -> None:
    broken = isinstance(error, ModelError)
    source = FakeSource([picture(), picture() if broken else error])
    parts = Parts(source, classifier=FakeClassifier(error=error if broken else None))
    with pytest.raises(type(error)):
        parts.pipeline.run(parts.stop)
    assert (source.closed, parts.sink.closed, parts.view_sink.closed) == (1, 1, 1)


def test_a_stop_ends_the_run() -> None:
    parts = Parts(EndlessSource(picture()), before=lambda number: parts.stop.set() if number == 3 else None)
    report = parts.pipeline.run(parts.stop)
    assert report.ending == "stop"
    assert parts.source.closed == 1


def test_a_sink_that_has_enough_ends_the_run() -> None:
    def leave(number: int) -> None:
        raise SinkFinished("", ends_run=True)

    parts = Parts(EndlessSource(picture()), before=leave)
    with logged() as lines:
        report = parts.pipeline.run(parts.stop)
    assert (report.ending, report.failures, lines) == ("sink", {}, [])


def test_a_sink_that_finishes_for_itself_does_not_end_the_run() -> None:
    def leave(number: int) -> None:
        raise SinkFinished("no screen", ends_run=False)

    parts = Parts(FakeSource(pictures(20)), before=leave)
    with logged() as lines:
        report = parts.pipeline.run(parts.stop)
    assert (report.ending, report.tally.frames, len(parts.view_sink.items)) == ("source", 20, 20)
    assert lines == ["no screen"]


def test_a_broken_sink_is_counted_and_the_others_get_everything() -> None:
    def fail(number: int) -> None:
        raise SinkError("disk full")

    parts = Parts(FakeSource(pictures(20)), before=fail)
    with logged() as lines:
        report = parts.pipeline.run(parts.stop)
    assert report.failures == {"sink": 20}
    assert len(parts.view_sink.items) == 20
    assert lines == ["sink: disk full"]


def test_sinks_finish_while_a_source_that_is_stuck_is_being_closed() -> None:
    finished_first: list[bool] = []

    class StuckSource(EndlessSource):
        def close(self) -> None:
            super().close()
            finished_first.append(all(runner.wait(10.0) for runner in runners))

    parts = Parts(StuckSource(picture()), before=lambda number: parts.stop.set() if number == 3 else None)
    runners = parts.pipeline._runners()
    parts.pipeline.run(parts.stop)
    assert finished_first == [True]


def test_a_sink_that_hangs_does_not_stop_a_live_source_nor_the_end() -> None:
    gate = Gate()
    parts = Parts(EndlessSource(picture()), before=gate, limits=RunLimits(max_frames=500), step_seconds=0.05)
    threading.Timer(0.5, parts.stop.set).start()
    report = parts.pipeline.run(parts.stop)
    gate.open()
    assert report.tally.frames == 500
    assert report.dropped["sink"] >= 400


def test_a_source_that_knows_the_truth_is_checked_against_it() -> None:
    class Known:
        box, emotion = BOX, "sad"

    parts = Parts(FakeSource(pictures(4)), truth=lambda seq: [Known()])
    report = parts.pipeline.run(parts.stop)
    assert report.truth is not None
    assert (report.truth.expected, report.truth.found, report.truth.right) == (4, 4, 0)


def test_closing_twice_is_harmless() -> None:
    parts = Parts(FakeSource([]))
    parts.pipeline.close()
    parts.pipeline.close()
    assert parts.classifier.closed >= 1


def test_each_observation_is_noted_in_the_loop_and_services_end_with_the_pipeline() -> None:
    noted, service = list[int](), Collector()
    pipeline = Pipeline(
        FakeSource(pictures(5)),
        EachFrame(FakeDetector(BOX)),
        FakeClassifier(),
        [],
        FakeClock(0.001),
        note=lambda observation: noted.append(observation.seq),
        services=[service],
    )
    pipeline.run(threading.Event())
    assert (noted, service.closed) == ([0, 1, 2, 3, 4], 0)
    pipeline.close()
    assert service.closed == 1
