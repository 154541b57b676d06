"""What a model is worth on labelled faces, and how much of it is left when the pictures are spoilt."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer.escaping import for_json
from edge_fer.evaluation.disturbances import DISTURBANCES, disturbed
from edge_fer.evaluation.metrics import accuracy, calibration, confusion_matrix, macro_f1
from edge_fer.evaluation.predicting import true_labels
from edge_fer.evaluation.summary import ModelFigures, measure
from edge_fer_bench.evaluating_sets import agreement_of
from edge_fer_bench.statistics import Estimate, loss_estimate
from edge_fer_bench.table import RECIPE_WORDS, aligned

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_fer.evaluation.labelled import LabelledFaces
    from edge_fer.evaluation.metrics import Floats, Labels
    from edge_fer.types import InputSpec
    from edge_fer_bench.reading import Reader

SCHEMA = "edge-fer-evaluation/1"


@dataclass(frozen=True, slots=True)
class Robustness:
    """What is left of a model's accuracy under one disturbance."""

    name: str
    strength: str
    accuracy: float
    macro_f1: float
    loss: Estimate
    """Share of right answers that clean pictures have more, with its interval over the same pictures."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Pictures on which the model was about as sure, and how often it was right on them."""

    confidence: float
    """Mean of the highest scores, 0.0 to 1.0."""
    accuracy: float
    pictures: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All figures of one model on one set of labelled faces."""

    schema: str
    file: str
    model: str
    engine: str
    recipe: str
    sha256: str | None
    data_set: str
    """Name of the data and its split, without its folder."""
    labels: tuple[str, ...]
    """In the order of the model's outputs."""
    figures: ModelFigures
    reliability: tuple[ReliabilityBin, ...] = ()
    """By rising confidence; bins without a picture are left out."""
    robustness: tuple[Robustness, ...] = ()
    guesses: tuple[str, ...] = ()
    """What was assumed of the model, one sentence each."""
    measured: tuple[str, ...] = ()
    """What nobody said of the model and was measured on these faces, one sentence each."""
    notes: tuple[str, ...] = ()
    """What to know of the model, one sentence each."""
    output_kind: str = ""
    """What its outputs are: probabilities, logits or sigmoids."""
    input: InputSpec | None = None
    """What pixels became."""
    votes_agreement: float | None = None
    """Share of the pictures with a clear majority of FER+ votes for one of the labels on which the model says the
    same; None without votes."""
    voted_pictures: int = 0
    """How many pictures those are."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the model said, for the pictures of a report."""

    probabilities: Floats
    """float [N, labels]."""
    truth: Labels
    """int [N], positions in the model's labels."""


def evaluate(
    reader: Reader, faces: LabelledFaces, data_name: str, *, robustness: bool, say: Callable[[int, int, str], None]
) -> tuple[Evaluation, Answers]:
    """Read all faces, and once more under each disturbance where that is asked for.

    Raises:
        ConfigError: the data has a class that the model does not know.
        ModelError: the model fails.
    """
    manifest = reader.manifest
    truth = true_labels(faces, manifest.labels, data_name, reader.file)
    steps = 1 + (len(DISTURBANCES) if robustness else 0)
    try:
        say(0, steps, f"{len(faces)} faces of {data_name}")
        probabilities = reader.read(list(faces.images))
        right = probabilities.argmax(axis=1) == truth
        spoilt = []
        for number, one in enumerate(DISTURBANCES if robustness else (), start=1):
            say(number, steps, one.name)
            found = reader.read(disturbed(faces.images, one))
            loss = loss_estimate(found.argmax(axis=1) == truth, right)
            share = accuracy(found, truth), macro_f1(confusion_matrix(found, truth))
            spoilt.append(Robustness(one.name, one.strength, *share, loss))
    finally:
        say(steps, steps, "")
    agreement, voted = agreement_of(probabilities, faces, manifest.labels)
    evaluation = Evaluation(
        schema=SCHEMA,
        file=reader.file,
        model=manifest.name,
        engine=reader.engine,
        recipe=manifest.recipe,
        sha256=manifest.sha256,
        data_set=f"{data_name} ({faces.split})" if faces.split else data_name,
        labels=manifest.labels,
        figures=measure(probabilities, truth, manifest.labels),
        reliability=reliability_bins(probabilities, truth),
        robustness=tuple(spoilt),
        guesses=reader.guesses,
        measured=reader.measured,
        notes=reader.notes,
        output_kind=manifest.output_kind,
        input=manifest.input,
        votes_agreement=agreement,
        voted_pictures=voted,
    )
    return evaluation, Answers(probabilities, truth)


