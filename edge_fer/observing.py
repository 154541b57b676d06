"""One frame in, one observation out: find the faces, cut them out, read them, steady what was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_fer.faces.crop import crop_faces, whole_to_batch
from edge_fer.inference.decoding import ScoresNotFinite
from edge_fer.picture import Picture
from edge_fer.types import Box, Face, Observation, ScoredFace, Timings
from edge_fer.views import AS_FOUND, crop_views, mean_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.faces.tracking import FaceFollower
    from edge_fer.inference.smoothing import ScoreSmoother
    from edge_fer.protocols import Classifier, Clock, FaceDetector
    from edge_fer.reading import ReadingSchedule
    from edge_fer.types import Batch, Frame, Scores
    from edge_fer.views import View


MOST_CROP_BYTES = 32 << 20
"""Of crops that wait for a call of the engine: one takes 9 KB for a small model, 600 KB for one of 224 pixels."""


def observe(
    frame: Frame,
    detector: FaceDetector,
    classifier: Classifier,
    clock: Clock,
    views: Sequence[View] = AS_FOUND,
) -> Observation:
    """Find and read all faces of a frame; the clock is only for the timings.

    Raises:
        ModelError: the engine failed.
        ValueError: the picture is neither uint8 BGR nor grey.
    """
    return observe_all([frame], detector, classifier, clock, views)[0]


def observe_all(
    frames: Sequence[Frame],
    detector: FaceDetector,
    classifier: Classifier,
    clock: Clock,
    views: Sequence[View] = AS_FOUND,
) -> list[Observation]:
    """Find the faces of frames that have nothing in common, and read all of them in few calls of the engine.

    The time of those calls is shared out among the frames by their numbers of faces.

    Args:
        frames: any number.
        detector: finds the faces of each.
        classifier: reads them.
        clock: only for the timings.
        views: how each face is cut out; its scores are the mean over them.

    Raises:
        ModelError: the engine failed.
        ValueError: a picture is neither uint8 BGR nor grey.
    """
    spec, found = classifier.input_spec, []
    scores: list[Scores | None] = []
    waiting: list[Batch] = []
    seconds = 0.0

    def read_waiting() -> float:
        began = clock.monotonic()
        if waiting:
            scores.extend(mean_scores(classify_finite(classifier, np.concatenate(waiting)), len(views)))
            waiting.clear()
        return clock.monotonic() - began

    for frame in frames:
        start = clock.monotonic()
        picture = Picture(frame.image)
        faces = detector.detect(picture)
        detected = clock.monotonic()
        if faces:
            waiting.append(crop_views(picture.for_crops(spec.colour), faces, spec, views))
        found.append((frame, faces, start, detected, clock.monotonic()))
        if sum(crops.nbytes for crops in waiting) > MOST_CROP_BYTES:
            seconds += read_waiting()
    seconds += read_waiting()
    seconds_each = seconds / max(1, sum(len(faces) for _, faces, *_ in found))
    observations, read = [], iter(scores)
    for frame, faces, begun, detected, cropped in found:
        pairs = [(face, next(read)) for face in faces]
        scored = tuple(ScoredFace(face, one, one, one.top) for face, one in pairs if one is not None)
        end = cropped + seconds_each * len(faces)
        observations.append(_observation(frame, scored, begun, detected, end, len(faces) - len(scored)))
    return observations


def observe_next(
    frame: Frame,
    follower: FaceFollower,
    classifier: Classifier,
    smoother: ScoreSmoother,
    clock: Clock,
    schedule: ReadingSchedule | None = None,
) -> Observation:
    """Find the faces of a frame that follows the last one, and read those that are due.

    A face that is steadied is read mirrored every second time: its mean is then that of the face and its mirror image,
    at no cost.

    Args:
        frame: the next one.
        follower: finds its faces.
        classifier: reads them, all that are due in one call.
        smoother: steadies the scores of each id.
        clock: only for the timings.
        schedule: says which faces are read; None reads all.

    Raises:
        ModelError: the engine failed.
        ValueError: the picture is neither uint8 BGR nor grey.
    """
    spec = classifier.input_spec
    start = clock.monotonic()
    followed = follower.follow(frame)
    detected = clock.monotonic()
    faces, at = followed.faces, frame.captured_at
    due = [True] * len(faces) if schedule is None else schedule.choose(faces, at)
    latest = [None if read else smoother.latest(face.track_id) for face, read in zip(faces, due, strict=True)]
    to_read = [face for face, known in zip(faces, latest, strict=True) if known is None]
    scores: Sequence[Scores | None] = ()
    if to_read:
        crops = crop_faces(followed.picture.for_crops(spec.colour), to_read, spec)
        for crop, face in zip(crops, to_read, strict=True):
            if smoother.mirrors_next(face.track_id):
                crop[:] = crop[:, ::-1]
        scores = classify_finite(classifier, crops)
    raw_of = iter(scores)
    scored: list[ScoredFace] = []
    for face, known in zip(faces, latest, strict=True):
        if known is not None:
            scored.append(ScoredFace(face, known.scores, None, known.emotion))
        elif (raw := next(raw_of)) is not None:
            scored.append(_steadied(face, raw, smoother, at))
            if schedule is not None:
                schedule.note(face, raw, scored[-1].emotion, at)
    return _observation(frame, tuple(scored), start, detected, clock.monotonic(), len(faces) - len(scored))


def classify_finite(classifier: Classifier, crops: Batch) -> Sequence[Scores | None]:
    """Score all crops of a frame; None for those that the model gives NaN or infinite scores.

    Raises:
        ModelError: the engine failed, or gave values that are no scores.
    """
    try:
        return classifier.classify(crops)
    except ScoresNotFinite as error:
        return error.scores


def _steadied(face: Face, raw: Scores, smoother: ScoreSmoother, at: float) -> ScoredFace:
    shown = smoother.steady(face.track_id, raw, at)
    return ScoredFace(face, shown.scores, raw, shown.emotion)


def observe_whole(frame: Frame, classifier: Classifier, clock: Clock) -> Observation:
    """Read the whole picture as one face that is already cropped, as in FER-2013.

    Raises:
        ModelError: the engine failed.
        ValueError: the picture is neither uint8 BGR nor grey.
    """
    start = clock.monotonic()
    scores = classify_finite(classifier, whole_to_batch([frame.image], classifier.input_spec))
    box = Box(0, 0, frame.width, frame.height)
    scored = tuple(ScoredFace(Face(box), one, one, one.top) for one in scores if one is not None)
    return _observation(frame, scored, start, start, clock.monotonic(), len(scores) - len(scored))


def _observation(
    frame: Frame, faces: tuple[ScoredFace, ...], start: float, detected: float, end: float, unscored: int
) -> Observation:
    timings = Timings((detected - start) * 1e3, (end - detected) * 1e3, (end - start) * 1e3)
    return Observation(
        frame.seq,
        frame.captured_at,
        frame.wall_time,
        frame.source,
        frame.width,
        frame.height,
        faces,
        timings,
        unscored,
        frame.position,
    )
