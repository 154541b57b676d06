"""The camera loop as it is here, and the plain one that it is measured against."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import cv2
from edge_fer_bench.measuring import Turn
from tracking_metrics import shown_by

from edge_fer.detectors import FaceSettings, build_tracker
from edge_fer.faces.crop import crop_faces
from edge_fer.faces.haar import bundled_cascade
from edge_fer.faces.tracking_settings import PRESETS
from edge_fer.inference.smoothing import ScoreSmoother
from edge_fer.observing import observe_next
from edge_fer.picture import in_colour
from edge_fer.pipeline import Pipeline
from edge_fer.reading import ReadingSchedule
from edge_fer.settings import FollowingOptions
from edge_fer.sinks.runner import SystemClock
from edge_fer.types import Box

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tracking_metrics import Shown

    from edge_fer.faces.tracking import FaceTracker
    from edge_fer.protocols import Classifier, FrameSource
    from edge_fer.settings import Preset
    from edge_fer.sinks.runner import SinkRunner
    from edge_fer.types import Frame, Observation

Look: TypeAlias = "Callable[[Frame], list[Shown]]"
"""What a loop does with a frame."""

SMOOTHING_SECONDS = FollowingOptions().smoothing


def plain_loop(classifier: Classifier) -> Look:
    """What one writes first: OpenCV's frontal cascade over the whole frame at scale factor 1.1 with 5 neighbours, one
    engine call a face, nothing kept from frame to frame."""
    cascade = cv2.CascadeClassifier(str(bundled_cascade()))

    def look(frame: Frame) -> list[Shown]:
        grey = in_colour(frame.image, "grey")
        seen: list[Shown] = []
        for found in cascade.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=5, minSize=(30, 30)):
            box = Box(*map(int, found))
            # A model that takes colours gets them from the frame.
            pixels = grey if classifier.input_spec.colour == "grey" else frame.image
            scores = classifier.classify(crop_faces(pixels, [box], classifier.input_spec))
            seen.append((box, scores[0].top, None))
        return seen

    return look


def follower(preset: Preset, detector: str = "auto") -> FaceTracker:
    """The tracker of `edge-fer run` with the values of a preset."""
    return build_tracker(FaceSettings.of_preset(preset, detector))


def following(classifier: Classifier, preset: Preset, detector: str = "auto") -> Look:
    """edge-fer's own step with the values of a preset and a detector by its name."""
    tracker, smoother, clock = follower(preset, detector), ScoreSmoother(SMOOTHING_SECONDS), SystemClock()
    schedule = ReadingSchedule(PRESETS[preset].read_every)
    return lambda frame: shown_by(observe_next(frame, tracker, classifier, smoother, clock, schedule))


def pipeline_of(source: FrameSource, classifier: Classifier, runner: SinkRunner[Observation]) -> Pipeline:
    """The parts of `edge-fer run` with one sink."""
    smoother = ScoreSmoother(SMOOTHING_SECONDS)
    return Pipeline(
        source,
        follower("balanced"),
        classifier,
        [runner],
        SystemClock(),
        smoother=smoother,
        schedule=ReadingSchedule(PRESETS["balanced"].read_every),
    )


@dataclass(frozen=True, slots=True)
class Rivalry:
    """Both loops on the same film in turns, frame by frame."""

    following: Turn
    plain: Turn
    """Over fewer frames: nothing that it does depends on the frames before."""
    shown: tuple[list[Shown], ...]
    """By the following loop in each frame."""
    plain_shown: dict[int, list[Shown]]
    """By the plain loop, by the place of the frame."""


def rivalry(
    follow: Look,
    plain: Look,
    frames: Iterable[Frame],
    plain_every: int,
    clock: Callable[[], float] = time.perf_counter,
    cpu_clock: Callable[[], float] = time.process_time,
) -> Rivalry:
    """Run both over a film; only what they do with a frame is timed.

    Args:
        follow: sees every frame.
        plain: sees one of so many.
        frames: the film.
        plain_every: how many are one of so many, from 1 up.
        clock: seconds.
        cpu_clock: seconds of processor time, all threads together.

    Raises:
        ModelError: the engine failed.
    """
    sums = {follow: (0.0, 0.0), plain: (0.0, 0.0)}
    shown: list[list[Shown]] = []
    plain_shown: dict[int, list[Shown]] = {}

    def timed(look: Look, frame: Frame) -> list[Shown]:
        began_cpu, began = cpu_clock(), clock()
        seen = look(frame)
        taken, taken_cpu = clock() - began, cpu_clock() - began_cpu
        wall, cpu = sums[look]
        sums[look] = wall + taken, cpu + taken_cpu
        return seen

    for number, frame in enumerate(frames):
        shown.append(timed(follow, frame))
        if number % plain_every == 0:
            plain_shown[number] = timed(plain, frame)

    def turn(look: Look, seen: Iterable[list[Shown]]) -> Turn:
        counts = [len(one) for one in seen]
        wall, cpu = sums[look]
        return Turn(len(counts), sum(counts), wall, cpu, 0.0, 0.0, 0.0)

    return Rivalry(turn(follow, shown), turn(plain, plain_shown.values()), tuple(shown), plain_shown)