def reliability_bins(probabilities: Floats, truth: Labels) -> tuple[ReliabilityBin, ...]:
    """The reliability curve over 15 bins of equal width: probabilities float [N, labels], truth int [N]."""
    curve = calibration(probabilities, truth)
    return tuple(
        ReliabilityBin(float(confidence), float(share), int(count))
        for confidence, share, count in zip(curve.confidence, curve.accuracy, curve.count, strict=True)
        if count
    )


def evaluation_json(evaluation: Evaluation) -> str:
    """The evaluation as JSON; a figure that does not exist, such as the ROC area of an absent class, is null."""
    record = _plain(dataclasses.asdict(evaluation))
    return for_json(json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)) + "\n"


def evaluations_json(evaluations: Sequence[Evaluation]) -> str:
    """Several evaluations as a JSON array."""
    values = [_plain(dataclasses.asdict(one)) for one in evaluations]
    return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False)


def evaluation_table(evaluation: Evaluation) -> str:
    """The evaluation for a terminal."""
    figures = evaluation.figures
    low, high = figures.accuracy_interval
    recipe = RECIPE_WORDS.get(evaluation.recipe, evaluation.recipe)
    lines = [
        f"{evaluation.file} ({evaluation.engine}, {recipe}) on {figures.pictures:,} faces of {evaluation.data_set}:",
        f"accuracy {figures.accuracy:.2%} (95 %: {low:.1%} to {high:.1%}), macro-F1 {figures.macro_f1:.3f}, "
        f"log loss {figures.log_loss:.3f}, calibration error {figures.calibration_error:.3f}",
        *remarks(evaluation),
        *_agreement_line(evaluation),
        "",
        *class_lines(evaluation),
        "",
        "Confusion matrix, true classes down, predicted ones across:",
        *_confusion(evaluation),
    ]
    if evaluation.robustness:
        lines += ["", "Robustness:", *robustness_lines(evaluation)]
    return "\n".join(lines)


def remarks(evaluation: Evaluation) -> list[str]:
    """What was assumed and measured, and what to know of the model."""
    return [
        *(f"assumed: {sentence}" for sentence in evaluation.guesses),
        *(f"from the data: {sentence}" for sentence in evaluation.measured),
        *(f"note: {sentence}" for sentence in evaluation.notes),
    ]


def _agreement_line(evaluation: Evaluation) -> list[str]:
    if evaluation.votes_agreement is None:
        return []
    return [
        f"FER+ agreement {evaluation.votes_agreement:.2%} on the {evaluation.voted_pictures:,} faces with a clear "
        "majority of votes for one of the classes"
    ]


def class_lines(evaluation: Evaluation) -> list[str]:
    """Precision, recall, F1 and ROC area of each class."""
    header, rows = class_cells(evaluation.figures, "faces")
    return aligned(header, rows, left=1)


def class_cells(figures: ModelFigures, counted: str) -> tuple[list[str], list[list[str]]]:
    """The same as a heading and cells; `counted` is what the last column calls the pictures."""
    rows = [
        [one.label, f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.f1:.3f}", _area(area), f"{one.support:,}"]
        for one, area in zip(figures.classes, figures.roc_areas, strict=True)
    ]
    return ["class", "precision", "recall", "F1", "ROC area", counted], rows


def robustness_lines(evaluation: Evaluation) -> list[str]:
    """Accuracy under each disturbance against that on clean pictures."""
    header, rows = robustness_cells(evaluation)
    return [line.rstrip() for line in aligned(header, rows, left=2)]


def robustness_cells(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    """The same as a heading and cells."""
    rows = [["clean", "", f"{evaluation.figures.accuracy:.2%}", f"{evaluation.figures.macro_f1:.3f}", ""]]
    for one in evaluation.robustness:
        value, low, high = (-100 * bound for bound in (one.loss.value, one.loss.high, one.loss.low))
        points = f"{value:+.1f} points ({low:+.1f} to {high:+.1f})"
        rows.append([one.name, one.strength, f"{one.accuracy:.2%}", f"{one.macro_f1:.3f}", points])
    return ["faces", "strength", "accuracy", "macro-F1", "against clean"], rows


def _confusion(evaluation: Evaluation) -> list[str]:
    rows = [
        [label, *map(str, counts)]
        for label, counts in zip(evaluation.labels, evaluation.figures.confusion, strict=True)
    ]
    return aligned(["", *evaluation.labels], rows, left=1)


def _area(area: float) -> str:
    return f"{area:.3f}" if np.isfinite(area) else "-"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return value
