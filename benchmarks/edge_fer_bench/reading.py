"""A model file of any of the three kinds as something that reads pictures."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edge_fer.errors import ConfigError, ModelError
from edge_fer.evaluation.predicting import in_parts
from edge_fer.inference.notes import model_notes
from edge_fer.inference.open_model import bundled_models_named, open_classifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from edge_fer.evaluation.labelled import LabelledFaces
    from edge_fer.evaluation.metrics import Floats
    from edge_fer.inference.manifest import Manifest
    from edge_fer.types import Batch, ColourOrder, Image

TRAINED_SUFFIXES = (".keras", ".h5", ".hdf5")


@dataclass(frozen=True, slots=True)
class Reader:
    """A model that is open."""

    file: str
    """Name of the file, without its folder."""
    engine: str
    """What runs it: `litert`, `onnxruntime`, `keras`, or the name under which another package registers one."""
    manifest: Manifest
    read: Callable[[Sequence[Image]], Floats]
    """Scores of whole pictures, each taken as one face: float [N, labels]."""
    guesses: tuple[str, ...] = ()
    """What nobody said of the model, no data showed and was assumed, one sentence each."""
    measured: tuple[str, ...] = ()
    """What nobody said of the model and the pictures showed, or left undecided, one sentence each."""
    notes: tuple[str, ...] = ()
    """What to know before its scores are read, one sentence each."""


@dataclass(frozen=True, slots=True)
class TrainedOptions:
    """What a user says of a trained model that has no manifest."""

    labels: tuple[str, ...] | None = None
    scale: str | None = None
    colour: ColourOrder | None = None

    @property
    def given(self) -> bool:
        """Whether anything is said."""
        return (self.labels, self.scale, self.colour) != (None, None, None)


@dataclass(frozen=True, slots=True)
class Pictures:
    """Labelled faces on which to measure what a model expects, where nobody says it."""

    faces: LabelledFaces
    name: str
    """Of the data, without its folder."""


@contextlib.contextmanager
def open_reader(
    model: Path,
    threads: int = 1,
    options: TrainedOptions | None = None,
    pictures: Pictures | None = None,
    engine: str = "auto",
) -> Iterator[Reader]:
    """Open a .tflite, .onnx, .keras or .h5 file, or a bundled model by its name.

    Args:
        model: the file or name.
        threads: of the engine.
        options: what the user says of a Keras model.
        pictures: on which label order and scale are measured as `edge-fer convert --check` does, where the model has no
            manifest or its manifest only assumed them.
        engine: what runs it, as for `open_classifier`; a Keras model is run by Keras.

    Raises:
        ModelError: there is no such file, or it is unusable.
        MissingExtra: what runs it is not installed.
        ConfigError: the options do not fit the model, or there is no such engine.
    """
    options = options or TrainedOptions()
    if model.suffix.lower() in TRAINED_SUFFIXES or model.is_dir():
        if engine not in ("auto", "keras"):
            raise ConfigError(f"{model.name} is a trained model, which Keras runs: leave --engine at auto")
        yield _trained(model, options, pictures)
        return
    if options.given:
        raise ConfigError(
            f"{model.name} says itself what it takes: --labels, --scale and --colour are for Keras models"
        )
    named = bundled_models_named(model)
    if not named and not model.suffix:
        raise ModelError(f"{model} is no model: give a .keras, .h5, .onnx or .tflite file, or a bundled model's name")
    classifier = open_classifier(model, engine, threads)

    def run(batch: Batch) -> Floats:
        return np.asarray([one.values for one in classifier.classify(batch)], np.float64)

    try:
        yield _settled(classifier.model.name, classifier.engine, classifier.manifest, run, (), pictures)
    finally:
        classifier.close()


def _settled(
    file: str,
    engine: str,
    manifest: Manifest,
    run: Callable[[Batch], Floats],
    guesses: tuple[str, ...],
    pictures: Pictures | None,
) -> Reader:
    """The reader of a model that takes NHWC and gives scores, after what was only assumed is measured."""
    said: list[str] = []
    known = pictures is not None and _knows_all(manifest, pictures.faces)
    if manifest.assumed and pictures is not None and known:
        from edge_fer_convert.check_data import CheckSet
        from edge_fer_convert.conventions import settled
        from edge_fer_convert.describe import remaining_guesses

        check = CheckSet(pictures.faces, pictures.name, pictures.faces.split)
        manifest, _, said, _ = settled(run, manifest, check)
        guesses = remaining_guesses(guesses, manifest)
    elif not guesses:
        guesses = tuple(f"the {what} stand in the manifest as assumed" for what in manifest.assumed)
    spec = replace(manifest.input, layout="NHWC")
    return Reader(
        file,
        engine,
        manifest,
        lambda images: in_parts(run, images, spec),
        guesses,
        tuple(said),
        tuple(model_notes(manifest)),
    )


def _knows_all(manifest: Manifest, faces: LabelledFaces) -> bool:
    return all(faces.label_names[place] in manifest.labels for place in np.unique(faces.labels))


def _trained(model: Path, options: TrainedOptions, pictures: Pictures | None) -> Reader:
    from edge_fer_convert.inputs import InputOptions
    from edge_fer_convert.load import load_trained

    trained = load_trained(model, InputOptions(options.labels, options.scale, options.colour))
    return _settled(model.name, "keras", trained.manifest, trained.probabilities, trained.guesses, pictures)
