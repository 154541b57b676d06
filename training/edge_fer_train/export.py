"""The trained model as files: `NAME.keras`, and the manifest that says what it expects and what it is worth."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.atomic_files import write_atomically
from edge_fer.errors import EdgeFerError
from edge_fer.inference.manifest import AccuracyEntry, Manifest, Prior, write_manifest

if TYPE_CHECKING:
    import keras

    from edge_fer_train.results import RunResults


def write_keras_model(model: keras.Model, folder: Path, results: RunResults, licence: str | None) -> Path:
    """Write the model and its manifest whole; return the model's path.

    Raises:
        EdgeFerError: the disk is full or may not be written to.
    """
    path = folder / f"{results.name}.keras"
    try:
        with tempfile.TemporaryDirectory() as aside:
            made = Path(aside) / "model.keras"
            model.save(made)
            write_atomically(path, made.read_bytes())
    except OSError as error:
        raise EdgeFerError(f"cannot write {path}: {error.strerror}; make room and go on with --resume") from error
    write_manifest(path, manifest_of(results, licence))
    return path


def manifest_of(results: RunResults, licence: str | None) -> Manifest:
    """What the runtime and the converter need to know of the model."""
    split = results.validation.split
    parts = ((split, results.official), (f"{split} without copies", results.without_copies))
    return Manifest(
        name=results.name,
        format="keras",
        recipe="fp32",
        labels=results.label_names,
        input=results.settings.input_spec(),
        output_kind="logits",
        temperature=results.temperature,
        licence=licence,
        parameters=results.parameters,
        multiply_adds=results.multiply_adds,
        accuracy=tuple(
            AccuracyEntry(
                data_set=results.validation.data_set,
                split=name,
                accuracy=round(figures.accuracy, 6),
                pictures=figures.pictures,
                macro_f1=round(figures.macro_f1, 6),
            )
            for name, figures in parts
        )
        + tuple(
            AccuracyEntry(
                data_set=one.name,
                split="all",
                accuracy=round(one.figures.accuracy, 6),
                pictures=one.figures.pictures,
                macro_f1=round(one.figures.macro_f1, 6),
            )
            for one in results.others
        ),
        prior=Prior(
            shares=results.last_layer.shares.labels,
            correction=results.last_layer.mixture.prior_correction,
            votes_mix=results.last_layer.mixture.votes_mix,
        ),
        produced_by=results.produced_by,
    )
