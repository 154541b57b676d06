"""What a model expects and how good it is, before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edge_fer.errors import ConfigError
from edge_fer.evaluation.predicting import in_parts
from edge_fer.inference.notes import SIGMOIDS
from edge_fer_convert.check_data import known_part, occurring_names
from edge_fer_convert.contents import open_source
from edge_fer_convert.conventions import settled
from edge_fer_convert.describe import remaining_guesses
from edge_fer_convert.prior import fold_into_keras, prior_to_fold, with_prior
from edge_fer_convert.ready import ReadyModel, with_folded_prior
from edge_fer_convert.verify import class_f1, measured_accuracy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_fer.inference.manifest import AccuracyEntry
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
    trained = _with_prior(open_source(source, options), source, options)
    notes = [f"note: {sentence}" for sentence in ([SIGMOIDS] if trained.manifest.output_kind == "sigmoids" else [])]
    if check is None:
        warnings = [f"WARNING: {sentence}" for sentence in trained.manifest.warnings]
        for sentence in (*(f"note: {guess}" for guess in trained.guesses), *notes, *warnings):
            say(sentence)
        return Understood(trained, None, None, trained.manifest.accuracy, warnings=tuple(warnings))
    check, left_out = known_part(check, trained.manifest.labels)
    # What is used in the end is said once: guesses that the data settle are not.
    manifest, finding, said, _ = settled(trained.run, trained.manifest, check)
    trained = replace(trained, manifest=manifest, guesses=remaining_guesses(trained.guesses, manifest))
    left = [] if left_out is None else [left_out]
    warnings = [f"WARNING: {sentence}" for sentence in (*left, *manifest.warnings)]
    for sentence in (*said, *notes, *warnings):
        say(sentence)
    answers = in_parts(trained.probabilities, list(check.faces.images), replace(manifest.input, layout="NHWC"))
    return Understood(
        trained,
        check,
        finding,
        (measured_accuracy(answers, check, manifest.labels),),
        class_f1(answers, check, manifest.labels),
        tuple(warnings),
    )


def _with_prior(source: Source, path: Path, options: InputOptions) -> Source:
    wanted = prior_to_fold(source.manifest, options, path)
    if wanted is None:
        return source
    offsets, prior = wanted
    manifest = with_prior(source.manifest, prior)
    if isinstance(source, ReadyModel):
        return with_folded_prior(source, path, options, offsets, manifest)
    if source.network.keras_model is None:
        raise ConfigError(f"{path}: a SavedModel's last layer cannot be changed: give its .keras or .h5 file")
    fold_into_keras(source.network.keras_model, offsets, path)
    return replace(source, manifest=manifest)
