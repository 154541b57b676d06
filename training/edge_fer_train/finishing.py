"""A run and its finishes: the same network trained on in several ways, and the average of all their weights.

Fine-tuned copies of one network lie in one valley of the loss, and the mean of their weights often does better than
each alone, at the cost of one (Wortsman et al., "Model soups", arXiv 2203.05482).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from edge_fer.errors import EdgeFerError
from edge_fer.evaluation.metrics import accuracy
from edge_fer.faces.crop import whole_to_batch
from edge_fer_train.fit import CHECKPOINT, TrainingResult, train
from edge_fer_train.teachers import softmax

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge_fer.evaluation.labelled import LabelledFaces
    from edge_fer_train.checkpoint import Progress
    from edge_fer_train.fit import Report
    from edge_fer_train.settings import TrainingSettings
    from edge_fer_train.teachers import TeacherModel


def train_and_finish(
    settings: TrainingSettings,
    training: LabelledFaces,
    validation: LabelledFaces,
    folder: Path,
    *,
    resume: bool = False,
    teachers: Sequence[TeacherModel] = (),
    report: Report = lambda progress, step, steps, figures: None,
) -> TrainingResult:
    """Train as `fit.train` does, then once more for each finish, and average.

    Args:
        settings: of the run; its `finishes` say what follows.
        training: faces to learn from.
        validation: faces to choose each best epoch by; never learnt from.
        folder: where checkpoints are kept, those of the finishes in folders of their own in it; must exist.
        resume: go on from the checkpoints in `folder`.
        teachers: as for `fit.train`.
        report: told after each step; the epochs of the finishes are counted on from those of the run.

    Returns:
        The average and its figures; the progress is that of the run, with the finishes' time and history added.

    Raises:
        ConfigError: the settings do not fit the data, or there is nothing to resume.
        EdgeFerError: the training diverged, or the disk is full.
    """
    run = train(settings, training, validation, folder, resume=resume, teachers=teachers, report=report)
    if not settings.finishes:
        return run
    parts, start = [run], run.model.get_weights()
    for number in range(len(settings.finishes)):
        own = folder / f"finish-{number + 1}"
        try:
            own.mkdir(exist_ok=True)
        except OSError as error:
            raise EdgeFerError(f"cannot write {own}: {error.strerror}; make room and go on with --resume") from error
        part = train(
            settings.finish(number),
            training,
            validation,
            own,
            resume=(own / CHECKPOINT).is_file(),
            teachers=teachers,
            start=start,
            report=_counting_on(parts, report),
        )
        parts.append(part)
    return _averaged(parts, settings, validation)


def _counting_on(earlier: Sequence[TrainingResult], report: Report) -> Report:
    behind = _epochs(earlier)

    def counted(progress: Progress, step: int, steps: int, figures: dict[str, float]) -> None:
        best = progress.best_epoch + behind
        report(dataclasses.replace(progress, epoch=progress.epoch + behind, best_epoch=best), step, steps, figures)

    return counted


def _epochs(parts: Sequence[TrainingResult]) -> int:
    return sum(part.progress.epoch for part in parts)


def _averaged(parts: Sequence[TrainingResult], settings: TrainingSettings, validation: LabelledFaces) -> TrainingResult:
    model, clean = parts[0].model, parts[0].without_copies
    # Batch norm's statistics are averaged too: the parts are near enough to each other for that.
    weights = zip(*(part.model.get_weights() for part in parts), strict=True)
    model.set_weights([np.mean(twins, axis=0) for twins in weights])
    inputs = whole_to_batch(list(validation.images), settings.input_spec())
    probabilities = softmax(model.predict(inputs, batch_size=256, verbose=0))
    progress = dataclasses.replace(
        parts[0].progress,
        best_accuracy=accuracy(probabilities[clean], validation.labels[clean]),
        seconds=sum(part.progress.seconds for part in parts),
        history=[
            {**figures, "epoch": figures["epoch"] + _epochs(parts[:number])}
            for number, part in enumerate(parts)
            for figures in part.progress.history
        ],
    )
    return TrainingResult(model, progress, probabilities, clean)
