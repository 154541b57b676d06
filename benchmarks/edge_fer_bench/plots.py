"""Pictures of what a model is worth and how it was trained: the same for a training, an evaluation and a benchmark.

Every function returns a matplotlib figure and keeps no state; `png` turns it into bytes.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from edge_fer.evaluation.metrics import roc_curve
from edge_fer_bench.chart_style import COLOURS, FAINT, INK, colour_of, legend_below, new_chart, png, tidy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from edge_fer.evaluation.metrics import Calibration, ClassFigures, Floats, Labels

__all__ = [
    "class_chart",
    "confusion_chart",
    "contact_sheet",
    "curves_chart",
    "distribution_chart",
    "mistakes_sheet",
    "png",
    "reliability_chart",
    "roc_chart",
]

WORST_MISTAKES = 40


def confusion_chart(confusion: Labels, label_names: Sequence[str], title: str = "Confusion matrix") -> Figure:
    """Counts by true class (rows) and predicted class (columns), coloured by the share of the row."""
    side = 2.6 + 0.62 * len(label_names)
    figure, axes = new_chart(side + 0.7, side, title)
    totals = confusion.sum(axis=1, keepdims=True)
    shares = np.divide(confusion, totals, out=np.zeros(confusion.shape), where=totals > 0)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in itertools.product(range(len(confusion)), repeat=2):
        share = shares[row, column]
        colour = "white" if share > 0.55 else INK
        axes.text(column, row, f"{share:.0%}", ha="center", va="bottom", color=colour, fontsize=9)
        axes.text(column, row + 0.07, f"{confusion[row, column]}", ha="center", va="top", color=colour, fontsize=6.5)
    axes.set_xticks(range(len(label_names)), label_names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(label_names)), label_names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, format=PercentFormatter(1, decimals=0))
    bar.set_label("share of the true class", fontsize=9, color=INK)
    bar.ax.tick_params(labelsize=8, color=FAINT, labelcolor=INK)
    bar.outline.set_visible(False)
    return figure


def class_chart(classes: Sequence[ClassFigures], title: str = "Precision, recall and F1 of each class") -> Figure:
    """Three bars a class, with the number of its pictures."""
    figure, axes = new_chart(1.6 + 1.0 * len(classes), 3.9, title)
    places = np.arange(len(classes))
    for number, name in enumerate(("precision", "recall", "f1")):
        values = [getattr(one, name) for one in classes]
        label = "F1" if name == "f1" else name
        bars = axes.bar(places + (number - 1) * 0.26, values, 0.24, color=COLOURS[number], label=label)
        axes.bar_label(bars, [f"{value:.2f}" for value in values], fontsize=6.5, padding=1)
    axes.set_xticks(places, [f"{one.label}\n{one.support}" for one in classes])
    axes.set_ylim(0, 1.08)
    axes.set_yticks(np.arange(0, 1.01, 0.2))
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.tick_params(axis="x", length=0)
    legend_below(axes, ncols=3)
    return figure


def roc_chart(
    probabilities: Floats, labels: Labels, label_names: Sequence[str], title: str = "ROC, each class against the rest"
) -> Figure:
    """A curve for each class that occurs, with the area under it."""
    figure, axes = new_chart(6.2, 5.2, title)
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle="--")
    for number, name in enumerate(label_names):
        false_rate, true_rate, area = roc_curve(probabilities[:, number], labels == number)
        if np.isfinite(area):
            axes.plot(false_rate, true_rate, color=colour_of(number), linewidth=1.5, label=f"{name}  {area:.3f}")
    axes.set_xlabel("false positive rate")
    axes.set_ylabel("true positive rate")
    axes.set_aspect("equal")
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.grid(color=FAINT, linewidth=0.6)
    if len(axes.lines) > 1:
        axes.legend(title="area under the curve", loc="lower right", frameon=False, fontsize=8, title_fontsize=8)
    return figure


def reliability_chart(curves: Mapping[str, Calibration], title: str = "Reliability: what scores mean") -> Figure:
    """How often the model was right by what it claimed, and how many pictures stand behind each point.

    Args:
        curves: calibration by the name to show, such as "as trained" and "temperature 1.2".
        title: above the chart.
    """
    figure = Figure(figsize=(5.4, 5.6), layout="constrained")
    axes, counts = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    figure.suptitle(title, fontsize=11, color=INK, fontweight="bold")
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle="--")
    width = 0.8 / max(1, len(curves))
    for number, (name, curve) in enumerate(curves.items()):
        full = curve.count > 0
        label = f"{name}  (ECE {curve.expected_error:.3f})"
        axes.plot(
            curve.confidence[full], curve.accuracy[full], "o-", color=colour_of(number), markersize=4, label=label
        )
        bins = len(curve.count)
        middles = (np.arange(bins) + 0.5 + (number - (len(curves) - 1) / 2) * width) / bins
        counts.bar(middles, curve.count, width / bins, color=colour_of(number))
    axes.set_ylabel("share that was right")
    counts.set_ylabel("pictures")
    counts.set_xlabel("highest score")
    for one in (axes, counts):
        tidy(one)
        one.grid(color=FAINT, linewidth=0.6)
        one.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.legend(loc="upper left", frameon=False, fontsize=8)
    return figure


def distribution_chart(counts: Mapping[str, Mapping[str, int]], title: str = "Pictures of each class") -> Figure:
    """Bars of class sizes, a panel for each split.

    Args:
        counts: number of pictures by class, by split.
        title: above the chart.
    """
    classes = len(next(iter(counts.values())))
    figure = Figure(figsize=(1.2 + 3.6 * len(counts), 0.9 + 0.34 * classes), layout="constrained")
    figure.suptitle(title, fontsize=11, color=INK, fontweight="bold")
    panels = figure.subplots(1, len(counts), squeeze=False, sharey=True)[0]
    for axes, (split, of_class) in zip(panels, counts.items(), strict=True):
        total = max(1, sum(of_class.values()))
        names, sizes = list(of_class), list(of_class.values())
        bars = axes.barh(names, sizes, color=[colour_of(number) for number in range(len(names))], height=0.72)
        axes.bar_label(bars, [f"{size:,}  {size / total:.1%}" for size in sizes], padding=3, fontsize=7.5)
        axes.set_xlim(0, max(sizes) * 1.32)
        axes.set_title(f"{split}, {total:,} pictures", fontsize=9, color=INK)
        tidy(axes)
        axes.spines["bottom"].set_visible(False)
        axes.set_xticks([])
        axes.tick_params(axis="y", length=0)
    panels[0].invert_yaxis()
    return figure


def curves_chart(
    history: Sequence[Mapping[str, float]], best_epoch: int, title: str = "Training, epoch by epoch"
) -> Figure:
    """Loss and accuracy over the epochs, the chosen epoch marked.

    Args:
        history: figures of each epoch, as the training keeps them; a figure that an epoch lacks is left out.
        best_epoch: the epoch that was kept, from 0.
        title: above the chart.
    """
    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    figure.suptitle(title, fontsize=11, color=INK, fontweight="bold")
    losses, shares = figure.subplots(1, 2)
    _curve(losses, history, "loss", "training (all heads, smoothed labels)", COLOURS[0])
    _curve(losses, history, "validation_loss", "validation (averaged weights)", COLOURS[1])
    losses.set_ylabel("loss")
    _curve(shares, history, "training_accuracy", "training (changed pictures)", COLOURS[0])
    _curve(shares, history, "validation_accuracy", "validation (averaged weights)", COLOURS[1])
    _curve(shares, history, "validation_accuracy_without_copies", "validation without copies", COLOURS[2])
    shares.set_ylabel("accuracy")
    shares.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    for axes in (losses, shares):
        tidy(axes)
        axes.axvline(best_epoch + 1, color=INK, linewidth=0.8, linestyle=":", label=f"kept: epoch {best_epoch + 1}")
        axes.set_xlabel("epoch")
        axes.grid(color=FAINT, linewidth=0.6)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False, fontsize=7.5)
    return figure


def contact_sheet(images: Sequence[NDArray[np.uint8]], captions: Sequence[str], title: str, columns: int = 8) -> Figure:
    """Small pictures in rows with a caption under each.

    Args:
        images: grey uint8 [height, width] each.
        captions: one for each picture; may have two lines.
        title: above the sheet.
        columns: pictures in a row.
    """
    rows = max(1, -(-len(images) // columns))
    figure = Figure(figsize=(1.25 * columns, 0.5 + 1.62 * rows), layout="constrained")
    figure.suptitle(title, fontsize=11, color=INK, fontweight="bold")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, image, caption in zip(panels, images, captions, strict=False):
        axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.text(0.5, -0.05, caption, transform=axes.transAxes, ha="center", va="top", fontsize=7, color=INK)
    return figure


def mistakes_sheet(
    images: NDArray[np.uint8], probabilities: Floats, labels: Labels, label_names: Sequence[str]
) -> Figure:
    """The pictures whose label the model denies most surely, up to `WORST_MISTAKES` of them.

    Args:
        images: grey uint8 [N, height, width].
        probabilities: float [N, classes].
        labels: int [N].
        label_names: one for each class.
    """
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    wrong = wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:WORST_MISTAKES]
    captions = [f"{label_names[labels[i]]}\n→ {label_names[predicted[i]]} {probabilities[i].max():.0%}" for i in wrong]
    title = "Surest mistakes: label → prediction" if len(wrong) else "No mistakes"
    return contact_sheet([images[i] for i in wrong], captions, title)


def _curve(axes: Axes, history: Sequence[Mapping[str, float]], key: str, label: str, colour: str) -> None:
    points = [(one["epoch"] + 1, one[key]) for one in history if key in one]
    # A curve of one or two points is not to be seen without marks.
    if points:
        marker = "o" if len(points) < 3 else ""
        axes.plot(*zip(*points, strict=True), marker=marker, color=colour, linewidth=1.5, label=label)
