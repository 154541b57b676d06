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
from edge_fer_train.fit import CHECKPOINT, Start, TrainingResult, train
from edge_fer_train.mixing import LinearHead
from edge_fer_train.teachers import softmax

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_fer.evaluation.labelled import LabelledFaces
    from edge_fer_train.checkpoint import Progress
    from edge_fer_train.data import NamedFaces
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
    others: Sequence[NamedFaces] = (),
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
        others: as for `fit.train`.
        report: called after each step; the epochs of the finishes are counted on from those of the run.

    Returns:
        The average and its figures; the progress is that of the run, with the finishes' time and history added.

    Raises:
        ConfigError: the settings do not fit the data, or there is nothing to resume.
        EdgeFerError: the training diverged, or the disk is full.
    """
    run = train(settings, training, validation, folder, resume=resume, teachers=teachers, others=others, report=report)
    if not settings.finishes:
        return run
    parts, start = [run], Start(run.model.get_weights(), run.votes_head)
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
            others=others,
            report=_counting_on(parts, report),
        )
        parts.append(part)
    return _averaged(parts, settings, validation, others)


def _counting_on(earlier: Sequence[TrainingResult], report: Report) -> Report:
    behind, before = _epochs(earlier), _history(earlier)

    def counted(progress: Progress, step: int, steps: int, figures: dict[str, float]) -> None:
        own = [{**one, "epoch": one["epoch"] + behind} for one in progress.history]
        best = progress.best_epoch + behind
        counted_on = dataclasses.replace(
            progress, epoch=progress.epoch + behind, best_epoch=best, history=[*before, *own]
        )
        report(counted_on, step, steps, figures)

    return counted


def _epochs(parts: Sequence[TrainingResult]) -> int:
    return sum(part.progress.epoch for part in parts)


def _history(parts: Sequence[TrainingResult]) -> list[dict[str, float]]:
    return [
        {**figures, "epoch": figures["epoch"] + _epochs(parts[:number])}
        for number, part in enumerate(parts)
        for figures in part.progress.history
    ]


def _averaged(
    parts: Sequence[TrainingResult],
    settings: TrainingSettings,
    validation: LabelledFaces,
    others: Sequence[NamedFaces],
) -> TrainingResult:
    model, clean = parts[0].model, parts[0].without_copies
    # Batch norm's statistics are averaged too: the parts are near enough to each other for that.
    weights = zip(*(part.model.get_weights() for part in parts), strict=True)
    model.set_weights([np.mean(twins, axis=0) for twins in weights])
    heads = [part.votes_head for part in parts if part.votes_head is not None]
    head = None
    if heads:
        kernel, bias = (np.mean([getattr(one, key) for one in heads], axis=0) for key in ("kernel", "bias"))
        head = LinearHead(np.asarray(kernel, np.float32), np.asarray(bias, np.float32))

    def answers(faces: LabelledFaces) -> NDArray[np.float64]:
        inputs = whole_to_batch(list(faces.images), settings.input_spec())
        return softmax(model.predict(inputs, batch_size=256, verbose=0))

    probabilities, on_others = answers(validation), tuple(answers(one.faces) for one in others)
    found = [accuracy(probabilities[clean], validation.labels[clean])]
    found += [accuracy(said, one.faces.labels) for said, one in zip(on_others, others, strict=True)]
    progress = dataclasses.replace(
        parts[0].progress,
        best_accuracy=float(np.mean(found)),
        seconds=sum(part.progress.seconds for part in parts),
        history=_history(parts),
    )
    return TrainingResult(model, progress, probabilities, clean, head, on_others)
