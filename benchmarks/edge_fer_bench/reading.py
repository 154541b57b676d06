"""A model file of any of the three kinds as something that reads pictures."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_fer.errors import ConfigError, MissingExtra, ModelError
from edge_fer.evaluation.predicting import in_parts, probabilities_of
from edge_fer.scores.loading import SUFFIX_OF_ENGINE, bundled_models_named, open_classifier
from edge_fer.scores.manifest import read_manifest
from edge_fer.scores.processor import read_processor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from edge_fer.evaluation.metrics import Floats
    from edge_fer.protocols import Classifier
    from edge_fer.scores.manifest import Manifest
    from edge_fer.types import ColourOrder, Image

TRAINED_SUFFIXES = (".keras", ".h5", ".hdf5")


@dataclass(frozen=True, slots=True)
class Reader:
    """A model that is open."""

    file: str
    """Name of the file, without its folder."""
    manifest: Manifest
    read: Callable[[Sequence[Image]], Floats]
    """Scores of whole pictures, each taken as one face: float [N, labels]."""
    guesses: tuple[str, ...] = ()
    """What nobody said of the model and was assumed, one sentence each."""


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


@contextlib.contextmanager
def open_reader(model: Path, threads: int = 1, options: TrainedOptions | None = None) -> Iterator[Reader]:
    """Open a .tflite, .onnx, .keras or .h5 file, or a bundled model by its name.

    Raises:
        ModelError: there is no such file, or it is unusable.
        MissingExtra: what runs it is not installed.
        ConfigError: the options do not fit the model.
    """
    options = options or TrainedOptions()
    if model.suffix.lower() in TRAINED_SUFFIXES or model.is_dir():
        yield _trained(model, options)
        return
    if options.given:
        raise ConfigError(
            f"{model.name} says itself what it takes: --labels, --scale and --colour are for Keras models"
        )
    paths = bundled_models_named(model, kind=read_processor().kind) or [model]
    if paths[0].suffix.lower() not in SUFFIX_OF_ENGINE.values():
        raise ModelError(f"{model} is no model: give a .keras, .h5, .onnx or .tflite file, or a bundled model's name")
    path, classifier = _first_that_opens(paths, threads)
    try:
        yield Reader(path.name, read_manifest(path), lambda pictures: probabilities_of(classifier, pictures))
    finally:
        classifier.close()


def _first_that_opens(paths: Sequence[Path], threads: int) -> tuple[Path, Classifier]:
    """As in a run, a bundled model goes to the next engine where the first is not installed."""
    for path in paths[:-1]:
        with contextlib.suppress(MissingExtra):
            return path, open_classifier(path, threads=threads)
    return paths[-1], open_classifier(paths[-1], threads=threads)


def _trained(model: Path, options: TrainedOptions) -> Reader:
    from edge_fer_convert.inputs import InputOptions
    from edge_fer_convert.load import load_trained

    trained = load_trained(model, InputOptions(options.labels, options.scale, options.colour))
    spec = trained.manifest.input
    return Reader(
        model.name, trained.manifest, lambda pictures: in_parts(trained.probabilities, pictures, spec), trained.guesses
    )
