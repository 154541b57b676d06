"""The folder of an evaluation: figures as JSON, and with matplotlib the pictures and one page with everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_fer.atomic_files import write_atomically
from edge_fer.errors import EdgeFerError
from edge_fer.evaluation.metrics import calibration
from edge_fer.html_page import html_picture, html_table, html_text
from edge_fer_bench.evaluating import class_cells, evaluation_json, remarks, robustness_cells
from edge_fer_bench.page import can_draw, page_of_figures

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

    from edge_fer.evaluation.labelled import LabelledFaces
    from edge_fer_bench.evaluating import Answers, Evaluation


def write_evaluation(folder: Path, evaluation: Evaluation, answers: Answers, faces: LabelledFaces) -> bool:
    """Write evaluation.json and, where matplotlib is installed, report.html and its pictures; whether it was.

    Raises:
        EdgeFerError: the folder cannot be written to.
    """
    try:
        write_atomically(folder / "evaluation.json", evaluation_json(evaluation).encode())
        if not can_draw():
            return False
        from edge_fer_bench import plots

        pictures = {name: plots.png(figure) for name, figure in draw(evaluation, answers, faces).items()}
        for name, content in pictures.items():
            write_atomically(folder / f"{name}.png", content)
        write_atomically(folder / "report.html", evaluation_page(evaluation, pictures).encode())
    except OSError as error:
        raise EdgeFerError(f"cannot write to {folder}: {error.strerror}; choose another folder with --out") from None
    return True


def draw(evaluation: Evaluation, answers: Answers, faces: LabelledFaces) -> dict[str, Figure]:
    """The pictures of an evaluation by the name of their file."""
    from edge_fer_bench import plots, speed_plots

    names, figures = evaluation.labels, evaluation.figures
    probabilities, truth = answers.probabilities, answers.truth
    drawn = {
        "confusion_matrix": plots.confusion_chart(np.array(figures.confusion, np.int64), names),
        "classes": plots.class_chart(figures.classes),
        "roc": plots.roc_chart(probabilities, truth, names),
        "reliability": plots.reliability_chart({evaluation.file: calibration(probabilities, truth)}),
        "worst_mistakes": plots.mistakes_sheet(faces.images, probabilities, truth, names),
    }
    if evaluation.robustness:
        shares = {"clean": figures.accuracy, **{one.name: one.accuracy for one in evaluation.robustness}}
        drawn["robustness"] = speed_plots.shares_chart(shares, "Accuracy on spoilt pictures")
    return drawn


def evaluation_page(evaluation: Evaluation, pictures: dict[str, bytes]) -> str:
    """One page that needs nothing beside it."""
    figures = evaluation.figures
    low, high = figures.accuracy_interval
    facts = [
        ["data", evaluation.data_set],
        ["faces", f"{figures.pictures:,}"],
        ["accuracy", f"{figures.accuracy:.2%} (95 %: {low:.1%} to {high:.1%})"],
        ["macro-F1", f"{figures.macro_f1:.3f}"],
        ["log loss", f"{figures.log_loss:.3f}"],
        ["calibration error", f"{figures.calibration_error:.3f}"],
        ["model", evaluation.model],
        ["engine", evaluation.engine],
        ["recipe", evaluation.recipe],
        ["SHA-256", evaluation.sha256 or "-"],
    ]
    parts = [
        html_text("h1", evaluation.file),
        *(html_text("p", remark[0].upper() + remark[1:], "doubt") for remark in remarks(evaluation)),
        html_table([], facts),
        html_table(*class_cells(evaluation.figures, "faces")),
    ]
    if evaluation.robustness:
        parts += [html_text("h2", "Robustness"), html_table(*robustness_cells(evaluation))]
    parts += [html_picture(name, content) for name, content in pictures.items()]
    parts.append(html_text("p", "The surest mistakes show pictures of your data: mind whom you give this to.", "soft"))
    return page_of_figures(evaluation.file, parts)
