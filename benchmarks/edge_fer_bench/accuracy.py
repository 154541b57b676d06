"""How well each format reads labelled faces, and what it loses against the fp32 file of the same model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge_fer.errors import ConfigError
from edge_fer.evaluation.predicting import true_labels
from edge_fer.evaluation.summary import measure
from edge_fer_bench.result import Accuracy, Estimate
from edge_fer_bench.statistics import loss_estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edge_fer.evaluation.labelled import LabelledFaces
    from edge_fer.evaluation.metrics import Floats, Labels
    from edge_fer_bench.result import Row
    from edge_fer_bench.session import Samples


def with_accuracy(rows: Sequence[Row], samples: Sequence[Samples], faces: LabelledFaces, data_set: str) -> list[Row]:
    """The rows with their accuracy; a model that does not know the labels of the data gets that as its problem."""
    figures: dict[str, Accuracy] = {}
    right: dict[str, NDArray[np.bool_]] = {}
    problems: dict[str, str] = {}
    for mine in samples:
        if mine.probabilities is None or mine.manifest is None:
            continue
        name = mine.format.path.name
        try:
            truth = true_labels(faces, mine.manifest.labels, data_set, name)
        except ConfigError as error:
            problems[name] = str(error)
            continue
        right[name] = mine.probabilities.argmax(axis=1) == truth
        figures[name] = _accuracy(mine.probabilities, truth, mine.manifest.labels)
    result = []
    for row in rows:
        found = figures.get(row.file)
        reference = _reference(row, rows, right)
        if found is not None and reference not in (None, row.file):
            loss = loss_estimate(right[row.file], right[str(reference)])
            found = replace(found, loss=loss, reference=reference)
        result.append(replace(row, accuracy=found, problem=row.problem or problems.get(row.file)))
    return result


def _reference(row: Row, rows: Sequence[Row], judged: Mapping[str, object]) -> str | None:
    """The fp32 file of the same model, that of the same engine first."""
    floats = [one for one in rows if one.recipe == "fp32" and one.model == row.model and one.file in judged]
    return min(floats, key=lambda one: one.engine != row.engine).file if floats else None


def _accuracy(found: Floats, truth: Labels, labels: Sequence[str]) -> Accuracy:
    figures = measure(found, truth, labels)
    return Accuracy(
        pictures=figures.pictures,
        accuracy=Estimate(figures.accuracy, *figures.accuracy_interval),
        macro_f1=figures.macro_f1,
        calibration_error=figures.calibration_error,
        classes=figures.classes,
        confusion=figures.confusion,
    )
