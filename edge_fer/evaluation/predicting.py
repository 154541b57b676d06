"""What a model says of labelled faces, and whether it has the same labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_fer.errors import ConfigError
from edge_fer.faces.crop import whole_to_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_fer.evaluation.labelled import LabelledFaces
    from edge_fer.evaluation.metrics import Floats, Labels
    from edge_fer.protocols import Classifier
    from edge_fer.types import Batch, Image, InputSpec

AT_A_TIME = 128


def probabilities_of(classifier: Classifier, pictures: Sequence[Image]) -> Floats:
    """Scores of whole pictures, each taken as one face: float [N, labels]."""
    return in_parts(
        lambda batch: np.asarray([one.values for one in classifier.classify(batch)], np.float64),
        pictures,
        classifier.input_spec,
    )


def in_parts(
    run: Callable[[Batch], Floats], pictures: Sequence[Image], spec: InputSpec, at_a_time: int = AT_A_TIME
) -> Floats:
    """What `run` gives for many pictures, without holding all of their inputs at once."""
    starts = range(0, len(pictures), at_a_time)
    return np.concatenate([run(whole_to_batch(pictures[at : at + at_a_time], spec)) for at in starts])


def true_labels(faces: LabelledFaces, labels: Sequence[str], data_name: str, model_name: str) -> Labels:
    """The labels of the data as positions in the model's outputs; classes are matched by their names.

    Raises:
        ConfigError: the data has a class that the model does not know.
    """
    present = np.unique(faces.labels)
    unknown = [faces.label_names[one] for one in present if faces.label_names[one] not in labels]
    if unknown:
        raise ConfigError(f"{data_name} has the class {unknown[0]!r}, {model_name} has only {', '.join(labels)}")
    places = [labels.index(name) if name in labels else -1 for name in faces.label_names]
    return np.asarray(places, np.int64)[faces.labels]
