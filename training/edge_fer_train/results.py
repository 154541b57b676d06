"""What a finished run came to, as one value: the report, the model card and the manifest are written from it."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer.escaping import for_json
from edge_fer.evaluation.metrics import calibration, crossed_calibration_error, fit_temperature, sharpen
from edge_fer.evaluation.multiply_adds import multiply_adds
from edge_fer.evaluation.summary import ModelFigures, measure
from edge_fer.types import FER_LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.evaluation.metrics import Floats, Labels
    from edge_fer_train.checkpoint import Progress
    from edge_fer_train.data import SplitInfo, TrainingData
    from edge_fer_train.fit import TrainingResult
    from edge_fer_train.last_layer import LastLayer
    from edge_fer_train.settings import TrainingSettings

PRODUCERS = ("edge-fer", "keras", "tensorflow", "jax", "torch", "numpy", "opencv-python-headless")

FER2013_TRAINING_PICTURES = 28709


@dataclass(frozen=True, slots=True)
class SetFigures:
    """What the model is worth on a further validation set."""

    name: str
    figures: ModelFigures
    calibration_error: float
    """With the temperature."""


@dataclass(frozen=True, slots=True)
class RunResults:
    """The figures of a run and all that they depend on."""

    name: str
    recipe: str
    settings: TrainingSettings
    label_names: tuple[str, ...]
    training: SplitInfo
    validation: SplitInfo
    teachers: tuple[str, ...]
    """File names, without their folders."""
    official: ModelFigures
    """On the whole validation split."""
    without_copies: ModelFigures
    """On the validation pictures that have no exact or near copy among the training pictures."""
    others: tuple[SetFigures, ...]
    """On the further validation sets that the epoch was chosen by."""
    last_layer: LastLayer
    """What was folded into the model's last layer."""
    temperature: float
    """Fitted on the whole validation split and the further sets, each counting the same; figures above are without
    it."""
    crossed_calibration_error: float
    """With the temperature fitted on one half of the validation split and measured on the other, both ways."""
    parameters: int
    multiply_adds: int
    epochs: int
    best_epoch: int
    """From 1, as people count; both without the finishes, whose weights are averaged with those of this epoch."""
    training_seconds: float
    backend: str
    produced_by: dict[str, str]

    @property
    def copies(self) -> int:
        """Validation pictures that have a copy among the training pictures."""
        return self.official.pictures - self.without_copies.pictures

    @property
    def kept(self) -> str:
        """Which weights the model has, in words."""
        epoch = f"epoch {self.best_epoch} of {self.epochs}"
        count = len(self.settings.finishes)
        return f"{epoch}, averaged with the best of {count} finish{'es' * (count > 1)}" if count else epoch

    @property
    def is_fer2013(self) -> bool:
        """Whether the training data is FER-2013's Training split, as far as its size and labels show."""
        return self.label_names == FER_LABELS and self.training.pictures == FER2013_TRAINING_PICTURES


def collect_results(
    name: str,
    recipe: str,
    settings: TrainingSettings,
    data: TrainingData,
    teachers: tuple[str, ...],
    result: TrainingResult,
    last_layer: LastLayer,
    backend: str,
) -> RunResults:
    """Measure a finished run."""
    sets = [(result.probabilities, data.validation.labels)]
    sets += [(said, one.faces.labels) for said, one in zip(result.others, data.others, strict=True)]
    temperature = round(_common_temperature(sets), 4)
    names, labels = data.training.label_names, data.validation.labels
    clean = result.without_copies
    progress: Progress = result.progress
    return RunResults(
        name=name,
        recipe=recipe,
        settings=settings,
        label_names=names,
        training=data.training_info,
        validation=data.validation_info,
        teachers=teachers,
        official=measure(result.probabilities, labels, names),
        without_copies=measure(result.probabilities[clean], labels[clean], names),
        others=tuple(
            SetFigures(one.name, measure(said, truth, names), _calibrated_error(said, truth, temperature))
            for one, (said, truth) in zip(data.others, sets[1:], strict=True)
        ),
        last_layer=last_layer,
        temperature=temperature,
        crossed_calibration_error=crossed_calibration_error(result.probabilities, labels),
        parameters=int(result.model.count_params()),
        multiply_adds=multiply_adds(result.model),
        epochs=progress.epoch,
        best_epoch=progress.best_epoch + 1,
        training_seconds=progress.seconds,
        backend=backend,
        produced_by=_versions(backend),
    )


def _common_temperature(sets: Sequence[tuple[Floats, Labels]]) -> float:
    probabilities, labels = np.concatenate([said for said, _ in sets]), np.concatenate([truth for _, truth in sets])
    weights = np.concatenate([np.full(len(truth), 1 / len(truth)) for _, truth in sets])
    return fit_temperature(probabilities, labels, weights)


def _calibrated_error(probabilities: Floats, labels: Labels, temperature: float) -> float:
    return calibration(sharpen(probabilities, temperature), labels).expected_error


def results_json(results: RunResults) -> str:
    """The results as JSON; a figure that does not exist, such as the ROC of an absent class, is null."""
    record = _plain(dataclasses.asdict(results))
    return for_json(json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _versions(backend: str) -> dict[str, str]:
    versions = {}
    for package in PRODUCERS:
        if package in ("tensorflow", "jax", "torch") and package != backend:
            continue
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # such as an OpenCV that came with the system
            continue
    return versions
