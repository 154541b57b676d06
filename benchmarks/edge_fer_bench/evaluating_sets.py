"""One model on several sets of labelled faces: a row for each."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_fer.errors import ConfigError
from edge_fer.evaluation.datasets import has_split, load_dataset
from edge_fer.evaluation.labelled import ordered_votes
from edge_fer.evaluation.metrics import votes_agreement
from edge_fer.evaluation.predicting import true_labels
from edge_fer.evaluation.priors import class_shares, corrected, parse_shares
from edge_fer_bench.table import aligned

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge_fer.evaluation.labelled import LabelledFaces
    from edge_fer.evaluation.metrics import Floats
    from edge_fer.inference.manifest import Manifest
    from edge_fer.types import Image
    from edge_fer_bench.evaluating import Evaluation
    from edge_fer_bench.reading import Reader


@dataclass(frozen=True, slots=True)
class PriorOptions:
    """A prior correction to try on a finished model."""

    correction: float
    """Strength, 0.0 to 1.0."""
    shares: str | None = None
    """The classes' counts or shares in training, divided by commas; None looks for them."""
    data: Path | None = None
    """Data whose training split has the classes' counts, where nobody else says them."""


def training_shares(options: PriorOptions, manifest: Manifest) -> tuple[float, ...]:
    """The shares of the model's classes in training: as given, else of its manifest, else of a training split.

    Raises:
        ConfigError: nobody says them, or they do not fit the model.
        SourceError: the data cannot be read.
    """
    if options.shares is not None:
        return parse_shares(options.shares, manifest.labels)
    if manifest.prior is not None:
        return manifest.prior.shares
    if options.data is not None and options.data.exists() and has_split(options.data, "train"):
        faces = load_dataset(options.data, "train")
        return class_shares(true_labels(faces, manifest.labels, options.data.name, manifest.name), len(manifest.labels))
    raise ConfigError(
        f"the model {manifest.name} does not say how often each class occurred in training: give their counts with "
        f"--prior, in the order {','.join(manifest.labels)}"
    )


def with_prior_corrected(reader: Reader, options: PriorOptions) -> Reader:
    """The reader of a model as if the correction were folded into its last layer.

    Raises:
        ConfigError: nobody says how often the classes occurred in training.
        SourceError: the data cannot be read.
    """
    manifest = reader.manifest
    shares = training_shares(options, manifest)
    # The scores of probabilities and of logits alike had their logarithm divided by the temperature.
    temperature = manifest.temperature

    def read(pictures: Sequence[Image]) -> Floats:
        return corrected(reader.read(pictures), shares, options.correction, temperature)

    said = f"scores are divided by the classes' shares in training to the power of {options.correction:g}"
    return dataclasses.replace(reader, read=read, guesses=(*reader.guesses, said))


def agreement_of(probabilities: Floats, faces: LabelledFaces, labels: Sequence[str]) -> tuple[float | None, int]:
    """Share of the pictures on which the model says what most of FER+'s annotators do, and how many these are.

    None where the faces have no votes for the model's labels.
    """
    votes = ordered_votes(faces, labels)
    if votes is None:
        return None, 0
    share, pictures = votes_agreement(probabilities, votes)
    return (share if np.isfinite(share) else None), pictures


def sets_table(evaluations: Sequence[Evaluation]) -> str:
    """A row for each set, for a terminal, and their mean."""
    first = evaluations[0]
    rows = [
        [
            one.data_set,
            f"{one.figures.pictures:,}",
            f"{one.figures.accuracy:.2%}",
            f"{one.figures.macro_f1:.3f}",
            f"{one.figures.calibration_error:.3f}",
            "-" if one.votes_agreement is None else f"{one.votes_agreement:.2%}",
        ]
        for one in evaluations
    ]
    figures = [one.figures for one in evaluations]
    rows.append(
        [
            "mean over sets",
            "",
            f"{np.mean([one.accuracy for one in figures]):.2%}",
            f"{np.mean([one.macro_f1 for one in figures]):.3f}",
            f"{np.mean([one.calibration_error for one in figures]):.3f}",
            "",
        ]
    )
    header = ["set", "faces", "accuracy", "macro-F1", "calibration error", "FER+ agreement"]
    return "\n".join([f"{first.file} ({first.engine}):", *(line.rstrip() for line in aligned(header, rows, left=1))])
