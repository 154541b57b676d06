"""The folder of a finished run: pictures, tables, the model card and one page with everything."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np
from edge_fer_bench import plots
from edge_fer_bench.evaluating import class_cells
from edge_fer_bench.page import page_of_figures

from edge_fer.atomic_files import write_atomically
from edge_fer.errors import EdgeFerError
from edge_fer.evaluation.metrics import calibration, sharpen
from edge_fer.html_page import html_picture, html_table, html_text
from edge_fer_train.model_card import model_card, settings_table
from edge_fer_train.results import results_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.figure import Figure

    from edge_fer.evaluation.summary import ModelFigures
    from edge_fer_train.checkpoint import Progress
    from edge_fer_train.data import TrainingData
    from edge_fer_train.fit import TrainingResult
    from edge_fer_train.results import RunResults


def write_report(
    folder: Path, results: RunResults, data: TrainingData, result: TrainingResult, licence: str | None
) -> Path:
    """Write everything but the model itself into the folder; return the page's path."""
    write_atomically(folder / "history.csv", history_csv(result.progress).encode())
    write_atomically(folder / "figures.json", results_json(results).encode())
    write_atomically(folder / "MODEL_CARD.md", model_card(results, licence).encode())
    pictures = {name: plots.png(figure) for name, figure in draw(results, data, result).items()}
    for name, content in pictures.items():
        write_atomically(folder / f"{name}.png", content)
    page = folder / "report.html"
    write_atomically(page, report_page(results, pictures).encode())
    return page


def write_curves(folder: Path, progress: Progress) -> None:
    """Write the table and the curves of the epochs so far.

    Raises:
        EdgeFerError: the disk is full or may not be written to.
    """
    try:
        write_atomically(folder / "history.csv", history_csv(progress).encode())
        write_atomically(folder / "curves.png", plots.png(plots.curves_chart(progress.history, progress.best_epoch)))
    except OSError as error:
        raise EdgeFerError(f"cannot write to {folder}: {error.strerror}; make room and go on with --resume") from error


def draw(results: RunResults, data: TrainingData, result: TrainingResult) -> dict[str, Figure]:
    """The pictures of a run by the name of their file."""
    names, labels, probabilities = results.label_names, data.validation.labels, result.probabilities
    split = results.validation.split
    calibrated = sharpen(probabilities, results.temperature)
    curves = {
        "as trained": calibration(probabilities, labels),
        f"temperature {results.temperature:.2f}": calibration(calibrated, labels),
    }
    counts = {
        f"training ({results.training.split})": results.training.counts,
        f"validation ({split})": results.validation.counts,
    }
    return {
        "curves": plots.curves_chart(result.progress.history, result.progress.best_epoch),
        "confusion_matrix": plots.confusion_chart(
            np.array(results.official.confusion, np.int64), names, f"Confusion matrix, {split}"
        ),
        "classes": plots.class_chart(results.official.classes, f"Precision, recall and F1 of each class, {split}"),
        "roc": plots.roc_chart(probabilities, labels, names, f"ROC, each class against the rest, {split}"),
        "reliability": plots.reliability_chart(curves, f"Reliability: what scores mean, {split}"),
        "class_distribution": plots.distribution_chart(counts),
        "worst_mistakes": plots.mistakes_sheet(data.validation.images, calibrated, labels, names),
    }


def other_sets(results: RunResults) -> tuple[list[str], list[list[str]]]:
    """The further validation sets as a heading and cells."""
    rows = [
        [
            one.name,
            f"{one.figures.pictures:,}",
            f"{one.figures.accuracy:.2%}",
            f"{one.figures.macro_f1:.3f}",
            f"{one.calibration_error:.3f}",
        ]
        for one in results.others
    ]
    return ["also chosen by", "pictures", "accuracy", "macro-F1", "calibration error"], rows


def history_csv(progress: Progress) -> str:
    """The figures of each epoch as csv, epochs counted from 1; what an epoch lacks is left empty."""
    columns: list[str] = []
    for figures in progress.history:
        columns += [name for name in figures if name not in columns]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    for figures in progress.history:
        writer.writerow(
            {**{name: f"{value:.6g}" for name, value in figures.items()}, "epoch": int(figures["epoch"]) + 1}
        )
    return buffer.getvalue()


def report_page(results: RunResults, pictures: dict[str, bytes]) -> str:
    """One HTML page that needs nothing beside it."""
    split = results.validation.split
    headline: list[tuple[str, Callable[[ModelFigures], str]]] = [
        ("accuracy", lambda one: f"{one.accuracy:.2%}"),
        ("95 % interval", lambda one: f"{one.accuracy_interval[0]:.1%} to {one.accuracy_interval[1]:.1%}"),
        ("macro-F1", lambda one: f"{one.macro_f1:.3f}"),
        ("log loss", lambda one: f"{one.log_loss:.3f}"),
        ("calibration error as trained", lambda one: f"{one.calibration_error:.3f}"),
        ("pictures", lambda one: f"{one.pictures:,}"),
    ]
    both = (results.official, results.without_copies)
    rows = [[name, *(show(one) for one in both)] for name, show in headline]
    facts = [
        ["architecture", results.settings.arch],
        ["recipe", results.recipe],
        ["parameters", f"{results.parameters:,}"],
        ["multiply-adds a face", f"{results.multiply_adds:,}"],
        ["training data", f"{results.training.data_set}, {results.training.split}, {results.training.pictures:,}"],
        ["validation data", f"{results.validation.data_set}, {split}, {results.validation.pictures:,}"],
        ["teachers", ", ".join(results.teachers) or "none"],
        ["weights kept", results.kept],
        ["training time", f"{results.training_seconds / 3600:.2f} hours on {results.backend}"],
        ["votes' head in the last layer", f"{results.last_layer.mixture.votes_mix:.0%}"],
        ["prior correction in the last layer", f"{results.last_layer.mixture.prior_correction:g}"],
        ["temperature", f"{results.temperature:g}"],
        ["calibration error, temperature fitted on the other half", f"{results.crossed_calibration_error:.3f}"],
    ]
    body = [
        html_text("h1", results.name),
        f"<p>{results.copies:,} of the {results.official.pictures:,} validation pictures have an exact or near copy "
        "among the training pictures. The epoch and the temperature were chosen on these pictures.</p>",
        html_table(["", split, f"{split} without copies"], rows),
        *([html_table(*other_sets(results))] if results.others else []),
        html_table(*class_cells(results.official, "pictures")),
        *(html_picture(name, content) for name, content in pictures.items()),
        "<h2>The run</h2>",
        html_table([], facts),
        "<details><summary>All settings</summary>",
        html_table([], [list(pair) for pair in settings_table(results.settings)]),
        "</details>",
        html_text("p", "The surest mistakes show pictures of your data: mind whom you give this page to.", "soft"),
    ]
    return page_of_figures(results.name, body)
