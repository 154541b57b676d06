"""What a user should know of a model before its scores are read: sentences made from its manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_fer.inference.classifier import ModelClassifier

if TYPE_CHECKING:
    from edge_fer.inference.manifest import Manifest
    from edge_fer.protocols import Classifier

SIGMOIDS = (
    "outputs are independent sigmoids, numbers of 0 to 1 that do not sum to 1: scores are these, divided by their sum"
)


def model_notes(manifest: Manifest) -> list[str]:
    """One sentence each: the kind of output where it is an unusual one, and what its manifest warns of."""
    return [*([SIGMOIDS] if manifest.output_kind == "sigmoids" else []), *manifest.warnings]


def classifier_notes(classifier: Classifier) -> list[str]:
    """The same of an open model; none where it has no manifest."""
    return model_notes(classifier.manifest) if isinstance(classifier, ModelClassifier) else []
