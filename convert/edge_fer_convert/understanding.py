"""What a model expects and how good it is, before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edge_fer.evaluation.predicting import in_parts
from edge_fer_convert.check_data import known_part, occurring_names
from edge_fer_convert.contents import open_source
from edge_fer_convert.conventions import adopted, measure_conventions, verdict
from edge_fer_convert.describe import LABELS_GUESS, SCALE_GUESS, is_open
from edge_fer_convert.verify import class_f1, measured_accuracy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_fer.scores.manifest import AccuracyEntry
    from edge_fer_convert.check_data import CheckSet
    from edge_fer_convert.contents import Source
    from edge_fer_convert.conventions import Finding
    from edge_fer_convert.inputs import InputOptions


@dataclass(frozen=True, slots=True)
class Understood:
    """A model, and what the check data say of it."""

    trained: Source
    """Its manifest follows the data where nobody else says what it expects."""
    check: CheckSet | None
    """The check data without classes that the model does not have."""
    finding: Finding | None
    accuracy: tuple[AccuracyEntry, ...]
    """On the check data, else what its sidecar says."""
    class_f1: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def understood(source: Path, options: InputOptions, check: CheckSet | None, say: Callable[[str], None]) -> Understood:
    """Load a model and measure it.

    Args:
        source: the model.
        options: what the user says of it.
        check: labelled pictures.
        say: told what was assumed and found.

    Raises:
        ModelError: the model is unusable.
        ConfigError: an option or the data do not fit it.
    """
    if check is not None and options.labels is None:
        options = replace(options, label_guess=occurring_names(check))
    trained = open_source(source, options)
    for guess in trained.guesses:
        say(f"note: {guess}")
    if check is None:
        return Understood(trained, None, None, trained.manifest.accuracy)
    check, left_out = known_part(check, trained.manifest.labels)
    finding = measure_conventions(trained.run, trained.manifest, check)
    labels_open, scale_open = (is_open(trained.guesses, guess) for guess in (LABELS_GUESS, SCALE_GUESS))
    manifest = adopted(finding, trained.manifest, labels_open=labels_open, scale_open=scale_open)
    if manifest.input != trained.manifest.input:  # measured, and assumed no more
        trained = replace(trained, guesses=tuple(one for one in trained.guesses if not one.startswith(SCALE_GUESS)))
    trained = replace(trained, manifest=manifest)
    sentences = [] if left_out is None else [f"WARNING: {left_out}"]
    sentences += verdict(finding, manifest)
    for sentence in sentences:
        say(sentence)
    said = in_parts(trained.probabilities, list(check.faces.images), replace(manifest.input, layout="NHWC"))
    return Understood(
        trained,
        check,
        finding,
        (measured_accuracy(said, check, manifest.labels),),
        class_f1(said, check, manifest.labels),
        tuple(sentence for sentence in sentences if sentence.startswith("WARNING")),
    )
